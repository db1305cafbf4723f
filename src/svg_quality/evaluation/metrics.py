"""How good predictions are: one row of figures, its spread over logos, and coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

REGIONS: Final = {  # key: heading; each lies within the one before it
    "full": "Full region",
    "everyday": "Everyday region",
    "everyday_colour": "Everyday colour",
}
Score = dict[str, float | int | None]


def score(measured: ArrayLike, predicted: ArrayLike) -> Score:
    """The figures of one set of rows.

    Args:
        measured, predicted: ``(n,)``, finite, in the target's unit.

    Returns:
        ``n``, ``mae``, ``rmse``, ``r2``, ``pearson``, ``spearman``; None where one is not
        defined: all are without rows, the last three where an input never varies.

    Raises:
        DatasetError: the lengths differ or a number is not finite.
    """
    y, p = checked_pair(measured, predicted)
    if not len(y):
        return {"n": 0, **dict.fromkeys(("mae", "rmse", "r2", "pearson", "spearman"))}
    residual = y - p
    square = float(np.square(residual).mean())
    variance = float(y.var()) if np.ptp(y) else 0.0
    return {
        "n": len(y),
        "mae": float(np.abs(residual).mean()),
        "rmse": math.sqrt(square),
        "r2": 1 - square / variance if variance > 0 else None,
        "pearson": _correlation(y, p),
        "spearman": _correlation(_ranks(y), _ranks(p)),
    }


def regions(parameters: Sequence[Parameters]) -> dict[str, np.ndarray]:
    """Which rows lie in which region, bool ``(n,)`` each.

    ``full`` has all, ``everyday`` what people use, ``everyday_colour`` the latter in colour: black
    and white costs SSIM by itself, and so explains much of what varies in the everyday region.
    """
    everyday = np.array([chosen.is_everyday for chosen in parameters], bool)
    colour = np.array([chosen.colormode == "color" for chosen in parameters], bool)
    return {
        "full": np.ones(len(parameters), bool),
        "everyday": everyday,
        "everyday_colour": everyday & colour,
    }


def region_masks(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The same of a table that has a bool column for each region but ``full``."""
    return {
        name: np.ones(len(rows), bool) if name == "full" else rows[name].to_numpy(bool)
        for name in REGIONS
    }


def cluster_bootstrap(
    measured: ArrayLike,
    predicted: ArrayLike,
    groups: ArrayLike,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals of `score`'s figures under resampling of whole logos.

    Rows of one logo (with its near-duplicates) are drawn together: they are alike, and drawn one
    by one they would promise too much. Ranks are those of the whole sample, for speed.

    Args:
        measured, predicted: ``(n,)``.
        groups: ``(n,)``, the logo of each row.
        n_draws: resamples.
        level: of the interval.
        seed: of the draws.

    Returns:
        ``(low, high)`` for each figure but ``n``; None where it is not defined.
    """
    y, p = checked_pair(measured, predicted)
    names = ("mae", "rmse", "r2", "pearson", "spearman")
    if not len(y):
        return dict.fromkeys(names)
    residual = y - p
    mean = draw_means(groups, n_draws, seed)
    square = mean(np.square(residual))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = _variance(mean, y, y)
        drawn = {
            "mae": mean(np.abs(residual)),
            "rmse": np.sqrt(square),
            "r2": 1 - square / np.where(variance > 1e-15, variance, np.nan),
            "pearson": _drawn_correlation(mean, y, p),
            "spearman": _drawn_correlation(mean, _ranks(y), _ranks(p)),
        }
    tails = (1 - level) / 2, (1 + level) / 2
    intervals: dict[str, tuple[float, float] | None] = {}
    for name, values in drawn.items():
        sound = values[np.isfinite(values)]
        ends = np.quantile(sound, tails) if len(sound) else None
        intervals[name] = None if ends is None else (float(ends[0]), float(ends[1]))
    return intervals


def cluster_mean_interval(
    values: ArrayLike,
    groups: ArrayLike,
    n_draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile interval of a mean under resampling of whole logos; None without values."""
    x = np.asarray(values, float)
    if not len(x):
        return None
    drawn = draw_means(groups, n_draws, seed)(x)
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def covered(measured: ArrayLike, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """Whether each interval, ends included, holds what was measured: bool ``(n,)``."""
    y, bottom, top = (np.asarray(values, float) for values in (measured, low, high))
    return (y >= bottom) & (y <= top)


def coverage(
    measured: ArrayLike, low: ArrayLike, high: ArrayLike, groups: ArrayLike
) -> dict[str, float | None]:
    """How often intervals hold what was measured.

    Returns:
        ``coverage`` (share of rows), ``width`` (mean), ``worst_twentieth`` (mean coverage of the
        5% of logos covered worst); None without rows.
    """
    y, bottom, top = (np.asarray(values, float) for values in (measured, low, high))
    if not len(y):
        return dict.fromkeys(("coverage", "width", "worst_twentieth"))
    held = covered(y, bottom, top)
    _, of_row, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    by_group = np.sort(np.bincount(of_row, held) / sizes)
    worst = by_group[: math.ceil(len(by_group) / 20)]
    return {
        "coverage": float(held.mean()),
        "width": float((top - bottom).mean()),
        "worst_twentieth": float(worst.mean()),
    }


def checked_pair(measured: ArrayLike, predicted: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 ``(n,)``.

    Raises:
        DatasetError: the lengths differ or a number is not finite.
    """
    y, p = np.asarray(measured, float), np.asarray(predicted, float)
    if y.shape != p.shape or y.ndim != 1:
        raise DatasetError(f"scored arrays must be alike and flat, got {y.shape} and {p.shape}")
    if not (np.isfinite(y).all() and np.isfinite(p).all()):
        raise DatasetError("scored arrays must be finite, and one is not")
    return y, p


def _correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    if not (np.ptp(x) and np.ptp(y)):
        return None
    a, b = x - x.mean(), y - y.mean()
    return float(np.clip((a @ b) / math.sqrt((a @ a) * (b @ b)), -1, 1))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, those of equal values averaged, float64 ``(n,)``."""
    _, of_row, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    ranks: np.ndarray = (last - (counts - 1) / 2)[of_row]
    return ranks


_Mean = Callable[[np.ndarray], np.ndarray]  # rows (n,) to their mean in each draw (n_draws,)


def draw_means(groups: ArrayLike, n_draws: int, seed: int) -> _Mean:
    """Draw whole logos with replacement, as many as there are, ``n_draws`` times.

    Returns:
        A function from values of the rows, ``(n,)``, to their mean in each draw, ``(n_draws,)``.
        Every call sees the same draws, so differences of its means are paired.
    """
    _, of_row = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(of_row.max()) + 1
    weights = np.random.default_rng(seed).multinomial(
        n_groups, np.full(n_groups, 1 / n_groups), n_draws
    )
    sizes = weights @ np.bincount(of_row)
    return lambda values: (weights @ np.bincount(of_row, values)) / sizes


def _variance(mean: _Mean, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b = x - x.mean(), y - y.mean()  # centred first, or the difference loses its digits
    covariance: np.ndarray = mean(a * b) - mean(a) * mean(b)
    return covariance


def _drawn_correlation(mean: _Mean, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    joint = _variance(mean, x, y)
    correlation: np.ndarray = joint / np.sqrt(_variance(mean, x, x) * _variance(mean, y, y))
    return correlation
