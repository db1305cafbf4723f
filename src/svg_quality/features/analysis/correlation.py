"""Which numbers of a picture go with its quality, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from svg_quality.errors import FeatureError


@dataclass(frozen=True, slots=True)
class Correlation:
    """Of one column with a target, over pictures."""

    name: str
    pearson: float
    pearson_p: float  # two-sided, of independence of normal values
    spearman: float
    spearman_p: float  # two-sided, from Student's t
    adjusted_p: float  # Spearman's, after Benjamini and Hochberg over all columns


@dataclass(frozen=True, slots=True)
class Correlations:
    """Of all columns with one target."""

    n_images: int  # whose target is known
    constant: tuple[str, ...]  # columns that never vary: of them nothing is said
    found: tuple[Correlation, ...]  # the strongest by Spearman's first


def correlations(columns: np.ndarray, names: Sequence[str], target: np.ndarray) -> Correlations:
    """Pearson's and Spearman's of every column with the target.

    Args:
        columns: ``(n, p)``, one row a picture; pictures must be unlike each other, or p-values
            promise too much.
        names: of the ``p`` columns.
        target: ``(n,)``; a picture whose target is NaN is left out.

    Raises:
        FeatureError: the counts differ, or fewer than three pictures have a target.
    """
    if columns.shape != (len(target), len(names)):
        raise FeatureError(
            f"columns must be (pictures, names), got {columns.shape} for {len(target)} pictures"
            f" and {len(names)} names"
        )
    known = np.isfinite(target)
    if known.sum() < 3:
        raise FeatureError(f"a correlation needs at least 3 pictures, got {int(known.sum())}")
    x, y = columns[known].astype(np.float64), target[known].astype(np.float64)
    varies = np.ptp(x, axis=0) > 0
    constant = tuple(name for name, good in zip(names, varies, strict=True) if not good)
    if not np.ptp(y) > 0 or not varies.any():
        return Correlations(len(y), tuple(names) if not np.ptp(y) > 0 else constant, ())
    x = x[:, varies]
    x = (x - x.mean(0)) / np.ptp(x, axis=0)  # so that a small spread on a large mean is exact
    pearson = stats.pearsonr(x, y[:, None], axis=0)
    # Spearman's is Pearson's of the ranks; its p-value too, from the same t of n - 2 degrees.
    spearman = stats.pearsonr(stats.rankdata(x, axis=0), stats.rankdata(y)[:, None], axis=0)
    adjusted = stats.false_discovery_control(spearman.pvalue)
    kept = [name for name, good in zip(names, varies, strict=True) if good]
    figures = np.stack([pearson.statistic, pearson.pvalue, spearman.statistic, spearman.pvalue,
                        adjusted], axis=1)  # fmt: skip
    found = [Correlation(*row) for row in zip(kept, *figures.T.tolist(), strict=True)]
    found.sort(key=lambda each: -abs(each.spearman))
    return Correlations(len(y), constant, tuple(found))
