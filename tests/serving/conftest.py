"""A project with a really trained, small model in Production, and servers that run in it."""

import io
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image, ImageDraw

from svg_quality.cli import main
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.serving.api import create_app
from svg_quality.serving.config import ServeConfig
from svg_quality.serving.server import listening_socket, url_of

Enter = Callable[[Path, pytest.MonkeyPatch], None]
ROOT = Path(__file__).parents[2]
TYPES = ("simple", "text", "gradient", "complex")
STAGES = (
    ("convert", "--logos", "logos", "--excluded", "", "--max-logos", "0", "--jpeg-share", "0",
     "--sets-per-image", "6", "--n-workers", "1"),
    ("dataset",),
    ("extract", "--weights", "random", "--precision", "fp32"),
    ("train", "--epochs", "2", "--hidden-dims", "16", "--interval", "0.5"),
    ("promote",),
)  # fmt: skip


def picture(seed: int, side: int = 48) -> Image.Image:
    """Three discs of random colours."""
    rng = np.random.default_rng(seed)
    drawn = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(drawn)
    for _ in range(3):
        low, high = sorted(rng.integers(2, side - 2, 2).tolist())
        pen.ellipse((low, low, high + 1, high + 1), fill=tuple(rng.integers(0, 200, 3).tolist()))
    return drawn


@pytest.fixture(scope="session")
def trained_project(tmp_path_factory: pytest.TempPathFactory, enter: Enter) -> Path:
    """A project whose model was trained on 44 small pictures, in a store of its own."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "demo.yaml", folder / "experiments")
    for number in range(44):
        path = folder / "logos" / TYPES[number % 4] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        for stage in STAGES:
            assert main(list(stage)) == 0
    return folder


@pytest.fixture(scope="module")
def in_project(trained_project: Path, enter: Enter) -> Iterator[Path]:
    """The project, with the tests of a module working in it."""
    with pytest.MonkeyPatch.context() as patch:
        enter(trained_project, patch)
        yield trained_project


@pytest.fixture(scope="session")
def draw() -> Callable[..., bytes]:
    """Makes the PNG of three discs; the same seed gives the same bytes."""

    def make(seed: int, side: int = 48, kind: str = "PNG") -> bytes:
        buffer = io.BytesIO()
        picture(seed, side).save(buffer, kind)
        return buffer.getvalue()

    return make


Serve = Callable[[FastAPI], AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serving() -> Serve:
    """Runs an application on a free port, in a thread; gives its address."""

    @contextmanager
    def run(app: FastAPI) -> Iterator[str]:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
        with listening_socket("127.0.0.1", 0) as bound:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
            thread.start()
            try:
                while not server.started and thread.is_alive():
                    time.sleep(0.01)
                yield url_of(bound)
            finally:
                server.should_exit = True
                thread.join()

    return run


@pytest.fixture(scope="session")
def bare(serving: Serve) -> Callable[..., AbstractContextManager[httpx.Client]]:
    """A server that has no model to ask, with limits of one's own; gives a client of it."""

    @contextmanager
    def start(**limits: Any) -> Iterator[httpx.Client]:
        predictor = QualityPredictor(enabled=False)
        config = ServeConfig(**{"max_concurrent": 1, **limits})
        with serving(create_app(config, predictor)) as url, httpx.Client(base_url=url) as client:
            yield client

    return start
