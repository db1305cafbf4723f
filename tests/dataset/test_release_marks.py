"""What marks did is counted against an independent reading of the table."""

from pathlib import Path

import pandas as pd
import pytest

from svg_quality.dataset.inspection.marks import Mark
from svg_quality.dataset.releases.marks_effect import MarksEffect, marks_effect


@pytest.fixture
def tables(tmp_path: Path, many_rows: pd.DataFrame) -> list[Path]:
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    many_rows.iloc[:300].to_parquet(paths[0])
    many_rows.iloc[200:].to_parquet(paths[1])
    return paths


def test_pictures_their_copies_and_marks_of_nothing_are_counted(
    tables: list[Path], many_rows: pd.DataFrame
) -> None:
    copies = many_rows.dropna(subset="derived_from").drop_duplicates("image_id")
    copied, plain = copies["derived_from"].tolist(), str(many_rows.loc[10, "image_id"])
    assert plain not in copied
    same = many_rows.loc[many_rows["image_id"] == plain, "logo_type"].iloc[0]
    marks = {
        copied[0]: Mark("reject"),  # takes its copy along
        copied[1]: Mark("wrong type", _other(many_rows, copied[1])),  # and its copy's
        plain: Mark("wrong type", same),  # changes nothing
        "e" * 64: Mark("reject"),
        "f" * 64: Mark("accept"),
    }
    assert marks_effect(tables, marks) == MarksEffect(5, rejected=2, types_changed=2, not_there=2)


def test_a_mark_on_a_copy_that_is_gone_still_counts(
    tables: list[Path], many_rows: pd.DataFrame
) -> None:
    plain = str(many_rows.loc[10, "image_id"])
    marks = {"e" * 64: Mark("wrong type", _other(many_rows, plain), derived_from=plain)}
    assert marks_effect(tables, marks) == MarksEffect(1, 0, types_changed=1, not_there=0)


def test_without_marks_nothing_is_read() -> None:
    assert marks_effect([Path("nowhere")], {}) == MarksEffect(0, 0, 0, 0)


def _other(rows: pd.DataFrame, image_id: str) -> str:
    held = rows.loc[rows["image_id"] == image_id, "logo_type"].iloc[0]
    return "text" if held != "text" else "simple"
