"""Projects for tests of stages: a checkout in a temporary folder, with a store of its own."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
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


@pytest.fixture(scope="session")
def new_converted(
    new_project: Callable[[], Path],
    enter: Enter,
    draw_logos: Callable[[Path, int], None],
    convert_small: list[str],
) -> Callable[[int], Path]:
    """Makes a project with the conversions of so many small logos, as many of each type."""
    from svg_quality.cli import main

    def make(n_logos: int) -> Path:
        folder = new_project()
        draw_logos(folder, n_logos)
        with pytest.MonkeyPatch.context() as patch:
            enter(folder, patch)
            assert main(convert_small) == 0
        return folder

    return make


@pytest.fixture(scope="session")
def released(new_converted: Callable[[int], Path], enter: Enter) -> Path:
    """A project with a release of 120 small logos; `new_released` copies it for those who work."""
    from svg_quality.cli import main

    folder = new_converted(120)
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        assert main(["dataset"]) == 0
    return folder


@pytest.fixture(scope="session")
def new_released(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a project with a release: a copy of one, which takes seconds less."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("copy") / "project"
        shutil.copytree(released, folder)
        move_store(folder / "mlruns" / "mlflow.db", str(released), str(folder))
        return folder

    return make


@pytest.fixture(scope="session")
def new_extracted(new_released: Callable[[], Path], enter: Enter) -> Callable[[], Path]:
    """Makes a project whose `extract` is done, with numbers drawn in place of real features."""
    from svg_quality.dataset.releases.release import read_release
    from svg_quality.features.descriptors import DESCRIPTOR_NAMES
    from svg_quality.features.store import FeatureStore
    from svg_quality.stages.learning.extract import SUMMARY
    from svg_quality.tracking.identity import Work
    from svg_quality.tracking.lookup import newest_finished
    from svg_quality.tracking.runs import stage_run

    def make() -> Path:
        folder = new_released()
        with pytest.MonkeyPatch.context() as patch:
            enter(folder, patch)
            leave_features(folder)
        return folder

    def leave_features(folder: Path) -> None:
        release = read_release(newest_finished("dataset").output_path)
        ids, rng = list(release.images.index), np.random.default_rng(0)
        store = FeatureStore(folder / "data" / "features")
        for kind, width in (("drawn", 16), ("described", len(DESCRIPTOR_NAMES))):
            store.add(kind, ids, rng.normal(size=(len(ids), width)).astype(np.float32))
        said = {"release": str(release.path.relative_to(folder)), "weights": "random",
                "fingerprint": "drawn", "descriptors": "described", "fit": "pad",
                "precision": "fp32", "backbone": "none", "int8": None}  # fmt: skip
        with stage_run(Work("extract", {}, {}, {}, "0")) as run:
            run.log_json(said, SUMMARY)
            run.set_output("1" * 64, store.root)

    return make


def move_store(database: Path, before: str, after: str) -> None:
    """MLflow keeps absolute paths, of artifacts above all."""
    with closing(sqlite3.connect(database)) as store, store:
        tables = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for _, column, *_ in store.execute(f"PRAGMA table_info({table})").fetchall():
                store.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                    f" WHERE typeof({column}) = 'text' AND instr({column}, ?)",
                    [before, after, before],
                )
