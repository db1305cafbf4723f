"""`qa` on a real release, in a project of its own: what it says, keeps, and exits with."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from svg_quality.cli import main
from svg_quality.dataset.releases.release import read_release
from svg_quality.stages.dataset.qa import newest_errors
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import open_store

QA = ["qa", "--n-remeasured", "3", "--n-workers", "1"]
Enter = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def project(new_converted: Callable[[int], Path], enter: Enter) -> Path:
    """A checkout with a release of 24 small logos, six of each type."""
    folder = new_converted(24)
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        assert main(["dataset", "--max-distance", "0", "--no-quality", "--no-upload"]) == 0
    return folder


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


def test_a_sound_release_passes_and_its_report_is_kept(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = newest_finished("dataset")
    assert main([*QA, "--input-run", source.run_id]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("qa ")]
    run = newest_finished("qa")
    page = project / "reports" / run.run_id / "qa_report.html"
    assert [line.split()[1] for line in said[:4]] == ["quality", "safety", "privacy", "bias"]
    assert said[0].split()[2] == said[1].split()[2] == said[2].split()[2] == "pass:"
    assert "not measured: error_ratio_of_types" in said[3]
    assert str(page) in said[4]
    assert page.is_file()
    assert run.artifact("qa_report.html").read_bytes() == page.read_bytes()
    told = json.loads(run.artifact("qa_report.json").read_text())
    assert told["verdict"] == "pass"
    assert run.tags["qa.verdict"] == "pass"
    assert run.metrics["passed"] == 1
    assert run.metrics["quality.labels_confirmed"] == 1
    release = read_release(source.output_path)
    assert run.tags[f"dataset.{release.name}.digest"] == release.digest
    assert run.tags["input.dataset"] == source.run_id


def test_a_release_that_misses_a_threshold_exits_with_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = read_release(newest_finished("dataset").output_path)
    image_id, image_path = next(iter(release.images["image_path"].items()))
    picture = project / "data" / "logos" / str(image_path)
    before = picture.read_bytes()
    picture.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
    try:
        assert main(QA) == 1
    finally:
        picture.write_bytes(before)
    output = capsys.readouterr()
    assert "qa         safety   fail: active_content 1 (at most 0)" in output.out
    error = next(x for x in output.err.splitlines() if x.startswith("svg-quality: "))
    assert "a release must keep every threshold" in error
    assert "safety.active_content" in error
    store = open_store()
    run = store.client.search_runs(
        [store.experiment_id], "tags.stage = 'qa' and attributes.status = 'FAILED'"
    )[0]
    assert run.data.metrics["safety.active_content"] == 1
    assert run.data.tags["qa.verdict"] == "fail"
    report = project / "reports" / run.info.run_id / "qa_report.json"
    checks = json.loads(report.read_text())["sections"][1]["checks"]
    assert checks[0]["findings"] == [{"row": image_id, "fact": "a script element"}]
    artifacts = {file.path for file in store.client.list_artifacts(run.info.run_id)}
    assert {"qa_report.html", "qa_report.json"} <= artifacts


def test_own_thresholds_decide(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("bias:\n  largest_source: {at_most: 0.5, severity: fail}\n")
    assert main([*QA, "--n-remeasured", "0", "--thresholds", str(path)]) == 1
    assert "misses 1: bias.largest_source" in capsys.readouterr().err
    path.write_text("bias:\n  biggest_source: {at_most: 0.5, severity: fail}\n")
    assert main([*QA, "--thresholds", str(path)]) == 2
    assert "known checks, bias.biggest_source" in capsys.readouterr().err


def test_errors_by_type_are_those_of_the_newest_model(project: Path) -> None:
    assert newest_errors() == (None, "")
    lines = [
        {"name": "simple", "full": {"n": 300, "mae": 0.01}},
        {"name": "text", "full": {"n": 30, "mae": 0.03}},
        {"name": "complex", "full": {"n": 29, "mae": 0.9}},
    ]
    work = Work(stage="train", settings={}, inputs={}, digests={}, code="")
    with stage_run(work) as run:
        metrics = project / "metrics.json"
        metrics.write_text(json.dumps({"groups": {"Logo type": lines}}))
        run.log_artifact(metrics, "evaluation")
    errors, model = newest_errors()
    assert errors == {"simple": 0.01, "text": 0.03}
    assert model == f"as run {run.run_id} of `train` found"
    assert main([*QA, "--n-remeasured", "0"]) == 0
    assert newest_finished("qa").metrics["bias.error_ratio_of_types"] == pytest.approx(3)
