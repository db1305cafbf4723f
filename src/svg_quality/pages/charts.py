"""Charts as SVG path data, placed by pure functions and drawn by ``chart.html.j2``.

Not matplotlib: drawn by the page itself the charts take its fonts and its dark colours, and
cost 0.7 s less. A chart is 360 x 300 units; the plot area lies between ``LEFT``..``RIGHT`` and
``TOP``..``BOTTOM``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEFT, RIGHT, TOP, BOTTOM = 48.0, 342.0, 28.0, 256.0


@dataclass(frozen=True, slots=True)
class Axis:
    """A labelled axis; each tick is its place in chart units and its text."""

    label: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """SVG path data and the style class it is drawn with."""

    style: str  # "dots", "bars" or "curve", then "everyday", "rest" or "series0" to "series5"
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the template needs to draw one chart."""

    title: str
    description: str  # for those who cannot see it
    x: Axis
    y: Axis
    guide: str  # path of a line to compare with; empty where there is none
    marks: tuple[Mark, ...]
    legend: tuple[tuple[str, str], ...] = ()  # style class and text of each series


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from data to chart units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Chart units of data."""
        share = (values - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def axis(self, label: str, ticks: Sequence[float], texts: Sequence[str]) -> Axis:
        """An axis of this scale with a text at each tick."""
        places = self(np.asarray(ticks, float)).round(1).tolist()
        return Axis(label, tuple(zip(places, texts, strict=True)))


def stacked_histogram(
    title: str,
    description: str,
    edges: np.ndarray,
    counts: Mapping[str, np.ndarray],
    axis: tuple[str, Sequence[float], Sequence[str]],
    guide_at: float | None = None,
) -> Chart:
    """Bars of conversions, one stack a bin.

    Args:
        title, description: of the chart.
        edges: float64 ``(n_bins + 1,)``, ascending.
        counts: style ("everyday", "rest") -> int64 ``(n_bins,)``, the lowest of a stack first.
        axis: label, ticks (in the edges' unit) and texts of the horizontal axis.
        guide_at: where a vertical line is drawn.
    """
    tops = np.cumsum([np.zeros(len(edges) - 1), *counts.values()], axis=0)
    highest = max(float(tops[-1].max()), 1.0)
    x = Scale(float(edges[0]), float(edges[-1]), LEFT, RIGHT)
    y = Scale(0, highest * 1.05, BOTTOM, TOP)
    ticks = [tick for tick in round_ticks(0, highest) if tick.is_integer()]
    marks = [
        Mark(f"bars {style}", _bars(x(edges), y(tops[k]), y(tops[k + 1])))
        for k, style in enumerate(counts)
    ]
    return Chart(
        title=title,
        description=description,
        x=x.axis(*axis),
        y=y.axis("conversions", ticks, [f"{tick:g}" for tick in ticks]),
        guide="" if guide_at is None else f"M{x(np.array(guide_at))} {BOTTOM}V{TOP}",
        marks=tuple(reversed(marks)),
    )


def round_ticks(low: float, high: float) -> list[float]:
    """Two to six round numbers in ``[low, high]``, where ``low < high``."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def size_text(power: float) -> str:
    """``10**power`` bytes in a unit for people."""
    value = 10.0**power
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} B"


def _bars(edges: np.ndarray, bottoms: np.ndarray, tops: np.ndarray) -> str:
    """One rectangle a bin, half a unit apart; all in chart units."""
    return "".join(
        f"M{left + 0.25:.1f} {bottom:.1f}V{top:.1f}H{right - 0.25:.1f}V{bottom:.1f}Z"
        for left, right, bottom, top in zip(
            edges[:-1].tolist(), edges[1:].tolist(), bottoms.tolist(), tops.tolist(), strict=True
        )
        if bottom - top > 0
    )
