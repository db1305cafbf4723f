"""How much a set is expected to gain on the best one measured, if it were converted next.

Expected improvement [1]_, times the chance of keeping the objective's bounds [2]_; beliefs of
SSIM and of log bytes are normal, and independent of each other.

References:
    .. [1] Jones, Schonlau, Welch (1998), Efficient global optimization of expensive black-box
       functions, J. Global Optimization 13, doi:10.1023/A:1008306431147
    .. [2] Gardner et al. (2014), Bayesian optimization with inequality constraints, ICML
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from svg_quality.optimization.objective import Objective

# A Gaussian of the residuals' variance is wider in the middle than they are, for their tails are
# heavy; chosen by what 80 validation logos gained (experiments/LOG.md).
_MIDDLE: Final = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """What is expected of ``n`` sets; float64 ``(n,)`` each."""

    ssim: np.ndarray
    ssim_sd: np.ndarray
    log_bytes: np.ndarray
    log_bytes_sd: np.ndarray


def chance(objective: Objective, beliefs: Beliefs) -> np.ndarray:
    """Probability of keeping floor and ceiling; float64 ``(n,)``.

    Args:
        objective: resolved.
        beliefs: of the sets.
    """
    probability = np.ones(len(beliefs.ssim))
    if objective.min_ssim is not None:
        probability *= _below((beliefs.ssim - objective.min_ssim) / (_MIDDLE * beliefs.ssim_sd))
    if objective.max_bytes is not None:
        room = np.log(objective.max_bytes) - beliefs.log_bytes
        probability *= _below(room / beliefs.log_bytes_sd)
    return probability


def expected_gain(
    objective: Objective, beliefs: Beliefs, best: tuple[float, int] | None, caution: float = 1.0
) -> np.ndarray:
    """What converting each set next is worth; float64 ``(n,)``.

    Args:
        objective: resolved.
        beliefs: of the sets.
        best: SSIM and bytes of the best set that meets the objective; None: none does.
        caution: power of the chance of keeping the bounds; more than 1 after failures.

    Returns:
        For the smallest file, the share of the best's bytes that is saved; else SSIM. Without a
        best, of a set that surely meets the bounds but is large, or poor.
    """
    gain: np.ndarray
    kept = chance(objective, beliefs)
    if objective.kind == "smallest":
        if best is not None:
            limit = np.log(best[1])
        elif objective.max_bytes is not None:
            limit = np.log(objective.max_bytes)
        else:  # above what is likeliest to keep the floor
            limit = beliefs.log_bytes[kept >= kept.max() / 2].max() + 1
        floor_only = Objective(objective.kind, objective.min_ssim)  # the limit is the ceiling
        saved = _saved(beliefs.log_bytes - limit, beliefs.log_bytes_sd)
        gain = chance(floor_only, beliefs) ** caution * saved
        return gain
    start = best[0] if best is not None else float(beliefs.ssim.min())
    gain = kept**caution * _improved(beliefs.ssim - start, _MIDDLE * beliefs.ssim_sd)
    return gain


def _saved(log_ratio: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Mean of ``max(0, 1 - exp(x))`` for normal ``x``: Black and Scholes' put."""
    z = -log_ratio / sd
    saved: np.ndarray = _below(z) - np.exp(log_ratio + sd**2 / 2) * _below(z - sd)
    return saved.clip(0)


def _improved(ahead: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Mean of ``max(0, x)`` for normal ``x``."""
    z = ahead / sd
    improved: np.ndarray = ahead * _below(z) + sd * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return improved.clip(0)


def _below(z: np.ndarray) -> np.ndarray:
    """The normal distribution function."""
    from scipy.special import ndtr  # scipy is slow to import

    probability: np.ndarray = ndtr(z)
    return probability
