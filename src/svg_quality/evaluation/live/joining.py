"""Served predictions joined with what conversions gave, by picture, working size and parameters.

A conversion of one picture with one set gives the same every time, and so does a model version's
prediction of it: which came first does not matter. What does matter is that the model never saw
the picture: use becomes training data, so pictures of a version's own dataset are left out.

Measured sets are those that somebody chose, or an optimizer for its own predictions of them:
errors on them are larger than on sets drawn at random, and more hopeful (the winner's curse).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import NAMES
from svg_quality.conversion.similarity import DEFINITION
from svg_quality.dataset.splits.duplicates import near_duplicate_groups
from svg_quality.dataset.tables import parameters_of
from svg_quality.errors import DatasetError
from svg_quality.evaluation.comparing.leaks import seen_in_training
from svg_quality.evaluation.metrics import regions

Key = tuple[Any, ...]  # image_id, working_size, the eleven parameters
KEY_NAMES: Final = ("image_id", "working_size", *NAMES)
_OF_PREDICTION: Final = (
    "role", "model_name", "model_version", "level", "predicted_ssim", "ssim_low", "ssim_high",
    "predicted_svg_bytes", "bytes_low", "bytes_high",
)  # fmt: skip
_OF_MEASUREMENT: Final = ("ssim", "svg_bytes", "logo_type", "format", "method", "perceptual_hash",
                          "created_at")  # fmt: skip
COLUMNS: Final = (*KEY_NAMES, *_OF_PREDICTION, *_OF_MEASUREMENT)


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """What conversions gave, and which rows cannot be used."""

    found: Mapping[Key, Mapping[str, Any]]
    n_failed: int  # conversions that gave no figure
    n_foreign: int  # scored by another definition of SSIM


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Predictions that have a measurement.

    Attributes:
        rows: ``COLUMNS``, ``at`` (datetime, of the measurement), ``version`` (name and number),
            ``group`` (near-duplicate pictures together), and a bool column for each region but
            ``full``. One row for each set, version and role.
        n_predictions: lines of predictions read.
        n_learned: joined predictions left out, for the version was made from such a picture.
    """

    rows: pd.DataFrame
    measurements: Measurements
    n_predictions: int
    n_learned: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """What was read and what was left out, for people."""
        return {
            "Predictions read": self.n_predictions,
            "Conversions read": len(self.measurements.found),
            "Failed, left out": self.measurements.n_failed,
            "Of another SSIM, left out": self.measurements.n_foreign,
            "Predictions joined": len(self.rows),
            "Learned from, left out": self.n_learned,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What a model version was made from.

    Attributes:
        images: its dataset but for the test split, indexed by image_id, with
            ``perceptual_hash`` and ``derived_from``; None where only the ids are known.
        image_ids: of the same.
        note: what is not known, as a sentence; empty where all is.
    """

    images: pd.DataFrame | None
    image_ids: Collection[str]
    note: str = ""


def measurements(rows: Iterable[Mapping[str, Any]]) -> Measurements:
    """Rows of a conversions log by what they are of; of the same conversion the last one counts."""
    found: dict[Key, Mapping[str, Any]] = {}
    n_failed = n_foreign = 0
    for row in rows:
        if row.get("error") is not None:
            n_failed += 1
        elif row.get("ssim_definition") != DEFINITION:
            n_foreign += 1
        else:
            found[_key(row, "conversion")] = {name: row[name] for name in _OF_MEASUREMENT}
    return Measurements(found, n_failed, n_foreign)


def join(
    predictions: Iterable[Mapping[str, Any]], measured: Measurements, max_distance: int
) -> Joined:
    """Keep the predictions that have a measurement; memory is bounded by what was measured.

    Args:
        predictions: lines of the prediction log, of kind ``prediction``.
        measured: of `measurements`.
        max_distance: bits of the perceptual hash within which pictures are one group.

    Raises:
        DatasetError: a line lacks a field.
    """
    kept: dict[Key, dict[str, Any]] = {}
    n_predictions = 0
    for line in predictions:
        n_predictions += 1
        key = _key(line, "prediction")
        outcome = measured.found.get(key)
        if outcome is not None:
            said = _fields(line)
            row = dict(zip(KEY_NAMES, key, strict=True)) | said | dict(outcome)
            kept.setdefault((*key, said["version"], said["role"]), row)
    return Joined(_table(list(kept.values()), max_distance), measured, n_predictions)


def without_learned(joined: Joined, learned: Mapping[str, Learned], max_distance: int) -> Joined:
    """Leave out what each version predicted of pictures it was made from, and of their like.

    Args:
        joined: of `join`.
        learned: of every version in it.
        max_distance: as for `join`.
    """
    rows = joined.rows
    seen = np.zeros(len(rows), bool)
    for version, known in learned.items():
        mine = (rows["version"] == version).to_numpy()
        if not mine.any():
            continue
        seen |= mine & rows["image_id"].isin(set(known.image_ids)).to_numpy()
        if known.images is not None and len(known.images):
            pictures = rows[mine].drop_duplicates("image_id").set_index("image_id")
            pictures = pictures[["group", "perceptual_hash"]].assign(derived_from=None)
            alike = seen_in_training(pictures, known.images, max_distance)
            seen |= mine & rows["image_id"].isin(alike.index[alike]).to_numpy()
    return replace(joined, rows=rows[~seen].reset_index(drop=True), n_learned=int(seen.sum()))


def version_of(line: Mapping[str, Any]) -> str:
    """Which model a line is of: ``svg-quality 5``."""
    return f"{line['model_name']} {line['model_version']}"


def _key(row: Mapping[str, Any], what: str) -> Key:
    try:
        return tuple(row[name] for name in KEY_NAMES)
    except KeyError as error:
        raise DatasetError(f"a {what} of a log must have its fields, one lacks {error}") from None


def _fields(line: Mapping[str, Any]) -> dict[str, Any]:
    try:
        said = {name: line[name] for name in _OF_PREDICTION}
    except KeyError as error:
        raise DatasetError(
            f"a prediction of a log must have its fields, one lacks {error}"
        ) from None
    return said | {"version": version_of(line)}


def _table(rows: list[dict[str, Any]], max_distance: int) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[*COLUMNS, "version"])
    table["at"] = pd.to_datetime(table.pop("created_at"), utc=True, format="ISO8601")
    within = regions(parameters_of(table))
    table = table.assign(**{name: mask for name, mask in within.items() if name != "full"})
    images = table.drop_duplicates("image_id").set_index("image_id")[["perceptual_hash"]]
    if images.empty:
        return table.assign(group=np.empty(0, int))
    groups = near_duplicate_groups(images.assign(derived_from=None), max_distance)
    return table.assign(group=table["image_id"].map(groups))
