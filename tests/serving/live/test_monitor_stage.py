"""`monitor` on really served pictures: what drifted is found, what did not is not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from svg_quality.cli import main
from svg_quality.tracking.lookup import newest_finished


def pages(root: Path) -> list[Path]:
    return sorted((root / "reports").glob("*/monitor.html"), key=lambda path: path.stat().st_mtime)


def test_nothing_is_found_among_new_pictures_of_the_same_source(
    project: Any, served_pictures: list[Image.Image], capsys: pytest.CaptureFixture[str]
) -> None:
    project.serve(served_pictures)
    assert main(["monitor", "--n-draws", "200"]) == 0
    said = capsys.readouterr().out
    assert "inputs of svg-quality 1: NO DRIFT" in said
    assert "errors of svg-quality 1: NO DRIFT" in said
    assert "a number drifts at PSI 0.25 or more" in said
    assert "of what svg-quality 1 was trained on only the bundle's own list is known" in said
    run = newest_finished("monitor")
    told = json.loads(run.artifact("monitor/monitor.json").read_text())
    assert told["errors"]["n"] == 120
    assert told["inputs"]["unlike"]["n_served"] == 39  # two of the 40 are near-duplicates
    assert run.metrics["inputs.drifted_numbers"] == 0
    assert run.metrics["errors.ssim.mae"] == pytest.approx(told["errors"]["beside"][0]["live"])
    assert run.tags["monitor.inputs"] == "no drift"
    page = run.artifact("monitor/monitor.html").read_text()
    assert "Mean absolute SSIM error" in page
    assert "Watching svg-quality 1" in page


@pytest.mark.parametrize(
    "alter",
    [ImageOps.invert, lambda picture: picture.convert("L").convert("RGB").rotate(30)],
    ids=["inverted", "grey, with black corners"],
)
def test_planted_drift_of_inputs_is_found(
    project: Any,
    served_pictures: list[Image.Image],
    alter: Callable[[Image.Image], Image.Image],
    capsys: pytest.CaptureFixture[str],
) -> None:
    project.serve([alter(picture) for picture in served_pictures], convert=False)
    assert main(["monitor", "--n-draws", "200"]) == 1
    said = capsys.readouterr()
    assert "inputs of svg-quality 1: DRIFT" in said.out
    assert "errors of svg-quality 1: NOT ENOUGH (0 distinct logos were measured" in said.out
    assert "inputs and errors must be as in training, those of svg-quality 1 drifted" in said.err
    assert "✗ drift" in pages(project.root)[-1].read_text()  # the page is there all the same


def test_planted_drift_of_errors_is_found(
    project: Any, served_pictures: list[Image.Image], capsys: pytest.CaptureFixture[str]
) -> None:
    project.serve(served_pictures)
    log = project.root / "data" / "conversions" / "use.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    worse = [row | {"ssim": row["ssim"] - 0.3, "svg_bytes": row["svg_bytes"] * 3} for row in rows]
    log.write_text("".join(json.dumps(row) + "\n" for row in worse))
    assert main(["monitor", "--n-draws", "200"]) == 1
    said = capsys.readouterr()
    assert "inputs of svg-quality 1: NO DRIFT" in said.out
    assert "errors: SSIM error" in said.err
    assert "log bytes error" in said.err
    assert "covered where 90% is promised" in said.err


def test_only_what_was_served_lately_counts(
    project: Any, served_pictures: list[Image.Image], capsys: pytest.CaptureFixture[str]
) -> None:
    project.serve([ImageOps.invert(picture) for picture in served_pictures])
    before = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    for name, field in (("predictions/predictions", "at"), ("conversions/use", "created_at")):
        log = project.root / "data" / f"{name}.jsonl"
        rows = [json.loads(line) | {field: before} for line in log.read_text().splitlines()]
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["monitor", "--n-draws", "200"]) == 0
    assert "NOT ENOUGH (0 pictures were served" in capsys.readouterr().out
    assert main(["monitor", "--n-draws", "200", "--days", "0"]) == 1
    assert "inputs of svg-quality 1: DRIFT" in capsys.readouterr().out


def test_refuses_in_one_sentence(
    project: Any, bundles: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["monitor"]) == 2
    assert "predictions must have been logged" in capsys.readouterr().err
