"""What was predicted for every row of a split: the file that `compare` reads.

One Parquet file a run. The dataset and the split it belongs to are written into it, so that
predictions of different rows are never set against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import NAMES
from svg_quality.errors import DatasetError
from svg_quality.evaluation.baselines import BaselinePrediction

FILE_NAME: Final = "predictions.parquet"
FACTS: Final = ("dataset", "version", "digest", "split")
COLUMNS: Final = (
    "conversion_id", "image_id", "group", "logo_type", "format", "source", *NAMES, "everyday",
    "everyday_colour", "ssim", "svg_bytes", "predicted_ssim", "ssim_low", "ssim_high",
    "predicted_svg_bytes",
)  # fmt: skip
_MEASURED: Final = ("ssim", "svg_bytes")


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One run's predictions.

    Attributes:
        rows: ``COLUMNS``, and ``<baseline>.ssim`` and ``<baseline>.svg_bytes`` of each baseline.
        facts: ``FACTS`` of the rows: name, version and digest of the release, and the split.
    """

    rows: pd.DataFrame
    facts: Mapping[str, str]


def predictions_of(
    rows: pd.DataFrame,
    baselines: Mapping[str, BaselinePrediction],
    facts: Mapping[str, str],
) -> Predictions:
    """The table of a split.

    Args:
        rows: with ``COLUMNS``.
        baselines: what each said of the same rows.
        facts: see `Predictions`.
    """
    guesses = {
        f"{name}.{what}": values
        for name, guess in baselines.items()
        for what, values in (("ssim", guess.ssim), ("svg_bytes", np.exp(guess.log_bytes)))
    }
    return Predictions(rows[list(COLUMNS)].reset_index(drop=True).assign(**guesses), facts)


def write_predictions(predictions: Predictions, folder: Path) -> Path:
    """Write `FILE_NAME` into a folder; gives its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    rows = predictions.rows.copy()
    rows.attrs.update(predictions.facts)  # pandas keeps them in the file
    rows.to_parquet(path, index=False)
    return path


def read_predictions(path: Path) -> Predictions:
    """What `write_predictions` wrote.

    Raises:
        DatasetError: the file is not such a table.
    """
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"predictions must be a Parquet file, {path}: {error}") from error
    lost = [str(name) for name in (*COLUMNS, *FACTS) if name not in rows and name not in rows.attrs]
    if lost:
        raise DatasetError(f"predictions must have all their columns, {path} lacks {lost[0]}")
    if rows["conversion_id"].duplicated().any():
        raise DatasetError(f"predictions must name each conversion once, {path} repeats one")
    return Predictions(rows, {name: str(rows.attrs[name]) for name in FACTS})


def aligned(tables: Mapping[str, Predictions]) -> dict[str, pd.DataFrame]:
    """The rows that all have, in the order of the first.

    Args:
        tables: by name of the run.

    Raises:
        DatasetError: they are of different releases or splits, share no row, or the same row
            was measured differently.
    """
    names = list(tables)
    for name in names[1:]:
        _check_same_facts(names[0], tables[names[0]], name, tables[name])
    common = pd.Index(tables[names[0]].rows["conversion_id"])
    for name in names[1:]:
        common = common[common.isin(tables[name].rows["conversion_id"])]
    if common.empty:
        raise DatasetError(f"runs to compare must share rows, {' and '.join(names)} share none")
    found = {
        name: table.rows.set_index("conversion_id").loc[common] for name, table in tables.items()
    }
    _check_same_measurements(names, found)
    return found


def _check_same_facts(
    first: str, reference: Predictions, other: str, contender: Predictions
) -> None:
    for fact in ("digest", "split"):
        ours, theirs = reference.facts[fact], contender.facts[fact]
        if ours != theirs:
            what = "dataset (digest)" if fact == "digest" else fact
            raise DatasetError(
                f"runs to compare must be measured on one {what}, {first} was on {ours[:12]} "
                f"and {other} on {theirs[:12]}"
            )


def _check_same_measurements(names: Sequence[str], found: Mapping[str, pd.DataFrame]) -> None:
    reference = found[names[0]]
    for name in names[1:]:
        for column in _MEASURED:
            n_unlike = int((reference[column].to_numpy() != found[name][column].to_numpy()).sum())
            if n_unlike:
                raise DatasetError(
                    f"{column} of a row must be the same in all runs, {n_unlike} differ between "
                    f"{names[0]} and {name}"
                )
