"""`dataset` in a project of its own: what it releases, says, keeps and refuses."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from svg_quality.cli import main
from svg_quality.dataset.inspection.marks import Mark, write_marks
from svg_quality.dataset.manifest import read_manifest
from svg_quality.dataset.releases.release import read_release
from svg_quality.settings import load_settings
from svg_quality.stages.dataset.dataset import DATASET, collected_runs
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import FinishedRun, find_reusable, newest_finished
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import open_store

PLAIN = ["dataset", "--max-distance", "0", "--no-upload"]
Enter = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def project(new_converted: Callable[[int], Path]) -> Path:
    """A checkout with the conversions of 24 small logos, six of each type."""
    return new_converted(24)


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


def conversions() -> pd.DataFrame:
    return pd.read_parquet(newest_finished("convert").artifact("conversions.parquet"))


def collected(tmp_path: Path, rows: pd.DataFrame, digest: str) -> FinishedRun:
    """A finished run of `collect` with these rows."""
    path = tmp_path / "conversions.parquet"
    rows.to_parquet(path, index=False)
    with stage_run(Work(stage="collect", settings={})) as run:
        run.log_artifact(path)
        run.set_output(digest)
    return newest_finished("collect")


def test_a_release_with_all_that_belongs_to_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PLAIN, "--version", "1.0.0"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("dataset ")]
    assert re.match(r"dataset    \w+ 1\.0\.0: 96 of 96 conversions, of 24 images", said[0])
    assert "svg-quality extract" in said[-1]
    run = newest_finished("dataset")
    release = read_release(run.output_path)
    assert (run.output_digest, release.version) == (release.digest, "1.0.0")
    assert (release.path / "qa_report.html").is_file()
    assert read_manifest(release.path)["quality"]["passed"] in (True, False)
    assert run.metrics["share_valid"] == 1
    assert run.tags["input.convert"] == newest_finished("convert").run_id
    for name in ("manifest.json", "config_lock.json", "datasheet.html", "CHANGES.md"):
        assert run.artifact(name).read_bytes() == (release.path / name).read_bytes()
    inputs = open_store().client.get_run(run.run_id).inputs.dataset_inputs
    assert {x.dataset.name for x in inputs} == {"conversions.convert", release.name}


def test_the_lock_names_settings_and_inputs(project: Path) -> None:
    assert main([*PLAIN, "--no-quality", "--seed", "5"]) == 0
    run = newest_finished("dataset")
    lock = json.loads(run.artifact("config_lock.json").read_text())
    source = newest_finished("convert")
    held = json.loads(source.artifact("settings.json").read_text())
    assert held["sets_per_image"] == 4  # as the run had it, not as the YAML says
    assert lock["inputs"] == [
        {
            "stage": "convert", "run_id": source.run_id, "digest": source.output_digest,
            "settings": held,
        }
    ]  # fmt: skip
    assert lock["seed"] == lock["settings"]["dataset"]["seed"] == 5
    assert lock["settings"].keys() == {"dataset"}
    assert read_manifest(run.output_path)["previous"]["version"] == "1.0.0"


def test_another_dataset_under_a_used_version_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*PLAIN, "--no-quality", "--version", "2.0.0"]) == 0
    assert main([*PLAIN, "--no-quality", "--version", "2.0.0"]) == 0
    said = capsys.readouterr().out
    assert (
        "the same dataset was released before as 2.0.0: that release is used;"
        " this run read 96 rows, 96 kept, 0 set aside\n"
    ) in said
    assert main([*PLAIN, "--no-quality", "--version", "2.0.0", "--seed", "9"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(r"a release must not change, .*2\.0\.0 .*: give another version", said)


def test_a_release_without_a_quality_report_stays_so_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*PLAIN, "--no-quality", "--version", "3.0.0"]) == 0
    capsys.readouterr()
    assert main([*PLAIN, "--version", "3.0.0"]) == 0
    assert "without a quality report, and stays so" in capsys.readouterr().out


def test_a_selection_by_the_names_that_the_issue_gives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = "--version 4.0.0 --target-samples 40 --seed 42 --no-upload --no-quality"
    assert main(["dataset", "--max-distance", "0", *options.split()]) == 0
    assert "40 of 96 conversions" in (said := capsys.readouterr().out)
    assert "56 not selected" in said
    table = read_release(newest_finished("dataset").output_path).conversions
    assert table["logo_type"].value_counts().to_dict() == {
        "simple": 12, "text": 10, "gradient": 10, "complex": 8,
    }  # fmt: skip


def test_marks_are_honoured_and_make_it_another_dataset(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = DATASET.own_digests(load_settings(project / "experiments/demo.yaml"))
    bad = conversions()["image_id"].iloc[0]
    path = project / "data" / "marks.json"
    write_marks(path, {bad: Mark("reject")})
    try:
        assert DATASET.own_digests(load_settings(project / "experiments/demo.yaml")) != before
        assert main([*PLAIN, "--no-quality"]) == 0
    finally:
        path.unlink()
    said = capsys.readouterr().out
    assert "4 set aside: rejected at an inspection" in said
    assert (
        "1 marks of data/marks.json: pictures rejected 1, types changed 0;"
        " marks of pictures that are not there 0"
    ) in said
    release = read_release(newest_finished("dataset").output_path)
    assert bad not in release.images.index


def test_rows_of_collect_join(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = conversions()
    more = rows.iloc[:10].assign(
        conversion_id=[f"{n:064x}" for n in range(10)], method="collected",
        path_precision=rows["path_precision"].iloc[:10] + 1,
    )  # fmt: skip
    run = collected(tmp_path, pd.concat([more, rows.iloc[50:53]]), "a" * 64)
    assert [x.run_id for x in collected_runs(f" {run.run_id},")] == [run.run_id]
    assert main([*PLAIN, "--no-quality", "--collected", "newest"]) == 0
    said = capsys.readouterr().out
    assert "106 of 109 conversions" in said
    assert "3 set aside: repeats another row" in said
    made = newest_finished("dataset")
    manifest = read_manifest(made.output_path)
    assert manifest["sources"]["method"]["collected"]["rows"] == 10
    assert [x["stage"] for x in json.loads(made.artifact("config_lock.json").read_text())[
        "inputs"]] == ["convert", "collect"]  # fmt: skip
    settings = load_settings(
        Path("experiments/demo.yaml"), {"dataset": {"collected": "newest"}}
    )  # fmt: skip
    first = DATASET.own_digests(settings)
    collected(tmp_path, more, "b" * 64)
    assert DATASET.own_digests(settings) != first


def test_a_run_that_is_no_collection_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    source = newest_finished("convert").run_id
    assert main([*PLAIN, "--no-quality", "--collected", source]) == 2
    assert f"`dataset` needs a run of `collect`, and {source}" in capsys.readouterr().err


def test_a_faulty_quality_report_is_said_but_stops_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = project / "data" / "logos"
    library.rename(project / "elsewhere")  # no picture can be measured again
    try:
        assert main([*PLAIN, "--version", "5.0.0"]) == 0
    finally:
        shutil.rmtree(library, ignore_errors=True)
        (project / "elsewhere").rename(library)
    said = capsys.readouterr().out
    run = newest_finished("dataset")
    assert read_manifest(run.output_path)["quality"] == {"passed": False}
    assert "its quality report found faults" in said
    assert find_reusable(run.fingerprint) is not None


def test_an_upload_goes_to_the_storage_and_can_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["dataset", "--max-distance", "0", "--no-quality", "--version", "6.0.0"]
    assert main([*command, "--to", str(tmp_path / "storage")]) == 0
    said = capsys.readouterr().out
    release = read_release(newest_finished("dataset").output_path)
    there = tmp_path / "storage" / "releases" / release.name / "6.0.0"
    assert f"uploaded to {there}" in said
    assert read_release(there).digest == release.digest


def test_marks_that_were_asked_for_must_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAIN, "--no-quality", "--marks", "mine.json"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(r"marks must be in a file that exists, .*mine\.json does not", said)


def test_too_few_rows_for_the_balance_asked_for_are_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*PLAIN, "--no-quality", "--target-samples", "90"]) == 0
    assert (  # 27, 23, 22 and 18 of 24 each
        "warning: short of the 90 asked for by 3: simple 3\n"
    ) in capsys.readouterr().out


def test_a_release_made_again_says_what_this_run_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*PLAIN, "--no-quality", "--seed", "77"]
    assert main(command) == 0
    version = read_release(newest_finished("dataset").output_path).version
    collected(tmp_path, conversions().iloc[:5], "c" * 64)
    capsys.readouterr()
    assert main([*command, "--collected", "newest"]) == 0
    assert (
        f"released before as {version}: that release is used; this run read 101 rows, 96 kept,"
        " 5 set aside (5 repeats another row)"
    ) in capsys.readouterr().out
    assert newest_finished("dataset").metrics["set_aside"] == 5


def test_a_split_in_time_that_sets_most_aside_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures measured once and then all again, as a round of `convert --fill-gaps` does."""
    rows = conversions()
    order = {image_id: place for place, image_id in enumerate(rows["image_id"].unique())}
    place = rows["image_id"].map(order)
    again = (place % 4 > 0) & (rows.groupby("image_id").cumcount() > 1)
    days = pd.to_timedelta(place + again * 100, "D")
    times = [(pd.Timestamp("2026-01-01", tz="UTC") + day).isoformat() for day in days]
    run = collected(tmp_path, rows.assign(created_at=times), "d" * 64)
    command = [*PLAIN, "--no-quality", "--split-by", "temporal", "--input-run", run.run_id]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert re.search(r"warning: the cuts in time set aside \d+ of 96 rows; .*--fill-gaps", said)


def test_a_quality_report_of_other_limits_is_another_work(project: Path, tmp_path: Path) -> None:
    def digests(**settings: dict[str, object]) -> dict[str, str]:
        return dict(DATASET.own_digests(load_settings(project / "experiments/demo.yaml", settings)))

    limits = tmp_path / "limits.yaml"
    limits.write_text("{}")
    plain = digests()
    assert digests(qa={"n_workers": 3}) == digests(qa={"thresholds": str(limits)}) == plain
    assert digests(qa={"n_remeasured": 3}) != plain
    limits.write_text("quality: {wrong_pictures: {at_most: 7, severity: fail}}")
    assert digests(qa={"thresholds": str(limits)}) != plain
    without = digests(dataset={"quality": False})
    assert digests(dataset={"quality": False}, qa={"n_remeasured": 3}) == without
    assert {"dataset/assurance", "dataset/manifest.py"} <= set(DATASET.code)


def test_an_inspection_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--share", "0"]) == 2
    assert "share" in capsys.readouterr().err
