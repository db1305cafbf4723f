"""`augment` on real logos, in a project of its own: what it adds, and what it leaves alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svg_quality.cli import main
from svg_quality.conversion.images import load_image
from svg_quality.dataset.campaign import ConversionLog
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.logos import choose_logos, discover_logos
from svg_quality.dataset.splits.split import assign_splits, near_duplicate_groups
from svg_quality.dataset.tables import check_conversions
from svg_quality.tracking.lookup import FinishedRun, finished_run, newest_finished

pytestmark = pytest.mark.slow
TARGET = 330
Enter = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Path], enter: Enter) -> Path:
    """Fifty logos, of which `convert` may see all but five and takes 24."""
    folder = new_project()
    source = folder / "logos"
    source.mkdir()
    chosen = choose_logos(discover_logos("diagrams"), frozenset(), 50, 7)
    for number, logo in enumerate(chosen):
        shutil.copy(logo.path, source / f"{number:02}.png")
    (folder / "excluded.txt").write_text("".join(f"{n:02}.png\n" for n in range(5)))
    (folder / "experiments" / "demo.yaml").write_text(
        f"convert:\n  logos: {source}\n  excluded: excluded.txt\n  max_logos: 24\n"
        "  sets_per_image: 6\n  n_workers: 2\naugment:\n  n_workers: 2\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        assert main(["convert"]) == 0
        assert main(["augment", "--target-samples", str(TARGET)]) == 0
    return folder


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


def table(stage: str) -> pd.DataFrame:
    return check_conversions(pd.read_parquet(run_of(stage).artifact("conversions.parquet")))


def run_of(stage: str) -> FinishedRun:
    return newest_finished(stage, needed_by="this test")


def report() -> dict:
    return json.loads(run_of("augment").artifact("augmentation.json").read_text())


def test_what_was_there_is_there_and_the_new_rows_add_up(project: Path) -> None:
    before, after = table("convert"), table("augment")
    pd.testing.assert_frame_equal(after.iloc[: len(before)], before)
    steps = report()["steps"]
    assert len(after) - len(before) == sum(step["rows"] for step in steps.values())
    assert all(step["rows"] > 0 for step in steps.values())
    new = after.iloc[len(before) :]
    assert steps["synthetic"]["rows"] == new["synthetic"].sum()
    logged = {row["conversion_id"] for row in ConversionLog(
        project / "data" / "conversions" / "log.jsonl").rows()}  # fmt: skip
    assert set(new["conversion_id"]) <= logged


def test_new_real_logos_are_of_the_source_and_none_is_an_excluded_one() -> None:
    after = table("augment")
    real = after.loc[~after["synthetic"], "source"]
    assert real.str.fullmatch(r"logos/\d\d\.png").all()
    assert not set(real) & {f"logos/{n:02}.png" for n in range(5)}
    added = after[~after["image_id"].isin(table("convert")["image_id"]) & ~after["synthetic"]]
    short = {k for k, e in report()["before"]["table"]["types"].items() if e["deficit"]}
    assert set(added["logo_type"]) <= short


def test_synthetic_logos_are_marked_kept_and_under_their_share(project: Path) -> None:
    after = table("augment")
    drawn = after[after["synthetic"]]
    assert (
        drawn["source"].str.fullmatch(r"synthetic/42/(simple|text|gradient|complex)-\d+.svg").all()
    )
    assert not drawn["logo_type_estimated"].any()
    assert (drawn["source"].str.extract(r"/(\w+)-\d+")[0] == drawn["logo_type"]).all()
    library = LogoLibrary(project / "data" / "logos")
    for image_id, path in drawn.groupby("image_id")["image_path"].first().items():
        assert load_image(library.path(path), 512).image_id == image_id
    selected = report()["after"]["selected"]
    assert len(drawn) <= 0.2 * selected["rows"]


def test_types_come_nearer_to_their_targets_and_realism_is_told() -> None:
    told = report()
    assert told["after"]["selected"]["missing"] < told["before"]["selected"]["missing"]
    metrics = run_of("augment").metrics
    assert metrics["missing"] == told["after"]["selected"]["missing"]
    realism = told["realism"]["all"]
    assert "error" in realism or 0 <= realism["low"] <= realism["auc"] <= realism["high"] <= 1


def test_done_again_it_gives_the_same_table(project: Path) -> None:
    first = run_of("augment")
    lines = (project / "data" / "conversions" / "log.jsonl").read_text().count("\n")
    assert main(["augment", "--target-samples", str(TARGET)]) == 0
    again = run_of("augment")
    assert again.run_id != first.run_id
    assert again.output_digest == first.output_digest
    assert (project / "data" / "conversions" / "log.jsonl").read_text().count("\n") == lines
    assert finished_run(first.run_id).tags["input.convert"] == run_of("convert").run_id


def test_a_split_of_the_table_keeps_synthetic_logos_in_training() -> None:
    by_image = table("augment").dropna(subset=["ssim"]).groupby("image_id")
    columns = ["logo_type", "perceptual_hash", "derived_from", "synthetic"]
    images = by_image[columns].first().assign(mean_ssim=by_image["ssim"].mean())
    images["group"] = near_duplicate_groups(images, 6)
    splits = assign_splits(images, 42)
    assert set(splits[images["synthetic"]]) == {"train"}
    assert np.count_nonzero(splits == "test") > 0
