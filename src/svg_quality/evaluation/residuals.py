"""What one set of errors looks like: centre, tails, outliers, and how sure a correlation is.

A residual here is predicted minus measured: above zero the prediction was too hopeful.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from svg_quality.evaluation.metrics import Score, checked_pair

if TYPE_CHECKING:
    import pandas as pd

NEAR: Final = (0.05, 0.10)  # |residual| of at most this, in the target's unit
OUTLIER_SCORE: Final = 3.5  # modified z-score (Iglewicz, Hoaglin 1993, How to detect outliers)
_MAD_OF_NORMAL: Final = 0.6744897501960817  # median |z| of a standard normal
_MEAN_OF_NORMAL: Final = 0.7978845608028654  # mean |z| of a standard normal, sqrt(2 / pi)


def residual_figures(measured: ArrayLike, predicted: ArrayLike) -> Score:
    """How the errors of one set of rows are spread.

    Args:
        measured, predicted: ``(n,)``, finite, in the target's unit.

    Returns:
        ``mse``, ``bias`` (mean residual), ``median``, ``skewness``, ``kurtosis`` (excess: 0 for a
        normal), ``within_0.05`` and ``within_0.10`` (shares), ``outliers`` (count); None where
        one is not defined: all but the count without rows, the two of shape where the residual
        never varies.

    Raises:
        DatasetError: the lengths differ or a number is not finite.
    """
    y, p = checked_pair(measured, predicted)
    residual = p - y
    n = len(residual)
    shares = {f"within_{reach:.2f}": _mean(np.abs(residual) <= reach) for reach in NEAR}
    centred = residual - residual.mean() if n else residual
    # Where all are equal but for rounding, the moments of shape are those of the rounding.
    second = float(np.square(centred).mean()) if n else 0.0
    shaped = second > (1e-9 * float(np.abs(residual).max())) ** 2 if n else False
    return {
        "mse": _mean(np.square(residual)),
        "bias": _mean(residual),
        "median": float(np.median(residual)) if n else None,
        "skewness": float((centred**3).mean() / second**1.5) if shaped else None,
        "kurtosis": float((centred**4).mean() / second**2 - 3) if shaped else None,
        **shares,
        "outliers": int(outliers(residual).sum()),
    }


def outliers(residual: np.ndarray) -> np.ndarray:
    """Which residuals lie far outside the others' spread: bool ``(n,)``.

    By the modified z-score, which the outliers themselves cannot inflate: the distance from the
    median over the median such distance. Where more than half are equal that median is zero, and
    the mean distance stands in for it.
    """
    if not len(residual):
        return np.zeros(0, bool)
    apart = np.abs(residual - np.median(residual))
    spread = float(np.median(apart)) / _MAD_OF_NORMAL or float(apart.mean()) / _MEAN_OF_NORMAL
    return apart > OUTLIER_SCORE * spread if spread else np.zeros(len(residual), bool)


def correlation_p_values(measured: ArrayLike, predicted: ArrayLike) -> dict[str, float | None]:
    """Two-sided p-values of ``pearson`` and ``spearman``; None where they are not defined.

    They take every row for independent. Rows of one logo are not, so the true ones are larger:
    the intervals of `cluster_bootstrap` are the honest statement.
    """
    from scipy import stats  # heavy

    y, p = checked_pair(measured, predicted)
    if len(y) < 3 or not (np.ptp(y) and np.ptp(p)):
        return {"pearson": None, "spearman": None}
    return {
        "pearson": float(stats.pearsonr(y, p).pvalue),
        "spearman": float(stats.spearmanr(y, p).pvalue),
    }


def quality_band_masks(measured: np.ndarray) -> dict[str, np.ndarray]:
    """Rows by measured SSIM in three bands, bool ``(n,)`` each, lowest first."""
    return {
        "below 0.6": measured < 0.6,
        "0.6 to 0.8": (measured >= 0.6) & (measured < 0.8),
        "0.8 and above": measured >= 0.8,
    }


def value_masks(column: pd.Series) -> dict[str, np.ndarray]:
    """Rows by the value of a column, bool ``(n,)`` each, the most frequent first."""
    values = column.astype("string").fillna("not stated")
    return {str(value): (values == value).to_numpy(bool) for value in values.value_counts().index}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
