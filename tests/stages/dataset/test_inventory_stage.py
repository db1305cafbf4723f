"""`inventory` and `convert --fill-gaps` on real conversions, in a project of its own."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from svg_quality.cli import main
from svg_quality.conversion.parameters import PRESETS
from svg_quality.settings import ConvertSettings, Settings
from svg_quality.stages.dataset.convert import CONVERT
from svg_quality.stages.dataset.filling import fill_command, filled_before, recommendation_digest
from svg_quality.stages.dataset.inventory import INVENTORY
from svg_quality.stages.pipeline import reuse_or_run
from svg_quality.tracking.lookup import FinishedRun, newest_finished
from svg_quality.tracking.store import open_store

N_RECOMMENDED = 32  # each of eight pictures may get its four rows again
Enter = Callable[[Path, pytest.MonkeyPatch], None]
Draw = Callable[[Path, int], None]


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Path], draw_logos: Draw) -> Path:
    """A checkout with eight small logos, two of each type."""
    folder = new_project()
    draw_logos(folder, 8)
    return folder


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


def convert(*more: str) -> int:
    return main([
        "convert", "--logos", "logos", "--excluded", "", "--max-logos", "0", "--jpeg-share", "0",
        "--sets-per-image", "4", "--n-workers", "1", *more,
    ])  # fmt: skip


def table() -> pd.DataFrame:
    return pd.read_parquet(newest_finished("convert").artifact("conversions.parquet"))


def report(project: Path) -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = json.loads(
        (project / "reports" / "dataset_analysis_report.json").read_text()
    )
    return told


def test_gaps_shrink_round_by_round(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole journey, since each step stands on the one before it."""
    # Without an inventory there is nothing to follow: one sentence, and no run is begun.
    assert convert("--fill-gaps") == 2
    said = capsys.readouterr().err
    assert "`convert --fill-gaps` needs a finished `inventory` run" in said
    assert said.count("\n") == 1

    assert convert() == 0
    first_run = newest_finished("convert")
    first = table()
    assert len(first) == 8 * len(PRESETS)
    assert main(["inventory", "--n-recommended", str(N_RECOMMENDED)]) == 0
    before = report(project)
    said = capsys.readouterr().out
    assert f"next: {N_RECOMMENDED} conversions of 8 images fill" in said
    assert "svg-quality convert --fill-gaps --excluded '' --jpeg-share 0.0 --logos logos" in said
    assert before["recommendation"]["conversions"] == N_RECOMMENDED

    assert convert("--fill-gaps") == 0
    said = capsys.readouterr().out
    assert f"{N_RECOMMENDED} conversions join the campaign" in said
    assert "0 are of pictures that are not in it" in said
    second = table()
    assert len(second) == len(first) + N_RECOMMENDED
    assert set(first["conversion_id"]) < set(second["conversion_id"])
    run = newest_finished("convert")
    assert run.fingerprint != first_run.fingerprint
    inventory = newest_finished("inventory")
    assert run.tags["input.inventory"] == inventory.run_id
    assert run.tags["input.recommendation.digest"] == inventory.output_digest

    assert main(["inventory", "--n-recommended", str(N_RECOMMENDED)]) == 0
    after = report(project)
    n_filled = before["gaps"]["empty_pair_cells"] - after["gaps"]["empty_pair_cells"]
    n_failed = int(second["error"].notna().sum())
    assert n_failed == 0
    assert n_filled == before["recommendation"]["empty_cells_filled"] > 0
    assert after["recommendation"]["filled_before"] == N_RECOMMENDED
    share = "share_of_pair_cells"
    assert before["coverage"][share] < after["coverage"][share]

    # A third round adds to the second, and takes nothing back.
    assert convert("--fill-gaps") == 0
    third = table()
    assert set(second["conversion_id"]) < set(third["conversion_id"])
    assert len(third) == len(second) + after["recommendation"]["conversions"]


def test_the_recommendation_is_an_artifact_and_the_output(project: Path) -> None:
    run = newest_finished("inventory")
    recommendation = json.loads(run.artifact("recommendation.json").read_text())
    assert run.output_digest == recommendation_digest(recommendation)
    assert run.output_digest == recommendation_digest(recommendation[::-1])
    assert run.output_digest != recommendation_digest(recommendation[1:])
    assert all(each["why"] for each in recommendation)
    names = {item.path for item in open_store().client.list_artifacts(run.run_id)}
    assert {"dataset_analysis_report.json", "dataset_analysis_report.html",
            "recommendation.json"} <= names  # fmt: skip
    page = (project / "reports" / "dataset_analysis_report.html").read_text()
    assert page == run.artifact("dataset_analysis_report.html").read_text()
    dataset = open_store().client.get_run(run.run_id).inputs.dataset_inputs[0].dataset
    assert dataset.name == "convert"


def test_a_finished_filling_is_used_again() -> None:
    settings = Settings(
        convert=ConvertSettings(
            logos="logos", jpeg_share=0, sets_per_image=4, n_workers=1, fill_gaps=True
        )
    )
    done = reuse_or_run(CONVERT, settings, None)
    assert done.run_id == newest_finished("convert").run_id


def test_a_recommendation_for_other_pictures_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert convert("--fill-gaps", "--max-logos", "2") == 0
    said = capsys.readouterr().out
    n_joined = int(said.split(" conversions join")[0].split()[-1])
    n_elsewhere = int(said.split(" are of pictures")[0].split()[-1])
    inventory = newest_finished("inventory")
    recommendation = json.loads(inventory.artifact("recommendation.json").read_text())
    assert n_joined + n_elsewhere == len(recommendation)
    assert min(n_joined, n_elsewhere) > 0
    assert "--max-logos 2" in fill_command(newest_finished("convert"), Settings())


def test_a_recommendation_for_other_pictures_only_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = project / "others" / "simple"
    others.mkdir(parents=True)
    Image.linear_gradient("L").convert("RGB").save(others / "other.png")
    command = report(project)["recommendation"]["command"]
    log = project / "data" / "conversions" / "log.jsonl"
    before = log.read_bytes()
    assert convert("--fill-gaps", "--logos", "others") == 2
    said = capsys.readouterr().err
    assert f"conversions that it recommends are of others: {command}" in said
    assert sum("filling gaps needs the pictures of inventory" in x for x in said.splitlines()) == 1
    assert log.read_bytes() == before


def test_an_inventory_of_another_table_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = newest_finished("inventory").run_id
    assert main(["inventory", "--input-run", wrong]) == 2
    assert "`inventory` needs a run of `convert` or `augment`" in capsys.readouterr().err
    from_stages = [*INVENTORY.after, *INVENTORY.accepts]
    assert [stage.name for stage in from_stages] == ["convert", "augment", "collect"]


def a_run(stage: str, tags: dict[str, str], params: dict[str, str]) -> FinishedRun:
    return FinishedRun("id", stage, tags, params, {}, artifact_uri="", ended=0)


def test_a_table_knows_what_was_filled_before_it_was_augmented() -> None:
    convert_run = newest_finished("convert")
    augmented = a_run("augment", {"input.convert": convert_run.run_id}, {})
    filled = filled_before(augmented)
    assert filled == filled_before(convert_run)
    assert {each["image_id"] for each in filled} <= set(table()["image_id"])
    assert fill_command(augmented, Settings()) == fill_command(convert_run, Settings())


def test_gaps_of_a_collected_table_are_filled_from_its_pictures() -> None:
    collected = a_run("collect", {}, {"settings.images": "some logos", "settings.logs": "x"})
    assert filled_before(collected) == []
    command = fill_command(collected, Settings())
    assert command == "svg-quality convert --fill-gaps --logos 'some logos'"
