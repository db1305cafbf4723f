"""`analyse` in a project of its own: its page, its figures and its lines."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from svg_quality.cli import main
from svg_quality.dataset.releases.release import read_release
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.store import open_store

pytestmark = pytest.mark.slow
Enter = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def project(new_extracted: Callable[[], Path]) -> Path:
    return new_extracted()


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


def test_it_leaves_a_page_a_report_and_figures(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyse", "--n-components", "4", "--n-repeats", "1"]) == 0
    said = capsys.readouterr().out
    run = newest_finished("analyse")
    report = json.loads(run.artifact("analysis/analysis.json").read_text())
    page = run.artifact("analysis/analysis.html").read_text()
    assert (project / "reports" / run.run_id / "analysis.html").read_text() == page
    assert said.splitlines()[-1].endswith(f"{run.run_id}/analysis.html")
    assert set(report["correlations"]) == {"SSIM", "SSIM, everyday region", "log bytes"}
    first = report["correlations"]["SSIM"]
    assert len(first["found"]) + len(first["constant"]) == len(DESCRIPTOR_NAMES) + 4
    assert (
        first["n_images"] == report["pictures"]["n"] == sum(map(sum, report["clusters"]["table"]))
    )
    blocks = {each["name"] for each in report["importance"]["log bytes"]["blocks"]}
    assert {"parameters", "features"} <= blocks
    assert run.metrics["importance.log_bytes.parameters"] > 0
    assert run.metrics["pictures"] == report["pictures"]["n"]
    assert "distinct logos" in said
    assert "The backbone&#39;s weights are random" in page
    assert "<script" not in page


def test_the_test_split_is_not_looked_at() -> None:
    """One picture of each group in the two other splits, and no more."""
    run = newest_finished("analyse")
    release = read_release(newest_finished("dataset").output_path)
    seen = release.images[release.images["split"].isin(["train", "validation"])]
    assert run.metrics["pictures"] == seen["group"].nunique()
    inputs = open_store().client.get_run(run.run_id).inputs.dataset_inputs
    assert [each.dataset.name for each in inputs] == [release.name]
