"""The page's charts as SVG path data, placed by pure functions and drawn by the template.

Not matplotlib: drawn by the page itself the charts take its fonts and its dark colours, and
cost 0.7 s less. A chart is 360 x 300 units; the plot area lies between ``LEFT``..``RIGHT`` and
``TOP``..``BOTTOM``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

LEFT, RIGHT, TOP, BOTTOM = 48.0, 342.0, 28.0, 256.0
MAX_DOTS: Final = 6000  # of one region; more would only be a darker blot and a heavier page
_LAYERS: Final = 6  # one path has one opacity, so dots of several paths show where they crowd
_N_BINS: Final = 41  # odd, so that the middle bin has zero in its centre


@dataclass(frozen=True, slots=True)
class Axis:
    """A labelled axis; each tick is its place in chart units and its text."""

    label: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """SVG path data and the style class it is drawn with."""

    style: str  # "dots" or "bars", then "everyday" or "rest"
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the template needs to draw one chart."""

    title: str
    description: str  # for those who cannot see it
    x: Axis
    y: Axis
    guide: str  # path of the line where predictions are perfect
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    """A linear map from data to chart units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        share = (values - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def axis(self, label: str, ticks: Sequence[float], texts: Sequence[str]) -> Axis:
        places = self(np.asarray(ticks, float)).round(1).tolist()
        return Axis(label, tuple(zip(places, texts, strict=True)))


def ssim_scatter(rows: pd.DataFrame) -> Chart:
    """Predicted against measured SSIM.

    Args:
        rows: with ``ssim``, ``predicted_ssim`` and ``everyday``.
    """
    values = rows[["ssim", "predicted_ssim"]].to_numpy(float)
    low = min(math.floor(values.min() * 10) / 10, 0.9)
    ticks = _round_ticks(low, 1.0)
    return _scatter(
        "SSIM: predicted against measured",
        ("measured SSIM", "predicted SSIM"),
        values,
        rows["everyday"].to_numpy(bool),
        (low, max(1.0, values.max())),
        (ticks, [f"{tick:.2g}" for tick in ticks]),
    )


def bytes_scatter(rows: pd.DataFrame) -> Chart:
    """Predicted against measured size of the SVG, both axes logarithmic.

    Args:
        rows: with ``svg_bytes``, ``predicted_svg_bytes`` (both above 0) and ``everyday``.
    """
    values = np.log10(rows[["svg_bytes", "predicted_svg_bytes"]].to_numpy(float))
    low, high = values.min() - 0.05, values.max() + 0.05
    if math.ceil(low) >= math.floor(high):  # fewer than two powers of ten between them
        low, high = math.floor(low), math.ceil(high)
    ticks = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
    return _scatter(
        "SVG size: predicted against measured",
        ("measured size (log scale)", "predicted size (log scale)"),
        values,
        rows["everyday"].to_numpy(bool),
        (low, high),
        (ticks, [_size_text(power) for power in ticks]),
    )


def ssim_error_histogram(rows: pd.DataFrame) -> Chart:
    """Rows by predicted minus measured SSIM. Takes what `ssim_scatter` does."""
    errors = (rows["predicted_ssim"] - rows["ssim"]).to_numpy(float)
    reach = max(math.ceil(np.quantile(np.abs(errors), 0.98) * 20) / 20, 0.05)
    ticks = [-reach, -reach / 2, 0.0, reach / 2, reach]
    texts = [f"{tick:+.3g}".replace("-", "\N{MINUS SIGN}") if tick else "0" for tick in ticks]
    return _histogram(
        "Error of the predicted SSIM",
        "predicted minus measured SSIM",
        errors,
        rows["everyday"].to_numpy(bool),
        reach,
        (ticks, texts),
    )


def bytes_error_histogram(rows: pd.DataFrame) -> Chart:
    """Rows by predicted over measured size. Takes what `bytes_scatter` does."""
    errors = np.log2((rows["predicted_svg_bytes"] / rows["svg_bytes"]).to_numpy(float))
    ticks = [-2.0, -1.0, 0.0, 1.0, 2.0]
    return _histogram(
        "Error of the predicted size",
        "predicted over measured size",
        errors,
        rows["everyday"].to_numpy(bool),
        2.0,
        (ticks, ["1/4", "1/2", "1", "2", "4"]),
    )


def _scatter(
    title: str,
    labels: tuple[str, str],
    values: np.ndarray,
    everyday: np.ndarray,
    limits: tuple[float, float],
    ticks: tuple[Sequence[float], Sequence[str]],
) -> Chart:
    """``values``: float64 ``(n, 2)``, measured and predicted; ``everyday``: bool ``(n,)``."""
    x, y = _Scale(*limits, LEFT, RIGHT), _Scale(*limits, BOTTOM, TOP)
    places = np.column_stack([x(values[:, 0]), y(values[:, 1])])
    marks = [*_dots("rest", places[~everyday]), *_dots("everyday", places[everyday])]
    return Chart(
        title=title,
        description=f"{len(values)} conversions, {labels[0]} across, {labels[1]} upwards; "
        "on the diagonal both are equal.",
        x=x.axis(labels[0], *ticks),
        y=y.axis(labels[1], *ticks),
        guide=f"M{LEFT} {BOTTOM}L{RIGHT} {TOP}",
        marks=tuple(marks),
    )


def _dots(region: str, places: np.ndarray) -> list[Mark]:
    """Zero-length lines, which round caps turn into dots: 13 bytes a dot."""
    thinned = places[:: math.ceil(len(places) / MAX_DOTS) or 1]
    layers = [thinned[first::_LAYERS] for first in range(_LAYERS)]
    return [
        Mark(f"dots {region}", "".join(f"M{x:.1f} {y:.1f}h0" for x, y in layer.tolist()))
        for layer in layers
        if len(layer)
    ]


def _histogram(
    title: str,
    label: str,
    errors: np.ndarray,
    everyday: np.ndarray,
    reach: float,
    ticks: tuple[Sequence[float], Sequence[str]],
) -> Chart:
    """Stacked bars over ``[-reach, reach]``; the outermost hold all that lies beyond."""
    edges = np.linspace(-reach, reach, _N_BINS + 1)
    clipped = errors.clip(-reach, reach)
    lower = np.histogram(clipped[everyday], edges)[0]
    upper = lower + np.histogram(clipped[~everyday], edges)[0]
    x = _Scale(-reach, reach, LEFT, RIGHT)
    y = _Scale(0, upper.max() * 1.05, BOTTOM, TOP)
    counts = [tick for tick in _round_ticks(0, float(upper.max())) if tick.is_integer()]
    middle = x(np.zeros(1))[0]
    return Chart(
        title=title,
        description=f"Histogram of {len(errors)} conversions by {label}; the median is "
        f"{np.median(errors):.3f}{' in powers of two' if 'over' in label else ''}.",
        x=x.axis(label, *ticks),
        y=y.axis("conversions", counts, [f"{count:g}" for count in counts]),
        guide=f"M{middle} {BOTTOM}V{TOP}",
        marks=(
            Mark("bars rest", _bars(x(edges), y(lower), y(upper))),
            Mark("bars everyday", _bars(x(edges), y(np.zeros(len(lower))), y(lower))),
        ),
    )


def _bars(edges: np.ndarray, bottoms: np.ndarray, tops: np.ndarray) -> str:
    """One rectangle a bin, half a unit apart; all in chart units."""
    return "".join(
        f"M{left + 0.25:.1f} {bottom:.1f}V{top:.1f}H{right - 0.25:.1f}V{bottom:.1f}Z"
        for left, right, bottom, top in zip(
            edges[:-1].tolist(), edges[1:].tolist(), bottoms.tolist(), tops.tolist(), strict=True
        )
        if bottom - top > 0
    )


def _round_ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers in ``[low, high]``."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _size_text(power: float) -> str:
    value = 10.0**power
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} B"
