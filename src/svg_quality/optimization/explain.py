"""What each parameter does to one picture, with the others fixed: why does this slider do nothing?

The curves are a model's predictions. A few conversions, at the ends of each range and at the
fixed value, stand beside them: where those are all the same, the slider really does nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from svg_quality.conversion.parameters import CHOICES, NAMES, RANGES, Parameters
from svg_quality.optimization.base import Attempt
from svg_quality.optimization.rules import without_effect

if TYPE_CHECKING:
    from svg_quality.prediction.picture import Picture

SLIGHT_SSIM: Final = 0.001  # what an objective tolerates
SLIGHT_FACTOR: Final = 1.01  # of bytes
_MAX_POINTS: Final = 33  # of a curve
_LENGTH_STEPS: Final = 27  # every quarter of a pixel
_LIKELY: Final = {  # where conversions came out the same although no rule says so
    "hierarchical": "no shape of this picture lies on another",
    "mode": "its outlines are straight and on whole pixels already",
    "filter_speckle": "it has no patches of that size",
    "color_precision": "its colours lie so far apart that fewer bits tell them apart as well",
    "layer_difference": "it has too few shades to be put into layers",
    "corner_threshold": "its outlines have no bend that counts as a corner at one and not at all",
    "length_threshold": "its outlines have no segment long enough to be divided",
    "max_iterations": "smoothing ends by itself once no segment is longer than length_threshold",
    "splice_threshold": "its outlines have no bend long enough to be cut in two",
    "path_precision": "its coordinates have no more decimals",
}


@dataclass(frozen=True, slots=True)
class MeasuredPoint:
    """A real conversion on a curve."""

    value: Any
    ssim: float
    svg_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One parameter over its range; arrays are float64 ``(n,)``."""

    name: str
    values: tuple[Any, ...]  # n, ascending, or in the order of ``CHOICES``
    fixed: Any  # its value while the others' curves are drawn; one of ``values``
    ssim: np.ndarray
    ssim_low: np.ndarray
    ssim_high: np.ndarray
    svg_bytes: np.ndarray
    bytes_low: np.ndarray
    bytes_high: np.ndarray
    rule: str | None  # why VTracer does not read it here
    measured: tuple[MeasuredPoint, ...] = ()  # by value

    @property
    def is_choice(self) -> bool:
        """Whether its values are words."""
        return self.name in CHOICES

    @property
    def ssim_range(self) -> float:
        """Highest less lowest SSIM, of what is measured where that is wider."""
        return float(max(np.ptp(self.ssim), np.ptp([p.ssim for p in self.measured] or [0.0])))

    @property
    def bytes_factor(self) -> float:
        """Largest over smallest SVG, at least 1."""
        sizes = [p.svg_bytes for p in self.measured] or [1]
        return max(float(self.svg_bytes.max() / self.svg_bytes.min()), max(sizes) / min(sizes))

    @property
    def is_dead(self) -> bool:
        """Whether it is known to change nothing: by a rule, or by equal conversions."""
        return bool(self.rule) or self._is_same(self.values[0], self.values[-1])

    @property
    def strength(self) -> float:
        """What to sort by: the wider of SSIM in steps of 0.001 and bytes in steps of 1%."""
        if self.is_dead:
            return 0.0
        steps = math.log(self.bytes_factor) / math.log(SLIGHT_FACTOR)
        return max(self.ssim_range / SLIGHT_SSIM, steps)

    @property
    def effect(self) -> str:
        """What it does here, in a sentence or two."""
        if self.rule:
            return f"Does nothing here: {self.rule}."
        if self.is_dead:
            tried = _listed([p.value for p in self.measured])
            return (
                f"Does nothing here: converted with {tried}, the SVG came out the same. Most"
                f" likely {_LIKELY.get(self.name, 'this picture gives it nothing to act on')}."
            )
        if self.strength < 1:
            return (
                "Hardly matters here: over its whole range predicted SSIM moves by"
                f" {self.ssim_range:.4f} and the size by {self.bytes_factor - 1:.1%}."
            )
        return self._told() + self._best_between() + self._half_dead()

    @property
    def brief(self) -> str:
        """The same in one short line."""
        if self.is_dead or self.strength < 1:
            return self.effect
        return self._told() + self._half_dead(reason=False)

    def _told(self) -> str:
        """From end to end, or choice by choice; as measured where it was."""
        known = {p.value: (p.ssim, float(p.svg_bytes)) for p in self.measured}
        said = {
            value: (float(self.ssim[i]), float(self.svg_bytes[i]))
            for i, value in enumerate(self.values)
        }
        ends = self.values if self.is_choice else (self.values[0], self.values[-1])
        figures, how = said, "predicted"
        if all(end in known for end in ends):
            figures, how = known, "converted"
        told = [
            f"{end}, SSIM {figures[end][0]:.3f} and {figures[end][1]:,.0f} bytes" for end in ends
        ]
        return f"With {'; with '.join(told)} ({how})."

    def _best_between(self) -> str:
        """Where the prediction has its best value inside the range."""
        if self.is_choice:
            return ""
        best, smallest = int(np.argmax(self.ssim)), int(np.argmin(self.svg_bytes))
        inner, said = range(1, len(self.values) - 1), ""
        if best in inner and self.ssim[best] - max(self.ssim[0], self.ssim[-1]) > SLIGHT_SSIM:
            said += f" Best SSIM predicted at {self.values[best]}."
        ends = min(self.svg_bytes[0], self.svg_bytes[-1])
        if smallest in inner and self.svg_bytes[smallest] * SLIGHT_FACTOR < ends:
            said += f" Smallest predicted at {self.values[smallest]}."
        return said

    def _half_dead(self, reason: bool = True) -> str:
        """Where conversions show that only one side of the fixed value does anything."""
        if self.is_choice:
            return ""
        for end, side in ((self.values[-1], "Above"), (self.values[0], "Below")):
            if end != self.fixed and self._is_same(self.fixed, end):
                why = f": most likely {_LIKELY[self.name]}" if reason else ""
                return f" {side} {self.fixed} it changes nothing{why}."
        return ""

    def _is_same(self, *values: Any) -> bool:
        """Whether the conversions with these values, and all between, came out alike."""
        known = {p.value: (p.ssim, p.svg_bytes) for p in self.measured}
        if any(value not in known for value in values):
            return False
        places = sorted(self.values.index(value) for value in values)
        between = self.values[places[0] : places[-1] + 1]
        return len({known[value] for value in between if value in known}) == 1


def sensitivity(picture: Picture, at: Parameters | None = None) -> list[Curve]:
    """How each parameter moves what is predicted of a picture, the strongest first.

    A parameter that VTracer does not read beside the others has a flat curve, which is what it
    does, whatever a model says of it.

    Args:
        picture: from `QualityPredictor.picture`.
        at: what the others are fixed at; VTracer's defaults where nothing is given.
    """
    fixed = at or Parameters()
    spans = {name: _span(name, getattr(fixed, name)) for name in NAMES}
    rules = {name: without_effect(name, fixed) for name in NAMES}
    sets = [
        fixed if rules[name] else dataclasses.replace(fixed, **{name: value})
        for name in NAMES
        for value in spans[name]
    ]
    scores = picture.score(sets)
    curves, start = [], 0
    for name, values in spans.items():
        here = slice(start, start + len(values))
        start = here.stop
        curves.append(
            Curve(
                name, values, getattr(fixed, name), scores.ssim[here], scores.ssim_low[here],
                scores.ssim_high[here], scores.svg_bytes[here], scores.bytes_low[here],
                scores.bytes_high[here], rules[name],
            )
        )  # fmt: skip
    return by_effect(curves)


def by_effect(curves: Iterable[Curve]) -> list[Curve]:
    """The strongest first; of equals, in VTracer's order."""
    return sorted(curves, key=lambda curve: (-curve.strength, NAMES.index(curve.name)))


def telling_sets(curves: Sequence[Curve], at: Parameters) -> list[Parameters]:
    """What to convert to check the curves: both ends of each, every choice, and the fixed set."""
    sets = {at: None}
    for curve in curves:
        if not curve.rule:
            values = curve.values if curve.is_choice else (curve.values[0], curve.values[-1])
            sets |= {dataclasses.replace(at, **{curve.name: value}): None for value in values}
    return list(sets)


def with_measured(
    curves: Sequence[Curve], at: Parameters, attempts: Iterable[Attempt]
) -> list[Curve]:
    """The curves with real conversions on them, sorted anew.

    Args:
        curves: of `sensitivity`.
        at: what they were drawn at.
        attempts: of `telling_sets`; a conversion that failed is no point.
    """
    known: Mapping[Parameters, tuple[float, int]] = {
        attempt.parameters: figures for attempt in attempts if (figures := attempt.figures)
    }
    return by_effect(
        dataclasses.replace(
            curve,
            measured=tuple(
                MeasuredPoint(value, *known[one])
                for value in curve.values
                if not curve.rule
                and (one := dataclasses.replace(at, **{curve.name: value})) in known
            ),
        )
        for curve in curves
    )


def _span(name: str, fixed: Any) -> tuple[Any, ...]:
    """Values to score, the fixed one among them."""
    if name in CHOICES:
        return CHOICES[name]
    low, high = RANGES[name]
    if isinstance(low, int):
        places = np.unique(np.linspace(low, high, _MAX_POINTS).round()).astype(int).tolist()
    else:
        places = np.linspace(low, high, _LENGTH_STEPS).round(2).tolist()
    return tuple(sorted({*places, fixed}))


def _listed(values: Sequence[Any]) -> str:
    words = [str(value) for value in values]
    return words[0] if len(words) < 2 else f"{', '.join(words[:-1])} and {words[-1]}"
