"""Intervals that cover: split-conformal, calibrated by image, normalised by a spread.

Rows of one image are alike, so the exchangeable unit is the image (with its near-duplicates).
Hierarchical conformal prediction [1]_: each of ``K`` calibration groups weighs ``1 / (K + 1)``,
shared evenly by its rows, the unseen group's share sits at infinity, and the quantile is that
of the weighted scores ``|measured - predicted| / spread``. It covers a row of a new image with
probability of at least ``level``; calibrated on rows of known images, 0.90 came out as 0.74.

References:
    .. [1] Lee, Barber, Willett (2023), Distribution-free inference with hierarchical data,
       arXiv:2306.06342; after Dunn, Wasserman, Ramdas (2022), Distribution-free prediction
       sets for two-layer hierarchical models, doi:10.1080/01621459.2022.2060112
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from svg_quality.errors import ModelError


@dataclass(frozen=True, slots=True)
class Conformal:
    """A calibrated interval: ``predicted -+ quantile * (spread + floor)``, clipped."""

    level: float  # promised coverage, in (0, 1)
    quantile: float  # of the normalised scores
    floor: float  # added to every spread, in the target's unit
    low: float = -1.0  # the target's own range
    high: float = 1.0

    def interval(self, predicted: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends, both of the shape of ``predicted``."""
        reach = self.quantile * (np.asarray(spread, float) + self.floor)
        centre = np.asarray(predicted, float)
        return (
            np.clip(centre - reach, self.low, self.high),
            np.clip(centre + reach, self.low, self.high),
        )

    def as_dict(self) -> dict[str, float]:
        """Plain numbers for JSON; an unlimited end is left out, for JSON has no infinity."""
        values = {"level": self.level, "quantile": self.quantile, "floor": self.floor}
        ends = {"low": self.low, "high": self.high}
        return values | {name: end for name, end in ends.items() if math.isfinite(end)}

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Conformal:
        """What `as_dict` gave.

        Raises:
            ModelError: a number is missing or makes no sense.
        """
        try:
            numbers = {"low": -math.inf, "high": math.inf}
            numbers |= {name: float(value) for name, value in values.items()}
            made = cls(**numbers)
        except (TypeError, ValueError) as error:
            raise ModelError(f"a conformal record must hold its numbers, got {error}") from None
        if not (0 < made.level < 1 and made.quantile >= 0 and made.floor >= 0):
            raise ModelError(f"a conformal record must have a level in (0, 1), got {made}")
        return made


def calibrate(
    measured: np.ndarray,
    predicted: np.ndarray,
    spread: np.ndarray,
    groups: np.ndarray,
    level: float = 0.9,
    floor: float = 0.002,
    limits: tuple[float, float] = (-1.0, 1.0),
) -> Conformal:
    """Choose the quantile on rows that training never saw.

    Args:
        measured, predicted, spread: ``(n,)``, in the target's unit.
        groups: ``(n,)``, which rows belong to one image and its near-duplicates.
        level: promised coverage, in (0, 1).
        floor: added to every spread, so that none is nearly zero.
        limits: the target's own range; infinite ends are allowed.

    Raises:
        ModelError: there are fewer groups than ``level / (1 - level)``, or a number is not finite.
    """
    scores = np.abs(np.asarray(measured) - predicted) / (np.asarray(spread) + floor)
    if not (0 < level < 1 and floor >= 0 and np.isfinite(scores).all()):
        raise ModelError(f"calibration needs finite scores and a level in (0, 1), got {level=}")
    quantile = hierarchical_quantile(scores, groups, level)
    return Conformal(level, quantile, floor, *limits)


def hierarchical_quantile(scores: np.ndarray, groups: np.ndarray, level: float) -> float:
    """The smallest score below which lies ``level`` of the weight; see the module.

    Raises:
        ModelError: there are too few groups for it to be finite.
    """
    check_calibration_groups(groups, level)
    _, of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1 / (sizes[of_row] * (len(sizes) + 1))
    order = np.argsort(scores)
    reached = np.cumsum(weights[order])
    return float(scores[order][np.searchsorted(reached, level - 1e-12)])


def check_calibration_groups(groups: np.ndarray, level: float) -> None:
    """Refuse before the work of training what could not be calibrated after it.

    Raises:
        ModelError: there are fewer unlike logos than ``level / (1 - level)``.
    """
    n_groups, needed = len(np.unique(groups)), math.ceil(level / (1 - level) - 1e-9)
    if n_groups < needed:
        raise ModelError(
            f"an interval of {level:.0%} needs at least {needed} unlike logos to be calibrated on, "
            f"got {n_groups}: convert more logos"
        )
