"""A release: immutable, provable, the same wherever it is made."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from svg_quality.dataset.inspection.marks import Mark
from svg_quality.dataset.manifest import read_manifest
from svg_quality.dataset.releases.release import Release, make_release, read_release
from svg_quality.dataset.releases.release_folder import unfinished_folder
from svg_quality.dataset.tables import conversions_table
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
    shuffled = many_rows.sample(frac=1, random_state=0).assign(trace_ms=99.0)
    assert release_in(tmp_path / "b", shuffled).digest == first.digest
    assert first.version == first.digest[:12]
    changed = many_rows.copy()
    changed.loc[0, "ssim"] -= 0.001
    assert release_in(tmp_path / "c", changed).digest != first.digest
    other_seed = make_release(many_rows, tmp_path / "d", "logos", "auto", max_distance=0, seed=2)
    assert other_seed.digest != first.digest


MAKE = """
import sys
from pathlib import Path
from svg_quality.dataset.releases.release import make_release
rows, root = map(Path, sys.argv[1:])
print(make_release(rows, root, "logos", "auto", max_distance=0, seed=1).digest)
"""


def test_another_process_place_and_order_give_the_same_digest(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    first = release_in(tmp_path / "here", many_rows)
    shuffled = tmp_path / "elsewhere" / "rows.parquet"
    shuffled.parent.mkdir()
    many_rows.sample(frac=1, random_state=7).to_parquet(shuffled)
    surroundings = {"PYTHONHASHSEED": "77", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", MAKE, str(shuffled), "releases"],
        cwd=shuffled.parent, env={**os.environ, **surroundings}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == first.digest


def test_the_same_release_is_given_again_another_is_refused(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    first = release_in(tmp_path, many_rows, "1.0.0")
    before = (first.path / "manifest.json").stat().st_mtime_ns
    assert release_in(tmp_path, many_rows, "1.0.0").digest == first.digest
    assert (first.path / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(DatasetError, match=r"must not change, .* give another version"):
        release_in(tmp_path, many_rows.iloc[:-5], "1.0.0")


def test_a_release_made_again_has_the_counts_of_its_tables(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    first = release_in(tmp_path, many_rows)
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    many_rows.to_parquet(paths[0])
    many_rows.iloc[:7].to_parquet(paths[1])
    again = make_release(paths, tmp_path, "logos", "auto", max_distance=0, seed=1)
    assert (first.made_again, again.path) == (None, first.path)
    assert again.made_again is not None
    assert again.made_again["read"] == len(many_rows) + 7
    assert again.made_again["set_aside"] == {"repeats another row": 7}
    assert read_manifest(first.path)["counts"]["set_aside"] == {}


def test_one_changed_byte_missing_or_added_file_is_found(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    release = release_in(tmp_path, many_rows)
    table = release.path / "conversions.parquet"
    content = table.read_bytes()
    table.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(DatasetError, match=r"conversions\.parquet has changed"):
        read_release(release.path)
    table.write_bytes(content)
    (release.path / "extra.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"extra\.txt is not in the manifest"):
        read_release(release.path)
    (release.path / "extra.txt").unlink()
    (release.path / "images.parquet").unlink()
    with pytest.raises(DatasetError, match=r"images\.parquet is missing"):
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


def test_a_release_is_complete(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    release = release_in(tmp_path, many_rows)
    names = {path.name for path in release.path.iterdir()}
    assert names == {
        "conversions.parquet", "conversions.jsonl", "images.parquet", "set_aside.parquet",
        "balance.json", "config_lock.json", "croissant.json", "DATASHEET.md", "datasheet.html",
        "CHANGES.md", "manifest.json",
    }  # fmt: skip
    manifest = read_manifest(release.path)
    assert manifest["files"].keys() == names - {"manifest.json"}
    assert manifest["sources"]["source"] == {"test": {"rows": len(many_rows), "images": 144}}
    assert manifest["sources"]["logo_type"]["simple"]["images"] == release.images[
        "logo_type"
    ].value_counts()["simple"]  # fmt: skip
    for kind in manifest["sources"].values():
        assert sum(entry["rows"] for entry in kind.values()) == len(many_rows)


def test_the_json_lines_are_the_rows(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    release = release_in(tmp_path, many_rows)
    lines = (release.path / "conversions.jsonl").read_text(encoding="utf-8").splitlines()
    read = [json.loads(line) for line in lines]
    told = release.conversions.astype(object).where(release.conversions.notna(), None)
    assert read == told.to_dict(orient="records")


def test_rows_set_aside_have_their_reason_and_counts_add_up(
    tmp_path: Path, many_rows: pd.DataFrame, make_row: Callable[..., dict[str, Any]]
) -> None:
    figures = ("ssim", "ssim_worst_tile", "mse", "psnr", "svg_bytes", "path_count", "trace_ms",
               "render_ms")  # fmt: skip
    failed = make_row("z", **dict.fromkeys(figures), error='VTracer: no "paths", 1 <= 2')
    rows = pd.concat([many_rows, conversions_table([failed])], ignore_index=True)
    release = release_in(tmp_path, rows)
    counts = read_manifest(release.path)["counts"]
    assert counts["set_aside"] == {"conversion failed": 1}
    assert counts["read"] == len(rows) == counts["conversions"] + 1
    aside = pd.read_parquet(release.path / "set_aside.parquet")
    assert aside["reason"].tolist() == [f"conversion failed: {failed['error']}"]
    assert aside["conversion_id"].tolist() == [failed["conversion_id"]]


def test_several_tables_are_one_dataset(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    many_rows.iloc[:400].to_parquet(paths[0])
    many_rows.iloc[300:].to_parquet(paths[1])  # a hundred rows are in both
    joined = make_release(paths, tmp_path / "x", "logos", "auto", max_distance=0, seed=1)
    assert joined.digest == release_in(tmp_path / "y", many_rows).digest
    assert read_manifest(joined.path)["counts"]["set_aside"] == {"repeats another row": 100}
    assert joined.conversions["conversion_id"].is_unique


def test_an_id_that_two_tables_give_to_unlike_rows_is_kept_once(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    other = many_rows.iloc[:1].assign(path_precision=5)
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    many_rows.to_parquet(paths[0])
    other.to_parquet(paths[1])
    release = make_release(paths, tmp_path, "logos", "auto", max_distance=0, seed=1)
    assert release.conversions["conversion_id"].is_unique
    assert read_manifest(release.path)["counts"]["set_aside"] == {
        "another row has this conversion_id": 1
    }
    swapped = make_release(paths[::-1], tmp_path / "x", "logos", "auto", max_distance=0, seed=1)
    assert swapped.digest == release.digest


def test_repeated_rows_in_any_order_give_the_same_digest(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    again = many_rows.iloc[:50].assign(conversion_id=[f"{n:064x}" for n in range(50)])
    rows = pd.concat([many_rows, again], ignore_index=True)
    first = release_in(tmp_path / "a", rows)
    assert release_in(tmp_path / "b", rows.iloc[::-1]).digest == first.digest
    assert read_manifest(first.path)["counts"]["set_aside"] == {"repeats another row": 50}


def test_rows_without_a_readable_time_are_set_aside_where_time_decides(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    day = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(many_rows.index // 10, "D")
    texts = [time.isoformat() for time in day]
    texts[1], texts[5:10] = "yesterday", [""] * 5  # a row of the first picture, all of its copy
    rows = many_rows.assign(created_at=texts)
    timed = make_release(
        rows, tmp_path, "timed", "auto", max_distance=0, seed=1, split_by="temporal"
    )
    counts = read_manifest(timed.path)["counts"]
    assert counts["set_aside"]["no readable time"] == 6
    assert counts["conversions"] + sum(counts["set_aside"].values()) == len(rows)
    assert timed.images.loc[rows["image_id"].iloc[0], "n"] == 4
    by_image = release_in(tmp_path, rows)
    assert read_manifest(by_image.path)["counts"]["set_aside"] == {}
    with pytest.raises(DatasetError, match=r"every one of 720 .*; most often: no readable time"):
        make_release(
            rows.assign(created_at="-"), tmp_path, "x", "auto", max_distance=0, seed=1,
            split_by="temporal",
        )  # fmt: skip


def test_a_table_without_a_row_to_learn_from_is_refused_with_the_usual_reason(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    rows = many_rows.assign(svg_bytes=None).astype({"svg_bytes": many_rows["svg_bytes"].dtype})
    rows.loc[:2, "ssim_definition"] = "as logged"
    with pytest.raises(
        DatasetError,
        match=r"^a release needs rows that can be learned from, every one of 720 was set aside; "
        r"most often: svg_bytes is missing$",
    ):
        release_in(tmp_path, rows)


def test_more_folds_than_logos_are_refused(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    with pytest.raises(DatasetError, match=r"folds must be at most .*, got 500 for \d+"):
        make_release(many_rows, tmp_path, "x", "auto", max_distance=0, seed=1, n_folds=500)


def test_a_selection_is_counted_not_set_aside(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    release = make_release(
        many_rows, tmp_path, "logos", "auto", max_distance=0, seed=1, target_samples=200
    )
    counts = read_manifest(release.path)["counts"]
    assert (counts["conversions"], counts["set_aside"]) == (len(release.conversions), {})
    assert counts["conversions"] + counts["not_selected"] == len(many_rows)
    assert release.conversions["logo_type"].value_counts().to_dict() == {
        "simple": 60, "text": 50, "gradient": 50, "complex": 40,
    }  # fmt: skip
    assert counts["short_by_type"] == {}


def test_a_selection_says_what_it_is_short_of(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    there = many_rows["logo_type"].value_counts()
    release = make_release(
        many_rows, tmp_path, "logos", "auto", max_distance=0, seed=1, target_samples=720
    )
    quotas = {"simple": 216, "text": 180, "gradient": 180, "complex": 144}
    assert read_manifest(release.path)["counts"]["short_by_type"] == {
        name: quota - there[name] for name, quota in quotas.items() if quota > there[name]
    }
    assert there["simple"] < quotas["simple"]


def test_marks_put_types_right_and_take_pictures_out(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    wrong, bad = many_rows.loc[0, "image_id"], many_rows.loc[100, "image_id"]
    marks = {wrong: Mark("wrong type", "complex"), bad: Mark("reject")}
    release = make_release(
        many_rows, tmp_path, "logos", "auto", max_distance=0, seed=1, marks=marks
    )
    table = release.conversions
    assert set(table.loc[table["image_id"] == wrong, "logo_type"]) == {"complex"}
    assert release.images.loc[wrong, "logo_type"] == "complex"
    assert release.images.loc[release.images["derived_from"] == wrong, "logo_type"].tolist() == [
        "complex"
    ]
    taken_out = many_rows[(many_rows[["image_id", "derived_from"]] == bad).any(axis=1)]
    assert not table["conversion_id"].isin(taken_out["conversion_id"]).any()
    assert read_manifest(release.path)["counts"]["set_aside"] == {
        "rejected at an inspection": len(taken_out)
    }


def test_folds_and_splits_go_with_the_rows(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    release = make_release(many_rows, tmp_path, "logos", "auto", max_distance=0, seed=1, n_folds=4)
    table, images = release.conversions, release.images
    for name in ("split", "fold", "group"):
        assert images.groupby("group")[name].nunique().max() == 1
    for name in ("split", "fold"):
        assert (table[name].to_numpy() == images.loc[table["image_id"], name].to_numpy()).all()
    assert sorted(table["fold"].unique()) == [-1, 0, 1, 2, 3]
    assert set(table.loc[table["fold"] == -1, "split"]) == {"test"}


def test_a_split_in_time_leaks_nothing(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    day = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(many_rows.index // 10, "D")
    texts = [time.isoformat() for time in day]
    texts[0] = day[0].tz_convert("Asia/Tokyo").isoformat()  # the same moment, told otherwise
    rows = many_rows.assign(created_at=texts)
    release = make_release(
        rows, tmp_path, "logos", "auto", max_distance=0, seed=1, split_by="temporal"
    )
    first = release.images.loc[rows["image_id"].iloc[0]]
    moment = "2026-01-01T00:00:00.000+00:00"
    assert (first["first_created"], first["last_created"]) == (moment, moment)
    ends = release.images.groupby("split")[["first_created", "last_created"]].agg(["min", "max"])
    assert ends.loc["train"].max() < ends.loc["validation"].min()
    assert ends.loc["validation"].max() < ends.loc["test"].min()
    counts = read_manifest(release.path)["counts"]
    assert counts["conversions"] + sum(counts["set_aside"].values()) == len(rows)
    assert (release.conversions["split"].notna()).all()


KILLED = """
import os, signal, sys
from pathlib import Path
from svg_quality.dataset.releases.release import make_release
rows, root = map(Path, sys.argv[1:])
kill = lambda n_rows: os.kill(os.getpid(), signal.SIGKILL)
make_release(rows, root, "logos", "1.0.0", max_distance=0, seed=1, passed=kill)
"""


def test_a_killed_run_leaves_nothing_to_see(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    path = tmp_path / "rows.parquet"
    many_rows.to_parquet(path)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(tmp_path / "releases")])
    assert done.returncode == -signal.SIGKILL
    place = tmp_path / "releases" / "logos"
    assert {x.name for x in place.iterdir() if not x.name.startswith(".")} == set()
    assert len(list(place.glob(".unfinished-*"))) == 1
    release = release_in(tmp_path / "releases", many_rows, "1.0.0")
    assert list(place.glob(".unfinished-*")) == []
    assert read_release(release.path).digest == release.digest


def test_an_error_leaves_nothing(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    bad = many_rows.assign(complexity=2.0)
    with pytest.raises(DatasetError, match=r"row 0, complexity: .*2\.0"):
        release_in(tmp_path, bad)
    assert {path.name for path in (tmp_path / "logos").iterdir()} <= {".lock"}


def test_two_at_once_make_one_release(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    path = tmp_path / "rows.parquet"
    many_rows.to_parquet(path)
    command = [sys.executable, "-c", MAKE, str(path), str(tmp_path / "releases")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    digests = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(digests) == 1
    shown = [x for x in (tmp_path / "releases/logos").iterdir() if not x.name.startswith(".")]
    assert len(shown) == 1


def test_waits_for_another_only_so_long(tmp_path: Path) -> None:
    with (
        unfinished_folder(tmp_path),
        pytest.raises(DatasetError, match="one process at a time"),
        unfinished_folder(tmp_path, patience_s=0.05),
    ):
        raise AssertionError("two at once")


def test_a_quality_report_is_part_of_it_and_its_verdict_is_said(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    def assure(folder: Path) -> bool:
        table = pd.read_parquet(folder / "conversions.parquet")
        (folder / "qa_report.json").write_text(json.dumps({"rows": len(table)}))
        return False

    release = make_release(
        many_rows, tmp_path, "logos", "auto", max_distance=0, seed=1, assure=assure
    )
    manifest = read_manifest(release.path)
    assert manifest["quality"] == {"passed": False}
    assert "qa_report.json" in manifest["files"]
    assert "found faults" in (release.path / "datasheet.html").read_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: rows.drop(columns="format"), "number 1 lacks format"),
        (lambda rows: rows.assign(extra=1), "number 1 also has extra"),
        (lambda rows: rows.iloc[:0], "must hold rows, number 1 holds none"),
        (lambda rows: pd.concat([rows, rows.iloc[:1]]), "a conversion once, number 1 does not"),
    ],
)
def test_what_is_no_table_of_conversions_is_refused_in_one_sentence(
    tmp_path: Path,
    many_rows: pd.DataFrame,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    sentence: str,
) -> None:
    with pytest.raises(DatasetError, match=sentence):
        release_in(tmp_path, change(many_rows))


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_text("ssim\n0.5\n")
    with pytest.raises(DatasetError, match=re.escape(f"a readable Parquet file, {path}")):
        make_release(path, tmp_path, "logos", "auto", max_distance=0, seed=1)
    with pytest.raises(DatasetError, match="at least one table, got none"):
        make_release([], tmp_path, "logos", "auto", max_distance=0, seed=1)
