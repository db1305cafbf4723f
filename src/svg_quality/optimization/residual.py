"""What conversions of a picture say of the predictions that are not yet verified.

A model's errors on one picture are alike for sets that are alike: where a polygon came out worse
than predicted, the next one will too. So the residuals (measured less predicted) of one picture
are a Gaussian process [1]_ over the sets: what was measured corrects what was not, and says how
sure that is. Alike are sets with the same switches and curves, with the same look-ups of the
picture's descriptors (regions kept, boundary left, error made at these bits, this filter), and
with the same predictions; for a simple picture whole ranges of settings are one and the same.

The prior variance follows the width of the model's own interval, which is calibrated in every
bundle. The other numbers (`residual_priors`) are those under which the residuals of 80 logos
were likeliest.

References:
    .. [1] Rasmussen, Williams (2006), Gaussian Processes for Machine Learning,
       http://gaussianprocess.org/gpml/, equations 2.25 and 2.26 and, for the kernel, 4.17
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

_JITTER: Final = 1e-10  # of the largest variance


@dataclass(frozen=True, slots=True, eq=False)
class ResidualPrior:
    """What is known of a model's residuals before a picture is converted.

    With ``u = width ** power`` two sets covary by ``u u' (similar * matern(distance) + shared) +
    offset``; ``u ** 2 * own`` is added to the variance of each.
    """

    lengths: np.ndarray  # float64 (d,), > 0: how far in each input two sets are still alike
    power: float  # of the interval's width
    similar: float  # variance that sets share the more, the more they are alike
    shared: float  # variance that all sets of a picture share
    offset: float  # the same, but as large where the interval is narrow
    own: float  # variance that no other set tells of


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Sets as the process sees them."""

    inputs: np.ndarray  # float64 (n, d)
    widths: np.ndarray  # float64 (n,), > 0: of the model's interval, in the residual's unit

    def at(self, places: np.ndarray) -> Points:
        """Some of them."""
        return Points(self.inputs[places], self.widths[places])


def posterior(
    prior: ResidualPrior, asked: Points, measured: Points, residuals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals to be expected, and how sure that is.

    Args:
        prior: of SSIM or of log bytes.
        asked: ``n`` sets.
        measured: ``k`` sets; none give the prior.
        residuals: float64 ``(k,)``, measured less predicted.

    Returns:
        mean and standard deviation, float64 ``(n,)`` each, the latter with what is ``own`` of a
        set: a set that was measured is known by its measurement, not by this.
    """
    scale = asked.widths**prior.power
    variance = scale**2 * (prior.similar + prior.shared) + prior.offset
    own = scale**2 * prior.own
    if not len(residuals):
        return np.zeros(len(scale)), np.sqrt(variance + own)
    known = _covariance(prior, measured, measured)
    own_of_known = measured.widths ** (2 * prior.power) * prior.own
    known[np.diag_indices_from(known)] += own_of_known + _JITTER * known.max()
    across = _covariance(prior, measured, asked)
    weights = np.linalg.solve(known, across)
    left = variance - np.einsum("kn,kn->n", across, weights)
    return residuals @ weights, np.sqrt(np.maximum(left, 0) + own)


def _covariance(prior: ResidualPrior, one: Points, other: Points) -> np.ndarray:
    """Without what is ``own``; ``(n, m)``."""
    a, b = one.inputs / prior.lengths, other.inputs / prior.lengths
    squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    r = np.sqrt(5 * np.maximum(squared, 0))
    matern = (1 + r + r**2 / 3) * np.exp(-r)
    scale = np.outer(one.widths**prior.power, other.widths**prior.power)
    covariance: np.ndarray = scale * (prior.similar * matern + prior.shared) + prior.offset
    return covariance
