"""What becomes of every row and every picture of a release, decided from a few columns.

This is the first of two passes over the tables: it reads what cleaning, selecting and splitting
need and holds it in memory, with repeating text as codes. The second (`release`) takes the rows
themselves through, batch after batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from svg_quality.dataset.augmentation.selection import select_balanced
from svg_quality.dataset.cleaning.clean import NARROW, kind_of_reason, reasons
from svg_quality.dataset.inspection.marks import Mark, apply_marks, rejected
from svg_quality.dataset.releases.release_writer import OF_IMAGES, RELEASED
from svg_quality.dataset.splits.folds import assign_folds
from svg_quality.dataset.splits.split import (
    assign_splits,
    assign_temporal_splits,
    near_duplicate_groups,
)
from svg_quality.dataset.tables import CONVERSIONS
from svg_quality.errors import DatasetError

REJECTED: Final = "rejected at an inspection"
DOUBLED: Final = "another row has this conversion_id"
NO_TIME: Final = "no readable time"
BY_IMAGE: Final = "image"
BY_TIME: Final = "temporal"
_READ: Final = tuple(
    name for name in CONVERSIONS.columns if name in {*NARROW, *OF_IMAGES, "method", "created_at"}
)
_AFTER_CLEANING: Final = (*OF_IMAGES, "conversion_id", "method", "created_at", "ssim", "svg_bytes")
_UNLIKE: Final = ("conversion_id", "created_at", "error")  # text that differs from row to row
_AT_ONCE: Final = 4  # columns
_PANDAS_INDEX: Final = "__index_level_"  # as pandas keeps an index in Parquet
_SAME_MEAN: Final = 9  # decimals: a mean's last bits depend on the order of the rows


@dataclass(frozen=True, slots=True)
class Choices:
    """The settings that decide what a release holds."""

    seed: int
    max_distance: int  # bits, see `near_duplicate_groups`
    n_folds: int = 5
    split_by: str = BY_IMAGE  # or BY_TIME
    target_samples: int = 0  # rows to select; 0 for all


@dataclass(frozen=True, slots=True, eq=False)
class ReleasePlan:
    """What becomes of every row and picture.

    Attributes:
        reason: str ``(N,)`` by number of row, why it is set aside; NA for rows that are not.
        taken: bool ``(N,)``, whether the row is part of the release.
        images: the release's pictures, indexed by image_id: what is known of each, ``mean_ssim``,
            ``n`` rows, ``group``, ``split`` and ``fold``.
        rows: the release's rows, indexed by their number: ``image_id``, ``source``, ``method``,
            ``format``, ``logo_type``, ``ssim``, ``svg_bytes``, ``split``, ``fold``.
    """

    reason: pd.Series[str]
    taken: np.ndarray
    images: pd.DataFrame
    rows: pd.DataFrame

    def counts(self) -> dict[str, Any]:
        """How many rows and pictures there are of each kind; rows add up to ``read``."""
        aside = kind_of_reason(self.reason.dropna()).value_counts()
        n_taken, n_aside = int(self.taken.sum()), int(aside.sum())
        return {
            "read": len(self.taken),
            "conversions": n_taken,
            "set_aside": {str(reason): int(n) for reason, n in aside.items()},
            "not_selected": len(self.taken) - n_taken - n_aside,
            "images": len(self.images),
            "groups": int(self.images["group"].nunique()),
            "images_by_split": _counted(self.images["split"]),
            "conversions_by_split": _counted(self.rows["split"]),
            "images_by_fold": _counted(self.images["fold"].astype("str")),
            "images_by_type": _counted(self.images["logo_type"]),
        }

    def sources(self) -> dict[str, dict[str, dict[str, int]]]:
        """Rows and pictures by source (its first part), method, format and type; most first."""
        first_parts = self.rows["source"].astype("str").str.split("/", n=1).str[0]
        columns = {
            "source": first_parts,
            **{name: self.rows[name] for name in ("method", "format", "logo_type")},
        }
        return {name: self._distribution(column) for name, column in columns.items()}

    def _distribution(self, column: pd.Series) -> dict[str, dict[str, int]]:
        grouped = self.rows["image_id"].groupby(column, observed=True)
        table = pd.DataFrame({"rows": grouped.size(), "images": grouped.nunique()})
        table = table.sort_index().sort_values("rows", ascending=False, kind="stable")
        return {
            str(name): {"rows": int(rows), "images": int(images)}
            for name, rows, images in table.itertuples(name=None)
        }


def plan_release(
    files: Sequence[pq.ParquetFile], choices: Choices, marks: Mapping[str, Mark]
) -> ReleasePlan:
    """Clean, select, split and fold the rows of one or several tables.

    Args:
        files: tables of conversions, in an order that stays: of a conversion that two tables
            hold, with one id, the first table's is kept. The order of their rows does not matter.
        choices: what decides.
        marks: of an inspection, by image_id: rejected pictures are set aside, wrong types put
            right.

    Raises:
        DatasetError: a table lacks a column or has one too many, or holds a conversion_id
            twice; or too little is left to be split.
    """
    rows = _marked(read_narrow(files), marks)
    reason = _reasons(rows, marks, timed=choices.split_by == BY_TIME)
    if reason.notna().all():
        raise DatasetError(
            f"a release needs rows that can be learned from, every one of {len(rows)} was set "
            f"aside; most often: {kind_of_reason(reason).mode()[0]}"
        )
    n_rows, kept = len(rows), rows.loc[reason.isna().to_numpy(), list(_AFTER_CLEANING)]
    del rows  # hundreds of megabytes, of a million rows
    images = _images(kept)
    images["group"] = near_duplicate_groups(images, choices.max_distance)
    if choices.target_samples:
        kept = kept[_selected(kept, images, choices)]
        images = _images(kept).join(images["group"])
    if choices.split_by == BY_TIME:
        kept, images = _split_by_time(kept, images, reason)
    else:
        images["split"] = assign_splits(images, choices.seed)
    images["fold"] = assign_folds(images, choices.n_folds, choices.seed)
    taken = np.zeros(n_rows, dtype=bool)
    taken[kept.index] = True
    told = kept[["image_id", "source", "method", "format", "logo_type", "ssim", "svg_bytes"]]
    place = images.index.get_indexer(pd.Index(kept["image_id"].astype("str")))
    split = images["split"].astype("category").array[place]
    told = told.assign(split=split, fold=images["fold"].to_numpy()[place])
    return ReleasePlan(reason, taken, images, told)


def read_narrow(files: Sequence[pq.ParquetFile]) -> pd.DataFrame:
    """The columns that a plan needs, of all tables, indexed by number of row.

    Raises:
        DatasetError: a table holds no row, does not have exactly the columns of the schema, or
            holds a conversion_id twice.
    """
    for place, file in enumerate(files, start=1):
        _check_table(file, place)
    columns: dict[str, pd.Series] = {}
    # A few columns at a time: all at once would need twice the memory.
    for start in range(0, len(_READ), _AT_ONCE):
        names = list(_READ[start : start + _AT_ONCE])
        pieces = [
            pa.table([_coded(batch.column(name), name) for name in names], names=names)
            for file in files
            for batch in file.iter_batches(columns=names)
        ]
        table = pa.concat_tables(pieces, promote_options="permissive").unify_dictionaries()
        del pieces
        columns |= {name: table.column(name).to_pandas() for name in names}
        del table
    return pd.DataFrame(columns, copy=False)


def _check_table(file: pq.ParquetFile, place: int) -> None:
    if not file.metadata.num_rows:
        raise DatasetError(f"a table must hold rows, number {place} holds none")
    found = {name for name in file.schema_arrow.names if not name.startswith(_PANDAS_INDEX)}
    unlike = sorted(found ^ set(CONVERSIONS.columns))
    if unlike:
        has = "lacks" if unlike[0] in CONVERSIONS.columns else "also has"
        raise DatasetError(
            f"a table must have the columns of the schema, number {place} {has} {unlike[0]}"
        )
    ids = file.read(columns=["conversion_id"]).column(0)
    if len(ids.unique()) < len(ids):
        raise DatasetError(f"a table must hold a conversion once, number {place} does not")


def _coded(column: pa.Array, name: str) -> pa.Array:
    """Repeating text as codes, of one type whatever the table's writer chose."""
    if not pa.types.is_string(RELEASED.field(name).type):
        return column
    try:
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DatasetError(f"{name} must be text, a table has {column.type}: {error}") from error
    return text if name in _UNLIKE else text.dictionary_encode()


def _marked(rows: pd.DataFrame, marks: Mapping[str, Mark]) -> pd.DataFrame:
    if not marks:
        return rows
    told = rows[["image_id", "derived_from", "logo_type"]].astype("str")
    told = apply_marks(told.assign(logo_type_estimated=rows["logo_type_estimated"]), marks)
    return rows.assign(
        logo_type=told["logo_type"].astype("category"),
        logo_type_estimated=told["logo_type_estimated"],
    )


def _reasons(rows: pd.DataFrame, marks: Mapping[str, Mark], *, timed: bool) -> pd.Series[str]:
    """Of cleaning, inspecting and, where rows are split in time, their times."""
    reason = reasons(rows)
    if marks:
        out = rejected(rows, marks) & reason.isna()
        reason = reason.mask(out, REJECTED)
    if timed:
        reason = reason.mask(_times(rows["created_at"]).isna() & reason.isna(), NO_TIME)
    doubled = rows[reason.isna() & rows["conversion_id"].duplicated(keep=False)].astype("str")
    ordered = doubled.sort_values(list(_READ))  # whichever row comes first
    again = ordered["conversion_id"].duplicated()
    reason[again.index[again]] = DOUBLED
    return reason


def _times(created: pd.Series[str]) -> pd.Series[Any]:
    """Moments; logs may have any offset, and what is no time stays empty."""
    return pd.to_datetime(created, format="ISO8601", utc=True, errors="coerce")


def _images(kept: pd.DataFrame) -> pd.DataFrame:
    """What is known of each picture: the words of its first row by conversion_id."""
    order = kept["conversion_id"].sort_values().index
    ordered = kept["image_id"].loc[order]
    first = kept.loc[ordered.index[~ordered.duplicated()], list(OF_IMAGES)]
    coded = first.columns[first.dtypes == "category"]
    images = first.astype(dict.fromkeys(coded, "str")).set_index("image_id").sort_index()
    grouped = kept.groupby("image_id", observed=True)
    by_image = _times(kept["created_at"]).groupby(kept["image_id"], observed=True)
    images["first_created"] = _iso(by_image.min())
    images["last_created"] = _iso(by_image.max())
    images["mean_ssim"] = grouped["ssim"].mean().round(_SAME_MEAN)
    images["n"] = grouped.size()
    return images


def _iso(times: pd.Series) -> pd.Series[str]:
    texts = [None if pd.isna(time) else time.isoformat(timespec="milliseconds") for time in times]
    return pd.Series(texts, index=times.index, dtype="str")


def _selected(kept: pd.DataFrame, images: pd.DataFrame, choices: Choices) -> np.ndarray:
    columns = kept[["image_id", "conversion_id", "logo_type", "ssim", "synthetic"]]
    group = images["group"].loc[kept["image_id"]].to_numpy()
    chosen = select_balanced(columns.assign(group=group), choices.target_samples, choices.seed)
    return chosen.to_numpy()


def _split_by_time(
    kept: pd.DataFrame, images: pd.DataFrame, reason: pd.Series[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and pictures that a temporal split keeps; the reasons of the others are added."""
    parted = assign_temporal_splits(images)
    why = parted["reason"].loc[kept["image_id"].astype("str")].set_axis(kept.index)
    reason.update(why.dropna())
    in_split = images.assign(split=parted["split"])[parted["split"].notna()]
    return kept[why.isna()], in_split


def _counted(column: pd.Series) -> dict[str, int]:
    return {str(value): int(n) for value, n in column.value_counts().items()}
