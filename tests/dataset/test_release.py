"""A release: immutable, provable, the same wherever it is made."""

import json
from pathlib import Path

import pandas as pd
import pytest

from svg_quality.dataset.release import Release, dataset_digest, make_release, read_release
from svg_quality.errors import DatasetError


def release_in(root: Path, rows: pd.DataFrame, version: str = "auto") -> Release:
    return make_release(rows, root, "logos", version, max_distance=0, seed=1)


def test_no_logo_is_in_two_splits_and_no_row_is_lost(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    release = release_in(tmp_path, many_rows)
    table = release.conversions
    assert len(table) == len(many_rows)
    assert (table.groupby("image_id")["split"].nunique() == 1).all()
    copies = release.images[release.images["derived_from"].notna()]
    assert len(copies) == 24
    originals = release.images.loc[copies["derived_from"], "split"].to_numpy()
    assert (copies["split"].to_numpy() == originals).all()
    assert sum(len(release.rows(split)) for split in ("train", "validation", "test")) == len(table)


def test_the_digest_is_of_the_content(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    first = release_in(tmp_path / "a", many_rows)
    shuffled = many_rows.sample(frac=1, random_state=0).assign(trace_ms=99.0, created_at="later")
    assert release_in(tmp_path / "b", shuffled).digest == first.digest
    assert first.version == first.digest[:12]
    changed = many_rows.copy()
    changed.loc[0, "ssim"] -= 0.001
    assert release_in(tmp_path / "c", changed).digest != first.digest


def test_rounding_noise_of_another_processor_does_not_count(many_rows: pd.DataFrame) -> None:
    table = many_rows.assign(split="train", ssim=many_rows["ssim"].round(6))
    assert dataset_digest(table) == dataset_digest(table.assign(ssim=table["ssim"] + 1e-12))


def test_the_same_release_is_given_again_another_is_refused(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    first = release_in(tmp_path, many_rows, "1.0.0")
    before = (first.path / "manifest.json").stat().st_mtime_ns
    assert release_in(tmp_path, many_rows, "1.0.0").digest == first.digest
    assert (first.path / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(DatasetError, match=r"must not change, .* give another version"):
        release_in(tmp_path, many_rows.iloc[:-5], "1.0.0")


def test_one_changed_byte_missing_or_added_file_is_found(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    release = release_in(tmp_path, many_rows)
    table = release.path / "conversions.parquet"
    content = table.read_bytes()
    table.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(DatasetError, match=r"conversions\.parquet is not"):
        read_release(release.path)
    table.write_bytes(content)
    (release.path / "extra.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"extra\.txt is not"):
        read_release(release.path)
    (release.path / "extra.txt").unlink()
    (release.path / "images.parquet").unlink()
    with pytest.raises(DatasetError, match=r"images\.parquet is not"):
        read_release(release.path)


def test_the_manifest_counts_what_is_there(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    release = release_in(tmp_path, many_rows)
    counts = json.loads((release.path / "manifest.json").read_text())["counts"]
    assert counts["conversions"] == len(many_rows) == sum(counts["conversions_by_split"].values())
    assert counts["images"] == 144 == sum(counts["images_by_split"].values())
    assert counts["groups"] == 120


def test_refuses_to_guess_between_two_working_sizes(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    assert release_in(tmp_path / "a", many_rows).working_size == 512
    mixed = many_rows.assign(working_size=[256] + [512] * (len(many_rows) - 1))
    with pytest.raises(DatasetError, match=r"one working size, .* has \[256, 512\]"):
        _ = release_in(tmp_path / "b", mixed).working_size


def test_refuses_a_folder_that_is_no_release_and_a_split_that_is_none(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    with pytest.raises(DatasetError, match="must have a manifest"):
        read_release(tmp_path)
    with pytest.raises(DatasetError, match="must be one of train, validation, test, got 'dev'"):
        release_in(tmp_path, many_rows).rows("dev")
