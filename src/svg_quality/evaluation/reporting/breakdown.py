"""Where the predictions are good and where not: by quality band, by logo type, in plain figures.

An error is always predicted minus measured: above zero the prediction was too hopeful.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from svg_quality.dataset.splits import split
from svg_quality.evaluation.metrics import covered
from svg_quality.evaluation.residuals import quality_band_masks, value_masks

BAND_NAMES: Final = ("below 0.6", "0.6 to 0.8", "0.8 to 0.9", "0.9 to 0.95", "0.95 and above")
CLEAR_DIFFERENCE: Final = 0.01  # of SSIM; two tracings nearer than that are no choice
_MAX_SETS: Final = 256  # of one logo that are compared pairwise


@dataclass(frozen=True, slots=True)
class Errors:
    """How well the SSIM of one group of rows was predicted; None where there are no rows."""

    n: int
    mae: float | None
    bias: float | None  # mean of predicted minus measured
    coverage: float | None  # share of rows whose measured SSIM lies in the interval


@dataclass(frozen=True, slots=True)
class Group:
    """One line of a breakdown: the same group in each region."""

    name: str
    full: Errors
    everyday: Errors
    everyday_colour: Errors


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures of one region that say what a user may expect."""

    n: int
    n_logos: int
    ssim_half: float  # half of the rows miss the SSIM by at most this
    ssim_nine_tenths: float
    coverage: float  # in [0, 1]
    bytes_half: float  # half of the sizes are wrong by at most this factor, 1 or more
    bytes_nine_tenths: float
    better_named: float | None  # share of clear pairs in order; None where there is no pair


def quality_bands(rows: pd.DataFrame) -> list[Group]:
    """Errors by band of the measured SSIM, lowest first, empty bands included.

    Args:
        rows: with ``ssim``, ``predicted_ssim``, ``ssim_low``, ``ssim_high``, ``everyday`` and
            ``everyday_colour``.
    """
    band = split.quality_bands(rows["ssim"]).to_numpy()
    return [_group(name, rows[band == k]) for k, name in enumerate(BAND_NAMES)]


def broad_bands(rows: pd.DataFrame) -> list[Group]:
    """The same in three bands: below 0.6, 0.6 to 0.8, 0.8 and above."""
    masks = quality_band_masks(rows["ssim"].to_numpy(float))
    return [_group(name, rows[mask]) for name, mask in masks.items()]


def by_column(rows: pd.DataFrame, column: str) -> list[Group]:
    """Errors by the values of a column, most frequent first. Takes what `quality_bands` does."""
    return [_group(value, rows[mask]) for value, mask in value_masks(rows[column]).items()]


def headline(rows: pd.DataFrame, logo_column: str = "image_id") -> Headline | None:
    """What a user may expect of a region's predictions; None where it has no rows.

    Args:
        rows: what `quality_bands` takes, and ``svg_bytes`` and ``predicted_svg_bytes`` above 0.
        logo_column: what tells logos apart.
    """
    if rows.empty:
        return None
    miss = (rows["predicted_ssim"] - rows["ssim"]).abs()
    ratio = (rows["predicted_svg_bytes"] / rows["svg_bytes"]).to_numpy(float)
    factor = np.maximum(ratio, 1 / ratio)
    return Headline(
        n=len(rows),
        n_logos=int(rows[logo_column].nunique()),
        ssim_half=float(miss.quantile(0.5)),
        ssim_nine_tenths=float(miss.quantile(0.9)),
        coverage=float(covered(rows["ssim"], rows["ssim_low"], rows["ssim_high"]).mean()),
        bytes_half=float(np.quantile(factor, 0.5)),
        bytes_nine_tenths=float(np.quantile(factor, 0.9)),
        better_named=better_named(rows),
    )


def better_named(rows: pd.DataFrame) -> float | None:
    """Share of pairs of one image's conversions whose better one is predicted as the better.

    Only pairs that differ by ``CLEAR_DIFFERENCE`` of SSIM count; equal predictions count half.
    None where there is no such pair.
    """
    right, clear = 0.0, 0
    for _, sets in rows.groupby("image_id"):
        few = sets.iloc[:_MAX_SETS]
        first, second = np.triu_indices(len(few), 1)
        measured, predicted = few["ssim"].to_numpy(float), few["predicted_ssim"].to_numpy(float)
        step, guess = measured[first] - measured[second], predicted[first] - predicted[second]
        is_clear = np.abs(step) >= CLEAR_DIFFERENCE
        right += float((np.sign(step) * np.sign(guess) / 2 + 0.5)[is_clear].sum())
        clear += int(is_clear.sum())
    return right / clear if clear else None


def _group(name: str, rows: pd.DataFrame) -> Group:
    within = {region: rows[rows[region].astype(bool)] for region in ("everyday", "everyday_colour")}
    return Group(name, full=_errors(rows), **{key: _errors(part) for key, part in within.items()})


def _errors(rows: pd.DataFrame) -> Errors:
    if rows.empty:
        return Errors(0, None, None, None)
    error = rows["predicted_ssim"] - rows["ssim"]
    return Errors(
        n=len(rows),
        mae=float(error.abs().mean()),
        bias=float(error.mean()),
        coverage=float(covered(rows["ssim"], rows["ssim_low"], rows["ssim_high"]).mean()),
    )
