"""`compare` on runs with predictions: verdicts on the terminal, a page, and plain refusals."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svg_quality.cli import main
from svg_quality.conversion.parameters import Parameters
from svg_quality.evaluation.comparing.predictions import Predictions, write_predictions
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import finished_run, newest_finished
from svg_quality.tracking.runs import stage_run

ROOT = Path(__file__).parents[3]
FACTS = {"dataset": "demo", "version": "1.0.0", "digest": "a" * 64, "split": "test"}
N_LOGOS, N_SETS = 30, 4


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predictions(noise: float, **facts: str) -> Predictions:
    rng = np.random.default_rng(0)
    n = N_LOGOS * N_SETS
    ssim = rng.uniform(0.5, 1, n)
    rows = pd.DataFrame(
        {
            "conversion_id": [f"c{k}" for k in range(n)],
            "image_id": np.repeat([f"i{k}" for k in range(N_LOGOS)], N_SETS),
            "group": np.repeat(np.arange(N_LOGOS), N_SETS), "logo_type": "simple",
            "format": "PNG", "source": "x.png", **Parameters().as_dict(), "everyday": True,
            "everyday_colour": True, "ssim": ssim, "svg_bytes": 1000,
            "predicted_ssim": ssim + noise * rng.normal(size=n), "ssim_low": 0.0,
            "ssim_high": 1.0, "predicted_svg_bytes": 1100.0,
        }
    )  # fmt: skip
    return Predictions(rows, FACTS | facts)


def finished(folder: Path, told: Predictions | None, stage: str = "train") -> str:
    with stage_run(Work(stage, {})) as run:
        if told is not None:
            run.log_artifact(write_predictions(told, folder / run.run_id), "evaluation")
    return run.run_id


def test_a_verdict_for_each_run_beside_the_first(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = finished(tmp_path, predictions(0.05))
    finer = finished(tmp_path, predictions(0.01), "evaluate")
    coarser = finished(tmp_path, predictions(0.1))
    short = predictions(0.05)
    fewer = finished(tmp_path, Predictions(short.rows.head(100), short.facts))
    assert main(["compare", reference, finer, coarser, fewer, "--n-draws", "200"]) == 0
    said = capsys.readouterr().out
    assert "100 rows of 25 distinct logos that all runs predicted" in said
    lines = [line for line in said.splitlines() if "Full region, SSIM" in line]
    assert [line.split("  ")[-1].strip() for line in lines] == ["better", "worse", "no difference"]
    assert "REGRESSION in type simple" in said
    run = newest_finished("compare")
    page = project / "reports" / run.run_id / "comparison.html"
    assert str(page) in said
    text = page.read_text(encoding="utf-8")
    assert f"{coarser[:8]} regressed." in text
    assert "Only the 100 rows that all runs predicted" in text
    told = json.loads(run.artifact("comparison/comparison.json").read_text())
    full = told["comparisons"][finer[:8]]["differences"]["full"]["ssim"]
    assert full["verdict"] == "better"
    assert run.metrics[f"{finer[:8]}.full.ssim.difference"] == pytest.approx(full["difference"])
    assert run.tags["compared.0"] == reference
    assert run.tags["dataset.demo.digest"] == FACTS["digest"]
    assert finished_run(run.run_id).artifact("comparison/comparison.html").is_file()


def test_refuses_in_one_sentence(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = finished(tmp_path, predictions(0.05))
    other_split = finished(tmp_path, predictions(0.05, split="train"))
    cases: dict[str, list[str]] = {
        "compare needs two run ids or more, got 1": [],
        "runs to compare must be different ones": [reference],
        "`compare` needs a run of `train` or `evaluate`, and": [
            finished(tmp_path, None, "extract")
        ],
        "must have the artifact evaluation/predictions.parquet": [finished(tmp_path, None)],
        "runs to compare must be measured on one split": [other_split],
        f"run {'0' * 32} must exist": ["0" * 32],
    }
    for message, others in cases.items():
        assert main(["compare", reference, *others]) == 2
        assert message in capsys.readouterr().err
