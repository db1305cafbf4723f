"""A checkout of our own in a temporary folder, with a real SQLite store and a clean environment."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svg_quality.tracking import store

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


def pytest_configure(config: pytest.Config) -> None:
    # MLflow 3.17.2's own use of SQLAlchemy and pandas, and its opinion of its own type hints.
    for known in (
        "ignore:The ``noload`` loader strategy:DeprecationWarning",
        "ignore:Operation with range is deprecated:DeprecationWarning",
        "ignore:.*Any type hint is inferred as AnyType:UserWarning",
    ):
        config.addinivalue_line("filterwarnings", known)


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


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables and nothing of ours: making them takes a second, copying does not."""
    root = tmp_path_factory.mktemp("template")
    database = root / "mlflow.db"
    store._create_database(database, root)
    return database


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
def project(empty_project: Path, empty_database: Path) -> Path:
    """A checkout with a store that has tables, but not yet our experiment."""
    (empty_project / "mlruns").mkdir()
    shutil.copy(empty_database, empty_project / "mlruns" / "mlflow.db")
    return empty_project


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
