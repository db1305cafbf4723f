"""What the marks of an inspection did to the tables of a release, for a person to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from svg_quality.dataset.inspection.marks import Mark, apply_marks, rejected
from svg_quality.dataset.releases.release_rows import TableRows

_COLUMNS: Final = ("image_id", "derived_from", "logo_type")
_BATCH: Final = 65_536  # rows


@dataclass(frozen=True, slots=True)
class MarksEffect:
    """How many marks there were, and what became of them; JPEG copies count as pictures."""

    marks: int
    rejected: int  # pictures
    types_changed: int  # of pictures
    not_there: int  # marks of pictures that no table has


def marks_effect(tables: Sequence[Path], marks: Mapping[str, Mark]) -> MarksEffect:
    """Count what marks do to the pictures of some tables.

    Args:
        tables: Parquet files of conversions.
        marks: by image_id.

    Raises:
        DatasetError: a file is no table, or lacks a column.
    """
    if not marks:
        return MarksEffect(0, 0, 0, 0)
    batches = (batch for path in tables for batch in TableRows(path, _COLUMNS).batches(_BATCH))
    found = [batch.astype("str").drop_duplicates("image_id") for batch in batches]
    pictures = pd.concat(found).drop_duplicates("image_id")
    told = apply_marks(pictures, marks)
    there = {*pictures["image_id"], *pictures["derived_from"].dropna()}
    return MarksEffect(
        marks=len(marks),
        rejected=int(rejected(pictures, marks).sum()),
        types_changed=int((told["logo_type"] != pictures["logo_type"]).sum()),
        not_there=sum(
            image_id not in there and mark.derived_from not in there
            for image_id, mark in marks.items()
        ),
    )
