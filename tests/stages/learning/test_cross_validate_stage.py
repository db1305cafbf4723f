"""`cross-validate` on a small project: every logo predicted once, by a head that did not see it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from svg_quality.cli import main
from svg_quality.dataset.releases.release import read_release
from svg_quality.tracking.lookup import FinishedRun, newest_finished
from svg_quality.tracking.store import open_store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(new_extracted: Callable[[], Path], enter: Callable[..., None]) -> Path:
    folder, patch = new_extracted(), pytest.MonkeyPatch()
    enter(folder, patch)
    (folder / "small.yaml").write_text("train: {epochs: 2, hidden_dims: '16', n_members: 1}\n")
    assert main(["cross-validate", "--config", "small.yaml", "--n-draws", "50"]) == 0
    patch.undo()
    return folder


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    enter(project, monkeypatch)


@pytest.fixture
def finished(own_store: None) -> FinishedRun:
    return newest_finished("cross-validate")


def children(run: FinishedRun) -> list[Any]:
    store = open_store()
    return list(
        store.client.search_runs(
            [store.experiment_id], f"tags.`mlflow.parentRunId` = '{run.run_id}'"
        )
    )


def test_every_row_outside_the_test_split_is_predicted_once(finished: FinishedRun) -> None:
    release = read_release(newest_finished("dataset").output_path)
    table = pd.read_parquet(finished.artifact("out_of_fold.parquet"))
    expected = release.conversions.query("split != 'test'")
    assert sorted(table["conversion_id"]) == sorted(expected["conversion_id"])
    assert table.groupby("group")["fold"].nunique().max() == 1
    by_id = expected.set_index("conversion_id")["ssim"]
    assert np.allclose(table["ssim"], by_id[table["conversion_id"]])
    assert table.filter(regex=r"\.(ssim|log_bytes)$").notna().all(axis=None)
    assert table["model.ssim_spread"].gt(0).all()


def test_figures_are_those_of_the_table(finished: FinishedRun) -> None:
    """An oracle from the kept predictions alone."""
    table = pd.read_parquet(finished.artifact("out_of_fold.parquet"))
    figures = json.loads(finished.artifact("cross_validation.json").read_text())
    error = (table["model.ssim"] - table["ssim"]).abs()
    pooled = figures["pooled"]["model"]["full"]["ssim"]
    assert pooled["mae"] == pytest.approx(error.mean())
    assert pooled["intervals"]["mae"][0] < pooled["mae"] < pooled["intervals"]["mae"][1]
    by_fold = error.groupby(table["fold"]).mean()
    assert len(by_fold) == len(figures["folds"]) == 5
    for number, found in figures["folds"].items():
        assert found["model"]["full"]["ssim"]["mae"] == pytest.approx(by_fold[int(number)])
    spread = figures["spread"]["model"]["full"]["ssim"]["mae"]
    assert spread["mean"] == pytest.approx(by_fold.mean())
    assert spread["std"] == pytest.approx(by_fold.std())
    rival = (table["gradient_boosting.ssim"] - table["ssim"]).abs()
    assert figures["against"]["full"]["ssim"]["difference"] == pytest.approx(
        error.mean() - rival.mean()
    )
    assert finished.metrics["pooled.model.full.ssim.mae"] == pytest.approx(error.mean())


def test_each_fold_has_a_run_inside(finished: FinishedRun) -> None:
    runs = children(finished)
    assert sorted(run.data.tags["fold"] for run in runs) == list("01234")
    assert {run.info.status for run in runs} == {"FINISHED"}
    figures = json.loads(finished.artifact("cross_validation.json").read_text())
    for run in runs:
        of_fold = figures["folds"][run.data.tags["fold"]]["model"]["everyday"]["ssim"]
        assert run.data.metrics["everyday.ssim.mae"] == pytest.approx(of_fold["mae"])
        assert run.data.metrics["val_ssim_mae"] > 0


def test_the_page_stands_alone(finished: FinishedRun, project: Path) -> None:
    page = project / "reports" / finished.run_id / "cross_validation.html"
    text = page.read_text()
    assert text == finished.artifact("cross_validation.html").read_text()
    assert "http://" not in text.replace("http://www.w3.org", "")
    for part in ("Everyday colour", "gradient boosting", "Fold by fold", "95% interval"):
        assert part in text


def test_some_folds_are_said_to_be_some(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["cross-validate", "--config", "small.yaml", "--n-draws", "20", "--n-folds", "2"]
    assert main(asked) == 0
    assert "2 folds" in capsys.readouterr().out
    table = pd.read_parquet(newest_finished("cross-validate").artifact("out_of_fold.parquet"))
    assert set(table["fold"]) == {0, 1}


def test_more_folds_than_there_are_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cross-validate", "--config", "small.yaml", "--n-folds", "9"]) == 2
    assert "n_folds must be at most the release's 5, got 9" in capsys.readouterr().err
