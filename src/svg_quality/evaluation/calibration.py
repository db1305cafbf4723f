"""Whether intervals hold what they promise: at every level, and for whom they do not.

A promise of 90% over all logos may be kept by easy logos alone. So coverage is counted level by
level (the calibration curve) and group by group, each share with a bootstrap by logo.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from svg_quality.errors import DatasetError
from svg_quality.evaluation.metrics import (
    REGIONS,
    cluster_mean_interval,
    coverage,
    covered,
    region_masks,
)
from svg_quality.evaluation.residuals import quality_band_masks, value_masks

LEAST: Final = 0.8  # share that no band of a 90% interval shall fall below
MIN_LOGOS: Final = 5  # of a group whose coverage is judged; fewer say nothing about other logos


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One promised level and what came of it."""

    promised: float  # in (0, 1)
    covered: float  # share of rows
    low: float  # 95% bootstrap interval of that share, by logo
    high: float
    width: float  # mean, in the target's unit


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """Coverage of one group of rows."""

    kind: str  # region, quality band, predicted band or type
    name: str
    n: int
    n_logos: int
    covered: float  # share of rows
    low: float  # 95% bootstrap interval of that share, by logo
    high: float
    width: float  # mean, in the target's unit
    worst_twentieth: float  # mean coverage of the 5% of logos covered worst


def calibration_curve(
    measured: ArrayLike,
    intervals: Mapping[float, tuple[ArrayLike, ArrayLike]],
    groups: ArrayLike,
) -> list[CurvePoint]:
    """Promised against found coverage, lowest level first.

    Args:
        measured: ``(n,)``, one or more.
        intervals: by promised level, lower and upper ends, ``(n,)`` each.
        groups: ``(n,)``, the logo of each row.

    Raises:
        DatasetError: there are no rows, or a level is not in (0, 1).
    """
    y = np.asarray(measured, float)
    points = []
    for level, (low, high) in sorted(intervals.items()):
        if not 0 < level < 1 or not len(y):
            raise DatasetError(f"a level must be in (0, 1) and have rows, got {level}, {len(y)}")
        bottom, top = np.asarray(low, float), np.asarray(high, float)
        share, interval = _share(covered(y, bottom, top), groups)
        points.append(CurvePoint(level, share, *interval, float((top - bottom).mean())))
    return points


def coverage_table(rows: pd.DataFrame, logo_column: str = "group") -> list[CoverageLine]:
    """Coverage by region, by quality band (measured, then predicted) and by type of logo.

    Groups without rows are left out. A band of *measured* quality chooses rows by what came out:
    those that came out worse than predicted gather in the lower ones, so even intervals that are
    right for every prediction cover less there. Bands of *predicted* quality have no such bias.

    Args:
        rows: with ``ssim``, ``predicted_ssim``, ``ssim_low``, ``ssim_high``, ``logo_type``, and a
            bool column for each region but ``full``.
        logo_column: what tells logos apart.
    """
    kinds: dict[str, Mapping[str, np.ndarray]] = {
        "region": {REGIONS[name]: mask for name, mask in region_masks(rows).items()},
        "quality band": quality_band_masks(rows["ssim"].to_numpy(float)),
        "predicted band": quality_band_masks(rows["predicted_ssim"].to_numpy(float)),
        "type": value_masks(rows["logo_type"]),
    }
    return [
        _line(kind, name, rows[mask], logo_column)
        for kind, masks in kinds.items()
        for name, mask in masks.items()
        if mask.any()
    ]


def under_covered(lines: Sequence[CoverageLine], level: float, least: float = LEAST) -> list[str]:
    """One sentence for each group whose intervals promise too much, worst first.

    Named are groups below ``least``, and those below ``level`` beyond chance (the whole bootstrap
    interval is). Groups of fewer than 5 logos are not: their share says nothing of other logos.
    """
    named = [
        line
        for line in lines
        if line.n_logos >= MIN_LOGOS and (line.covered < least or line.high < level)
    ]
    return [
        f"{line.kind} {line.name}: {line.covered:.0%} covered where {level:.0%} is promised"
        f" (95% interval {line.low:.0%} to {line.high:.0%}, {line.n} conversions of"
        f" {line.n_logos} logos)"
        for line in sorted(named, key=lambda line: line.covered)
    ]


def ideal_worst_twentieth(
    groups: ArrayLike, level: float, n_draws: int = 500, seed: int = 0
) -> float:
    """Coverage of the worst twentieth if every row were covered by chance alone, at the level.

    With a dozen rows a logo, chance leaves some logos at eight of twelve: no interval that covers
    ``level`` of all rows, whatever it knows of each, can be expected to do better than this.

    Args:
        groups: ``(n,)``, the logo of each row.
        level: share of rows covered, in (0, 1).
        n_draws, seed: of the simulation.
    """
    _, sizes = np.unique(np.asarray(groups), return_counts=True)
    drawn = np.random.default_rng(seed).binomial(sizes, level, (n_draws, len(sizes))) / sizes
    return float(np.sort(drawn, axis=1)[:, : math.ceil(len(sizes) / 20)].mean())


def _line(kind: str, name: str, rows: pd.DataFrame, logo_column: str) -> CoverageLine:
    y, low, high = (rows[column].to_numpy(float) for column in ("ssim", "ssim_low", "ssim_high"))
    share, interval = _share(covered(y, low, high), rows[logo_column])
    worst = coverage(y, low, high, rows[logo_column])["worst_twentieth"]
    return CoverageLine(
        kind=kind,
        name=name,
        n=len(rows),
        n_logos=int(rows[logo_column].nunique()),
        covered=share,
        low=interval[0],
        high=interval[1],
        width=float((high - low).mean()),
        worst_twentieth=share if worst is None else worst,
    )


def _share(held: np.ndarray, groups: ArrayLike) -> tuple[float, tuple[float, float]]:
    share = float(held.mean())
    return share, cluster_mean_interval(held, groups) or (share, share)
