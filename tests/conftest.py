"""What every test may count on: a store of its own, fixed random numbers, a browser, a model."""

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
import sqlalchemy
from hypothesis import settings
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy.engine import Engine

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.similarity import DEFINITION
from svg_quality.dataset.tables import conversions_table
from svg_quality.tracking import store

Enter = Callable[[Path, pytest.MonkeyPatch], None]
ServeIn = Callable[..., AbstractContextManager[tuple[str, "subprocess.Popen[str]"]]]

PSNR_OF_40 = 32.11020369539948  # dB: 10 log10(255^2 / 40)

# The same examples in every run, however slow the machine: a failure is the fault of a change.
# `pytest --hypothesis-profile=default` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Before its fixtures too, a test draws the same numbers whichever tests came before it."""
    if "torch" in sys.modules:  # what imports it now starts from its one first seed
        sys.modules["torch"].manual_seed(0)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A test is not named after bytes, which may hold the time (gzip's do).

    The two processes of `make test` collect at different times and must find the same names.
    """
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def quick_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Stores that tests open are copies of the first, and no commit waits for the disk.

    MLflow takes a second or more to make its tables. The stores of commands in processes of
    their own are made and written as users' are.
    """
    template = tmp_path_factory.mktemp("template") / "mlflow.db"
    create = store._create_database

    def copy(database: Path, root: Path) -> None:
        if not template.exists():
            create(template, template.parent)
        unfinished = database.with_name(f".{database.name}.unfinished")
        shutil.copy(template, unfinished)
        with closing(sqlite3.connect(unfinished)) as tables, tables:
            tables.execute("UPDATE experiments SET artifact_location = ?", [f"{root}/mlruns/0"])
        unfinished.rename(database)

    def hurry(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):  # nobody pulls the plug of a test
            with suppress(sqlite3.DatabaseError):  # of a test that opens what is no database
                connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(Engine, "connect", hurry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_create_database", copy)
        yield
    sqlalchemy.event.remove(Engine, "connect", hurry)


@pytest.fixture(scope="session")
def enter() -> Enter:
    """Goes into a project: its folder and its store, until the patch is undone."""

    def go(folder: Path, patch: pytest.MonkeyPatch) -> None:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "SVG_QUALITY_STORAGE",
                     "SVG_QUALITY_API_KEY"):  # fmt: skip
            patch.delenv(name, raising=False)

    return go


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the repository's own store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)


@pytest.fixture(scope="session")
def bare_environment() -> dict[str, str]:
    """What a new shell has, with this environment's programs, and no conda.

    Without coverage too: it doubles the time of short commands, and the tests that run dozens of
    them as written in a document run nothing that others do not measure.
    """
    ours = ("MLFLOW_", "AWS_", "CONDA_", "SVG_QUALITY_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


@pytest.fixture(scope="session")
def serve_in() -> ServeIn:
    """Runs a command that serves until Ctrl-C, in a project; gives its address and its process."""
    program = Path(sys.executable).with_name("svg-quality")

    @contextmanager
    def run(project: Path, *words: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
        environment = {name: x for name, x in os.environ.items() if not name.startswith("MLFLOW_")}
        environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{project}/mlruns/mlflow.db"
        # A shell starts background jobs with Ctrl-C ignored, and their children inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = subprocess.Popen(
                [program, *words], cwd=project, env=environment, text=True, stdout=subprocess.PIPE
            )
        finally:
            signal.signal(signal.SIGINT, before)
        with process:
            assert process.stdout is not None
            heard = iter(process.stdout)
            try:
                line = next(line for line in heard if "http://127.0.0.1:" in line)
                yield next(word for word in line.split() if word.startswith("http://")), process
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as long as a module: where it is open, nothing else can run an event loop."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Debian's chromium")
    expect.set_options(timeout=30_000)  # ms: a busy machine is slow, and no less right
    with sync_playwright() as engine:
        opened = engine.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def new_tab(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens tabs in which nothing may go wrong: no script error, no request to elsewhere.

    A failed request that the page foresees is named in ``expected``, a part of the message.
    """
    opened: list[tuple[Page, list[str], str]] = []

    def make(expected: str = "\0", **options: Any) -> Page:
        tab = browser.new_page(**options)
        wrong: list[str] = []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
        tab.on("request", lambda asked: wrong.append(asked.url) if is_foreign(asked.url) else None)
        opened.append((tab, wrong, expected))
        return tab

    def is_foreign(address: str) -> bool:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and parts.hostname != "127.0.0.1"

    yield make
    for tab, wrong, expected in opened:
        tab.context.close()
        assert [line for line in wrong if expected not in line] == []


@pytest.fixture(scope="session")
def small_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph of a real network, with the backbone's input, eight features and random weights."""
    import torch
    from torch import nn

    from svg_quality.features.backbone import export_backbone

    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 7, stride=16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    path = tmp_path_factory.mktemp("small") / "backbone.onnx"
    export_backbone(nn.Sequential(*layers).eval(), path)  # type: ignore[arg-type]
    return path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def make_row() -> Callable[..., dict[str, Any]]:
    """A valid row of the conversions table; what is named replaces the default."""

    def row(image: str = "a", **changes: Any) -> dict[str, Any]:
        parameters = {
            name: changes.pop(name) for name in list(changes) if hasattr(Parameters(), name)
        }
        chosen = Parameters(**parameters)
        made = {
            "image_id": digest(image), "image_path": f"{image}.png", "source": f"test/{image}.png",
            "derived_from": None, "synthetic": False, "method": "sobol", "logo_type": "simple",
            "logo_type_estimated": True, "width": 64, "height": 64,
            "working_size": 512, "source_width": 64, "source_height": 64,
            "format": "PNG", "complexity": 0.5,
            "perceptual_hash": digest(image)[:16], **chosen.as_dict(), "ssim": 0.9,
            "ssim_worst_tile": 0.0, "mse": 40.0, "psnr": PSNR_OF_40,
            "svg_bytes": 1000, "path_count": 3,
            "trace_ms": 1.0, "render_ms": 1.0, "created_at": "2026-11-21T00:00:00+00:00",
            "vtracer_version": "0.6.15", "renderer_version": "resvg-py 0.5.0",
            "ssim_definition": DEFINITION, "error": None, **changes,
        }  # fmt: skip
        key = f"{image} {sorted(chosen.as_dict().items())} {changes}"
        return {"conversion_id": digest(key), **made}

    return row


@pytest.fixture
def many_rows(make_row: Callable[..., dict[str, Any]]) -> pd.DataFrame:
    """120 logos of four types with 5 conversions each; every fifth has a JPEG copy."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(120):
        common = {"logo_type": ("simple", "text", "gradient", "complex")[number % 4]}
        names = [f"logo{number}"] + ([f"logo{number}-copy"] if number % 5 == 0 else [])
        for name in names:
            original = digest(names[0]) if name != names[0] else None
            for level in (0, 8, 16, 32, 64):
                ssim = float(np.clip(rng.normal(0.6 + 0.3 * (number % 2), 0.05), -1, 0.999))
                rows.append(
                    make_row(
                        name, layer_difference=level, ssim=ssim, derived_from=original, **common
                    )
                )
    return conversions_table(rows)
