"""`validate` after a real extraction, in a project of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import svg_quality.training.data
from svg_quality.cli import main
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.store import open_store

pytestmark = pytest.mark.slow
Enter = Callable[[Path, pytest.MonkeyPatch], None]
VALIDATE = ["validate", "--no-backbone", "--n-calls", "10"]


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Path], enter: Enter) -> Path:
    """A checkout with the features of 12 small logos."""
    folder = new_project()
    (folder / "logos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        picture = Image.new("RGB", (32, 32), "white")
        low, high = sorted(rng.integers(2, 30, 2).tolist())
        colour = tuple(rng.integers(0, 200, 3).tolist())
        ImageDraw.Draw(picture).ellipse((low, low, high + 1, high + 1), fill=colour)
        picture.save(folder / "logos" / f"{number}.png")
    patch = pytest.MonkeyPatch()
    enter(folder, patch)
    assert main([
        "convert", "--logos", "logos", "--excluded", "", "--max-logos", "0", "--jpeg-share", "0",
        "--sets-per-image", "6", "--n-workers", "1",
    ]) == 0  # fmt: skip
    assert main(["dataset", "--max-distance", "0", "--no-quality", "--no-upload"]) == 0
    assert main(["extract", "--weights", "random", "--precision", "fp32"]) == 0
    patch.undo()
    return folder


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


def test_the_head_as_train_builds_it_passes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(VALIDATE) == 0
    said = [x for x in capsys.readouterr().out.splitlines() if x.startswith("validate ")]
    assert said[0].startswith("validate   head     pass: ")
    assert "10,000 parameter sets of one image in " in said[1]
    run = newest_finished("validate")
    page = project / "reports" / run.run_id / "validation.html"
    assert said[-1].endswith(str(page.relative_to(project)))
    assert run.artifact("validation.html").read_bytes() == page.read_bytes()
    report = json.loads(run.artifact("validation.json").read_text())
    assert report["verdict"] == run.tags["validation.verdict"] == "pass"
    assert [x["name"] for x in report["networks"]] == ["head"]
    assert len(report["compared"]) == 7
    assert report["compared"][0]["n_parameters"] == run.metrics["head.parameters"]
    refused = [x for x in report["networks"][0]["checks"] if x["name"].startswith("training rows")]
    assert len(refused) == 8
    assert run.metrics["passed"] == 1
    assert run.tags["input.extract"] == newest_finished("extract").run_id


def test_a_failed_check_exits_with_one_after_the_report_is_written(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = svg_quality.training.data.build_head

    def broken(*arguments: Any) -> Any:
        head = build(*arguments)
        head.target_scale[0] = float("nan")
        return head

    monkeypatch.setattr(svg_quality.training.data, "build_head", broken)
    assert main(VALIDATE) == 1
    error = capsys.readouterr().err
    assert "every check of a network must pass" in error
    assert "head, dimensions: batch of 1" in error
    store = open_store()
    run = store.client.search_runs(
        [store.experiment_id], "tags.stage = 'validate' and attributes.status = 'FAILED'"
    )[0]
    assert run.data.tags["validation.verdict"] == "fail"
    assert (project / "reports" / run.info.run_id / "validation.html").is_file()
