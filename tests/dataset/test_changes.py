"""A change log says what changed, and nothing else."""

from pathlib import Path

import pandas as pd
import pytest

from svg_quality.dataset.manifest import read_manifest
from svg_quality.dataset.releases.changes import compare_releases, describe_changes, release_before
from svg_quality.dataset.releases.release import Release, make_release


def release_of(rows: pd.DataFrame, root: Path, version: str, seed: int = 1) -> Release:
    return make_release(rows, root, "logos", version, max_distance=0, seed=seed)


def test_the_first_release_says_so(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    release = release_of(many_rows, tmp_path, "1.0.0")
    text = (release.path / "CHANGES.md").read_text()
    assert "The first release of this name" in text
    assert release.digest in text
    assert read_manifest(release.path)["previous"] is None


def test_every_kind_of_change_is_found_and_counted(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    before = release_of(many_rows, tmp_path, "1.0.0")
    images = many_rows["image_id"].unique()
    changed = many_rows.copy()
    changed.loc[changed["image_id"] == images[7], "logo_type"] = "complex"
    changed.loc[3, "svg_bytes"] += 1
    changed.loc[11, "ssim"] -= 0.01
    changed.loc[17, "ssim"] -= 1e-12  # rounding of another machine: no change
    gone = changed["image_id"] == images[9]
    left = changed[~gone & ~changed["derived_from"].eq(images[9])]
    after = release_of(left, tmp_path, "1.1.0", seed=2)
    found = compare_releases(before.path, after.path)
    assert (found.rows_added, found.rows_removed) == (0, len(many_rows) - len(left))
    assert found.labels_changed == sorted(many_rows.loc[[3, 11], "conversion_id"])
    assert found.types_changed == [images[7]]
    assert images[9] in found.images_removed
    assert found.images_added == []
    assert found.settings_changed == ["`dataset.seed`: `1` → `2`"]
    assert found.versions_changed == []
    split_before = before.images["split"].reindex(after.images.index)
    assert len(found.splits_changed) == (split_before != after.images["split"]).sum() > 0
    back = compare_releases(after.path, before.path)
    assert (back.rows_added, back.rows_removed) == (found.rows_removed, found.rows_added)
    assert back.images_added == found.images_removed
    text = (after.path / "CHANGES.md").read_text()
    for fact in (before.digest, after.digest, "changed label (SSIM or bytes): 2", "Against 1.0.0"):
        assert fact in text
    assert read_manifest(after.path)["previous"] == {
        "version": "1.0.0", "dataset_digest": before.digest,
    }  # fmt: skip


def test_nothing_changed_is_said_as_nothing(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    before = release_of(many_rows, tmp_path, "1.0.0")
    again = release_of(many_rows, tmp_path, "1.0.1")
    found = compare_releases(before.path, again.path)
    assert (found.rows_added, found.rows_removed) == (0, 0)
    for name in ("labels_changed", "images_added", "images_removed", "types_changed",
                 "splits_changed", "settings_changed", "versions_changed"):  # fmt: skip
        assert getattr(found, name) == []
    assert (again.path / "CHANGES.md").read_text().count("None changed.") == 2


def test_the_one_before_is_the_newest_finished(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    assert release_before(tmp_path / "logos") is None
    for version in ("2.0.0", "10.0.0", "1.0.0"):
        last = release_of(many_rows, tmp_path, version)
    hidden = tmp_path / "logos" / ".unfinished-1"
    hidden.mkdir()
    (hidden / "manifest.json").write_text('{"created": "9999", "files": {}}')
    (tmp_path / "logos" / "broken").mkdir()
    (tmp_path / "logos" / "broken" / "manifest.json").write_text("{")
    assert release_before(tmp_path / "logos") == last.path


def test_a_damaged_release_before_does_not_stop_the_next(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    before = release_of(many_rows, tmp_path, "1.0.0")
    (before.path / "conversions.parquet").write_bytes(b"PAR1")
    after = release_of(many_rows, tmp_path, "1.0.1")
    text = (after.path / "CHANGES.md").read_text()
    assert "What changed is not known: a table must be a readable Parquet file" in text


@pytest.mark.parametrize("lock", [None, "{", "[]"])
def test_without_the_old_settings_that_is_said(
    tmp_path: Path, many_rows: pd.DataFrame, lock: str | None
) -> None:
    before = release_of(many_rows, tmp_path, "1.0.0")
    path = before.path / "config_lock.json"
    path.unlink() if lock is None else path.write_text(lock)
    found = compare_releases(before.path, before.path)
    assert found.settings_changed == ["those of the release before are not known"]
    about = {"name": "logos", "version": "2", "dataset_digest": "d"}
    assert "are not known" in describe_changes(about, about, found)
