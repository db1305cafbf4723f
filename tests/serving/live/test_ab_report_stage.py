"""`ab-report` on really served pictures: as good is as good, and worse is worse."""

import json
from typing import Any

import pytest
from PIL import Image

from svg_quality.cli import main
from svg_quality.tracking.lookup import newest_finished

DRAWS = ["--n-draws", "400"]


def test_the_same_model_again_is_no_different(
    project: Any, served_pictures: list[Image.Image], capsys: pytest.CaptureFixture[str]
) -> None:
    project.serve(served_pictures, "models:/svg-quality/2")
    assert main(["ab-report", *DRAWS]) == 0
    said = capsys.readouterr().out
    assert "svg-quality 2 beside svg-quality 1: NO DIFFERENCE" in said
    assert "120 conversions of" in said
    run = newest_finished("ab-report")
    assert run.tags["ab.verdict"] == "no difference"
    assert run.metrics["ssim.difference"] == 0


def test_a_planted_worse_challenger_is_called_worse(
    project: Any, served_pictures: list[Image.Image], capsys: pytest.CaptureFixture[str]
) -> None:
    project.serve(served_pictures, "models:/svg-quality/3")
    assert main(["ab-report", *DRAWS]) == 0
    said = capsys.readouterr().out
    assert "svg-quality 3 beside svg-quality 1: WORSE (SSIM: worse, bytes: no difference)" in said
    run = newest_finished("ab-report")
    assert run.metrics["ssim.difference_low"] > 0.1
    told = json.loads(run.artifact("ab_report/ab_report.json").read_text())
    (pair,) = told["pairs"]
    assert pair["n"] == 120
    held = {role: one["coverage"]["value"] for role, one in pair["intervals"].items()}
    assert held["challenger"] < held["champion"]
    page = run.artifact("ab_report/ab_report.html").read_text()
    assert "✗ worse" in page
    assert "svg-quality 3 beside svg-quality 1" in page


def test_says_when_it_is_too_early(
    project: Any, served_pictures: list[Image.Image], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ab-report", *DRAWS]) == 2
    assert "predictions must have been logged" in capsys.readouterr().err
    project.serve(served_pictures[:3], "models:/svg-quality/3", share=0.0)
    assert main(["ab-report", *DRAWS]) == 0
    assert "not enough: no set was predicted by champion and challenger" in capsys.readouterr().out
    project.serve(served_pictures[:5], "models:/svg-quality/3")
    assert main(["ab-report", *DRAWS]) == 0
    said = capsys.readouterr().out
    assert "NOT ENOUGH (5 distinct logos have predictions of both and a measurement" in said
    assert "a verdict takes 10" in said


def test_pictures_that_a_version_was_made_from_are_left_out(
    project: Any, served_pictures: list[Image.Image], capsys: pytest.CaptureFixture[str]
) -> None:
    from svg_quality.prediction.predictor import QualityPredictor

    served = project.serve(served_pictures[:4], "models:/svg-quality/2")
    reference = QualityPredictor().picture(served[0].rgb).bundle.reference
    log = project.root / "data" / "predictions" / "predictions.jsonl"
    learned = log.read_text().replace(served[0].image_id, reference.image_ids[0])
    log.write_text(learned)
    uses = project.root / "data" / "conversions" / "use.jsonl"
    uses.write_text(uses.read_text().replace(served[0].image_id, reference.image_ids[0]))
    assert main(["ab-report", *DRAWS]) == 0
    assert "9 conversions of 3 distinct logos" in capsys.readouterr().out
    told = newest_finished("ab-report").artifact("ab_report/ab_report.json").read_text()
    assert json.loads(told)["counts"]["Learned from, left out"] == 6
