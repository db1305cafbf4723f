"""Projects for tests of stages: a checkout in a temporary folder, with a store of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[2]
TYPES = ("simple", "text", "gradient", "complex")

Enter = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a checkout without its .git: what a user has after downloading it."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("project")
        for name in ("MLproject", "conda.yaml"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "experiments", folder / "experiments")
        return folder

    return make


@pytest.fixture(scope="session")
def enter() -> Enter:
    """Goes into a project: its folder and its store, until the patch is undone."""

    def go(folder: Path, patch: pytest.MonkeyPatch) -> None:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "SVG_QUALITY_STORAGE"):
            patch.delenv(name, raising=False)

    return go


@pytest.fixture(scope="session")
def draw_logos() -> Callable[[Path, int], None]:
    """Fills ``logos/<type>/`` of a project with small pictures, as many of each type."""

    def draw(folder: Path, n_logos: int) -> None:
        rng = np.random.default_rng(0)
        for number in range(n_logos):
            picture = Image.new("RGB", (32, 32), "white")
            pen = ImageDraw.Draw(picture)
            for _ in range(3):
                low, high = sorted(rng.integers(2, 30, 2).tolist())
                colour = tuple(rng.integers(0, 200, 3).tolist())
                pen.ellipse((low, low, high + 1, high + 1), fill=colour)
            path = folder / "logos" / TYPES[number % 4] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)

    return draw


@pytest.fixture(scope="session")
def convert_small() -> list[str]:
    """The command that converts such pictures, with four parameter sets each."""
    return [
        "convert", "--logos", "logos", "--excluded", "", "--max-logos", "0", "--jpeg-share", "0",
        "--sets-per-image", "4", "--n-workers", "1",
    ]  # fmt: skip
