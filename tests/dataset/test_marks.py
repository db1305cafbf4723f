"""Marks survive their file, refuse what cannot be, and do to a table what they say."""

import json
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.inspection.marks import (
    Mark,
    apply_marks,
    change_mark,
    marks_digest,
    read_marks,
    rejected,
    write_marks,
)
from svg_quality.dataset.logos import LOGO_TYPES
from svg_quality.dataset.tables import check_conversions, conversions_table
from svg_quality.errors import DatasetError

Row = Callable[..., dict[str, Any]]

image_ids = st.text("0123456789abcdef", min_size=64, max_size=64)
verdicts = st.one_of(
    st.tuples(st.sampled_from(["accept", "reject"]), st.none()),
    st.tuples(st.just("wrong type"), st.sampled_from(LOGO_TYPES)),
)
marks_of_one = st.builds(
    lambda pair, original, at: Mark(*pair, original, at.isoformat()),
    verdicts,
    st.none() | image_ids,
    st.datetimes(min_value=datetime(2000, 1, 1)),
)


@given(st.dictionaries(image_ids, marks_of_one, max_size=6))
def test_marks_survive_their_file(marks: dict[str, Mark]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "marks.json"
        write_marks(path, marks)
        assert read_marks(path) == marks
        assert [file.name for file in path.parent.iterdir()] == ["marks.json"]


def test_the_file_is_as_documented(tmp_path: Path) -> None:
    at = "2026-11-21T10:00:00.000+00:00"
    path = tmp_path / "marks.json"
    write_marks(path, {"a" * 64: Mark("wrong type", "text", at=at)})
    assert json.loads(path.read_text()) == {
        "version": 1,
        "marks": {
            "a" * 64: {
                "verdict": "wrong type", "logo_type": "text", "derived_from": None, "at": at,
            }
        },
    }  # fmt: skip


def test_no_file_is_no_marks(tmp_path: Path) -> None:
    assert read_marks(tmp_path / "marks.json") == {}


def test_a_mark_without_a_time_is_of_now() -> None:
    age = datetime.now().astimezone() - datetime.fromisoformat(Mark("accept").at)
    assert abs(age.total_seconds()) < 60


GOOD = {"verdict": "accept", "logo_type": None, "at": "2026-11-21T10:00:00Z"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "marks must be a readable JSON file"),
        ("[" * 100_000, "marks must be a readable JSON file"),
        ("[]", "marks must be an object with version 1 and marks"),
        ({"version": 2, "marks": {}}, "marks must be an object with version 1 and marks"),
        ({"version": 1, "marks": []}, "marks must be an object with version 1 and marks"),
        ({"a" * 63: GOOD}, "image_id must be 64 hexadecimal digits, got 'aaa"),
        ({"a" * 64: GOOD | {"verdict": "maybe"}}, "must be one of accept, .*, got 'maybe'"),
        ({"a" * 64: GOOD | {"verdict": "wrong type", "logo_type": "sign"}}, "got 'sign'"),
        (
            {"a" * 64: GOOD | {"verdict": "wrong type"}},
            "must name the right type; got 'wrong type'",
        ),
        ({"a" * 64: GOOD | {"logo_type": "text"}}, "and no other, must name the right type"),
        ({"a" * 64: GOOD | {"verdict": 3}}, "must hold text or null"),
        ({"a" * 64: GOOD | {"at": "yesterday"}}, "must be in ISO 8601, got 'yesterday'"),
        ({"a" * 64: GOOD | {"at": ""}}, "must be in ISO 8601, got ''"),
        ({"a" * 64: GOOD | {"derived_from": "b"}}, "64 hexadecimal digits, got 'b'"),
        (
            {"a" * 64: GOOD | {"by": "me"}},
            "must have a verdict, may have logo_type, derived_from, at,",
        ),
        ({"a" * 64: {"at": GOOD["at"]}}, "a mark must have a verdict, may have logo_type"),
        ({"a" * 64: "accept"}, "a mark must have a verdict, may have logo_type"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    if isinstance(content, dict) and "version" not in content:
        content = {"version": 1, "marks": content}
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DatasetError, match=said) as caught:
        read_marks(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_null_may_be_left_out_and_is_kept_as_unknown(tmp_path: Path) -> None:
    path, a, b = tmp_path / "marks.json", "a" * 64, "b" * 64
    nulls = dict.fromkeys(("logo_type", "derived_from", "at"))
    for optional in ({}, nulls):
        path.write_text(json.dumps({"version": 1, "marks": {a: {"verdict": "reject", **optional}}}))
        marks = read_marks(path)
        assert marks == {a: Mark("reject", at=None)}
        change_mark(path, b, Mark("accept"))
        assert json.loads(path.read_text())["marks"][a] == {"verdict": "reject", **nulls}


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="marks must have a file to go to"):
        write_marks(tmp_path / "file" / "marks.json", {})
    with pytest.raises(DatasetError, match="marks must have a file to go to"):
        change_mark(tmp_path / "file" / "marks.json", "a" * 64, Mark("accept"))


def test_changes_from_several_sides_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    ids = [f"{number:064x}" for number in range(24)]

    def mark(part: list[str]) -> None:
        for image_id in part:
            change_mark(path, image_id, Mark("reject"))

    threads = [threading.Thread(target=mark, args=(ids[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_marks(path)) == ids
    assert change_mark(path, ids[0], None).keys() == set(ids[1:])
    assert sorted(read_marks(path)) == ids[1:]


@pytest.fixture
def table(make_row: Row) -> pd.DataFrame:
    """Two logos, the first with a JPEG copy; two conversions of each picture."""
    first = make_row("first")["image_id"]
    return conversions_table(
        [
            make_row(name, layer_difference=level, derived_from=original, logo_type="simple")
            for name, original in (("first", None), ("copy", first), ("other", None))
            for level in (8, 16)
        ]
    )


def ids(table: pd.DataFrame) -> tuple[str, str, str]:
    first, copy, other = dict.fromkeys(table["image_id"])
    return first, copy, other


def types(frame: pd.DataFrame) -> list[str]:
    return frame["logo_type"].tolist()


def test_a_rejected_picture_takes_its_copies_but_not_the_other_way_round(
    table: pd.DataFrame,
) -> None:
    first, copy, other = ids(table)
    assert rejected(table, {first: Mark("reject")}).tolist() == [True] * 4 + [False] * 2
    assert rejected(table, {copy: Mark("reject", None, first)}).tolist() == (
        [False] * 2 + [True] * 2 + [False] * 2
    )
    marks = {first: Mark("accept"), other: Mark("wrong type", "text"), "f" * 64: Mark("reject")}
    out = rejected(table, marks)
    assert not out.any()
    assert out.dtype == bool


@pytest.mark.parametrize("marked", ["first", "copy"])
def test_the_right_type_is_that_of_every_picture_of_the_logo(
    marked: str, table: pd.DataFrame
) -> None:
    first, copy, _ = ids(table)
    mark = Mark("wrong type", "text", first if marked == "copy" else None)
    typed = apply_marks(table, {first if marked == "first" else copy: mark})
    assert types(typed) == ["text"] * 4 + ["simple"] * 2
    assert typed["logo_type_estimated"].tolist() == [False] * 4 + [True] * 2
    unchanged = [name for name in table if not name.startswith("logo_type")]
    pd.testing.assert_frame_equal(typed[unchanged], table[unchanged])
    pd.testing.assert_series_equal(typed.dtypes, table.dtypes)
    check_conversions(typed)
    assert types(table) == ["simple"] * 6  # the table given is left as it was


def test_of_two_types_for_one_logo_the_newest_holds(table: pd.DataFrame) -> None:
    first, copy, _ = ids(table)
    early, late = "2026-11-21T10:00:00+00:00", "2026-11-21T09:30:00-01:00"  # 10:30 UTC
    marks = {
        first: Mark("wrong type", "text", at=early),
        copy: Mark("wrong type", "gradient", first, at=late),
    }
    assert types(apply_marks(table, marks))[:4] == ["gradient"] * 4
    marks[first] = Mark("wrong type", "text", at="2026-11-21T10:31:00")  # no offset is UTC
    assert types(apply_marks(table, marks))[:4] == ["text"] * 4


def test_a_mark_without_a_time_is_older_than_every_other(table: pd.DataFrame) -> None:
    first, copy, _ = ids(table)
    marks = {
        first: Mark("wrong type", "text", at=None),
        copy: Mark("wrong type", "gradient", first, at="1999-01-01T00:00:00"),
    }
    assert types(apply_marks(table, marks))[:4] == ["gradient"] * 4


def test_batches_are_marked_like_the_whole_table(many_rows: pd.DataFrame) -> None:
    images = many_rows.drop_duplicates("image_id")
    marks = {
        row.image_id: Mark(
            *(("wrong type", "text") if place % 3 else ("reject", None)),
            None if pd.isna(row.derived_from) else row.derived_from,
        )
        for place, row in enumerate(images.itertuples())
        if place % 2
    }
    parts = [many_rows.iloc[start : start + 37] for start in range(0, len(many_rows), 37)]
    together = pd.concat([apply_marks(part, marks) for part in parts])
    pd.testing.assert_frame_equal(together, apply_marks(many_rows, marks))
    out = pd.concat([rejected(part, marks) for part in parts])
    pd.testing.assert_series_equal(out, rejected(many_rows, marks))
    assert 0 < out.mean() < 1


def test_coded_text_is_marked_like_text(table: pd.DataFrame) -> None:
    first, _, other = ids(table)
    names = ["image_id", "derived_from", "logo_type"]
    coded = table.astype(dict.fromkeys(names, "category"))
    marks = {first: Mark("wrong type", "text"), other: Mark("reject")}
    assert types(apply_marks(coded, marks)) == types(apply_marks(table, marks))
    assert rejected(coded, marks).tolist() == rejected(table, marks).tolist()


def test_pictures_indexed_by_image_id_are_marked_too(table: pd.DataFrame) -> None:
    first, _, other = ids(table)
    images = table.drop_duplicates("image_id").set_index("image_id")
    images = images[["logo_type", "derived_from"]]
    marks = {first: Mark("wrong type", "text"), other: Mark("reject")}
    assert types(apply_marks(images, marks)) == ["text", "text", "simple"]
    assert rejected(images, marks).tolist() == [False, False, True]


def test_the_digest_is_of_what_marks_do(tmp_path: Path) -> None:
    path, a, b = tmp_path / "marks.json", "a" * 64, "b" * 64

    def digest(marks: dict[str, Mark]) -> str:
        write_marks(path, marks)
        return marks_digest(path)

    nothing = marks_digest(path)
    assert digest({a: Mark("accept")}) == nothing
    reject = digest({a: Mark("reject")})
    assert digest({a: Mark("reject", at="2020-01-01T00:00:00"), b: Mark("accept")}) == reject
    others = [
        {b: Mark("reject")},
        {a: Mark("wrong type", "text")},
        {a: Mark("wrong type", "simple")},
    ]
    assert len({nothing, reject, *(digest(marks) for marks in others)}) == 5
