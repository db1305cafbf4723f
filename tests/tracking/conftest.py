"""A checkout of our own in a temporary folder, with a real SQLite store and a clean environment."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from svg_quality.tracking import store
from svg_quality.tracking.registry import MODEL
from svg_quality.tracking.store import open_store

MLPROJECT = """\
name: svg-quality
conda_env: conda.yaml
entry_points:
  train:
    parameters:
      epochs: {type: float, default: 2}
      note: {type: string, default: ""}
      release: string
    command: "python stage.py train {epochs}"
"""

Shell = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def environment() -> Iterator[None]:
    """Nothing of MLflow's or conda's is set, and nothing stays set."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("MLFLOW_", "CONDA_", "SVG_QUALITY_")):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: None) -> Path:
    """A checkout without a store; the working directory. Its name has a space in it."""
    root = tmp_path / "my logos"
    root.mkdir()
    (root / "MLproject").write_text(MLPROJECT)
    (root / "conda.yaml").write_text("name: svg-quality\ndependencies: [python=3.11]\n")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def project(empty_project: Path) -> Path:
    """A checkout with a store that has tables, but not yet our experiment."""
    (empty_project / "mlruns").mkdir()
    store._create_database(empty_project / "mlruns" / "mlflow.db", empty_project)
    return empty_project


@pytest.fixture
def bare_versions(project: Path) -> Callable[[int], None]:
    """Registers versions without files: enough for everything about stages, and instant."""

    def make(n: int) -> None:
        client = open_store().client
        client.create_registered_model(MODEL)
        for _ in range(n):
            client.create_model_version(MODEL, "/nowhere")

    return make


@pytest.fixture
def shell(environment: None) -> Iterator[Shell]:
    """Start Python programs in the working directory; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def all_at_once(shell: Shell) -> Callable[[str, Iterable[int]], None]:
    """Runs a program once for each number, all from "ready" on at the same moment, to its end."""

    def run(program: str, numbers: Iterable[int]) -> None:
        processes = [shell(program, str(number)) for number in numbers]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            assert process.communicate(timeout=120)[1] == ""
            assert process.returncode == 0

    return run
