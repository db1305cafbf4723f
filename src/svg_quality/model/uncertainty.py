"""Intervals that cover: split-conformal, calibrated by image, normalised by a spread.

Rows of one image are alike, so the exchangeable unit is the image (with its near-duplicates).
Hierarchical conformal prediction [1]_: each of ``K`` calibration groups weighs ``1 / (K + 1)``,
shared evenly by its rows, the unseen group's share sits at infinity, and the quantile is that
of the weighted scores. It covers a row of a new image with probability of at least ``level``;
calibrated on rows of known images, 0.90 came out as 0.74.

Of ``z = (measured - predicted) / (spread + floor)`` the score is ``max(z, -z / downward)``: a
logo unlike all others comes out far worse than predicted more often than far better, so the
interval reaches ``downward`` times as far down as up. That factor is the ratio of the two sides'
own quantiles at ``level``, of the same rows (the law holds for a factor chosen beforehand; one
number of hundreds of logos moves it by less than the 1 / (K + 1) it has to spare).

References:
    .. [1] Lee, Barber, Willett (2023), Distribution-free inference with hierarchical data,
       arXiv:2306.06342; after Dunn, Wasserman, Ramdas (2022), Distribution-free prediction
       sets for two-layer hierarchical models, doi:10.1080/01621459.2022.2060112
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from svg_quality.errors import ModelError

LEVELS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # calibrated beside the promised one
_MOST_LEANING: Final = 4.0


@dataclass(frozen=True, slots=True)
class Conformal:
    """A calibrated interval around a prediction, clipped to the target's range.

    With ``w = quantile * (spread + floor)``: from ``predicted - downward * w`` to
    ``predicted + w``.
    """

    level: float  # promised coverage, in (0, 1)
    quantile: float  # of the scores
    floor: float  # added to every spread, in the target's unit
    low: float = -1.0  # the target's own range
    high: float = 1.0
    downward: float = 1.0  # how many times as far it reaches down as up
    curve: tuple[tuple[float, float], ...] = ()  # (level, quantile) of other levels, ascending

    def interval(self, predicted: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends, both of the shape of ``predicted``."""
        reach = self.quantile * (np.asarray(spread, float) + self.floor)
        centre = np.asarray(predicted, float)
        return (
            np.clip(centre - self.downward * reach, self.low, self.high),
            np.clip(centre + reach, self.low, self.high),
        )

    @property
    def levels(self) -> tuple[float, ...]:
        """All levels it is calibrated at, ascending."""
        return tuple(sorted({self.level, *(level for level, _ in self.curve)}))

    def at(self, level: float) -> Conformal:
        """The interval of another of its levels.

        Raises:
            ModelError: it is not calibrated at that level.
        """
        quantile = {**dict(self.curve), self.level: self.quantile}.get(level)
        if quantile is None:
            raise ModelError(f"the level must be one of {list(self.levels)}, got {level}")
        return dataclasses.replace(self, level=level, quantile=quantile)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an unlimited end is left out, for JSON has no infinity."""
        ends = {name: getattr(self, name) for name in ("low", "high")}
        return {
            "level": self.level,
            "quantile": self.quantile,
            "floor": self.floor,
            "downward": self.downward,
            "curve": [list(point) for point in self.curve],
        } | {name: end for name, end in ends.items() if math.isfinite(end)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Conformal:
        """What `as_dict` gave.

        Raises:
            ModelError: a number is missing or makes no sense.
        """
        try:
            points = [(float(level), float(q)) for level, q in values.get("curve", ())]
            numbers = {name: float(value) for name, value in values.items() if name != "curve"}
            ends = {"low": -math.inf, "high": math.inf}
            made = cls(**(ends | numbers), curve=tuple(points))
        except (TypeError, ValueError) as error:
            raise ModelError(f"a conformal record must hold its numbers, got {error}") from None
        points = [(made.level, made.quantile), *made.curve]
        if not all(0 < level < 1 and quantile >= 0 for level, quantile in points):
            raise ModelError(f"a conformal record must have a level in (0, 1), got {made}")
        if not (made.floor >= 0 and 0 < made.downward < math.inf):
            raise ModelError(f"a conformal record must have a floor from 0, got {made}")
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
    """Choose the quantiles on rows that training never saw.

    Args:
        measured, predicted, spread: ``(n,)``, in the target's unit.
        groups: ``(n,)``, which rows belong to one image and its near-duplicates.
        level: promised coverage, in (0, 1).
        floor: added to every spread, so that none is nearly zero.
        limits: the target's own range; infinite ends are allowed.

    Returns:
        The interval; its curve has those of ``LEVELS`` for which there are groups enough.

    Raises:
        ModelError: there are fewer groups than ``level / (1 - level)``, or a number is not finite.
    """
    z = (np.asarray(measured) - predicted) / (np.asarray(spread) + floor)
    if not (0 < level < 1 and floor >= 0 and np.isfinite(z).all()):
        raise ModelError(f"calibration needs finite scores and a level in (0, 1), got {level=}")
    up, down = (hierarchical_quantile(np.maximum(side, 0), groups, level) for side in (z, -z))
    ratio = down / up if up > 0 else math.inf if down > 0 else 1.0
    downward = min(max(ratio, 1 / _MOST_LEANING), _MOST_LEANING)
    scores = np.maximum(z, -z / downward)
    n_groups = len(np.unique(groups))
    curve = tuple(
        (other, hierarchical_quantile(scores, groups, other))
        for other in LEVELS
        if other != level and groups_needed(other) <= n_groups
    )
    quantile = hierarchical_quantile(scores, groups, level)
    return Conformal(level, quantile, floor, *limits, downward, curve)


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
        ModelError: there are fewer distinct logos than ``level / (1 - level)``.
    """
    n_groups, needed = len(np.unique(groups)), groups_needed(level)
    if n_groups < needed:
        raise ModelError(
            f"an interval of {level:.0%} needs at least {needed} distinct logos to be calibrated"
            f" on, got {n_groups}: convert more logos"
        )


def groups_needed(level: float) -> int:
    """How many groups there must be for a level's quantile to be finite."""
    return math.ceil(level / (1 - level) - 1e-9)
