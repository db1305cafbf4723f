"""Line charts: one curve a series, with a legend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from svg_quality.errors import DatasetError
from svg_quality.pages.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Mark, Scale, round_ticks

MAX_SERIES: Final = 6  # as many colours as the style has
_MAX_POINTS: Final = 600  # of one curve; a chart is 300 units wide


def line_chart(
    title: str,
    description: str,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    labels: tuple[str, str],
    *,
    log_x: bool = False,
    log_y: bool = False,
    diagonal: bool = False,
) -> Chart:
    """Curves through points; a point that is not finite is a gap.

    Args:
        title, description: of the chart.
        series: name -> x and y of its points, x ascending.
        labels: of the two axes.
        log_x, log_y: whether an axis is logarithmic; its values must then be positive.
        diagonal: whether to draw the line where both are equal.

    Raises:
        DatasetError: there are more series than colours, or no point at all.
    """
    if len(series) > MAX_SERIES:
        raise DatasetError(f"a chart must have at most {MAX_SERIES} series, got {len(series)}")
    points = {name: np.asarray(values, float) for name, values in series.items()}
    everything = np.concatenate([*points.values()], axis=1) if points else np.empty((2, 0))
    everything = everything[:, np.isfinite(everything).all(0)]
    if not everything.size:
        raise DatasetError(f"a chart must have a point, {title!r} has none")
    x, x_ticks = _scale(everything[0], LEFT, RIGHT, log_x)
    y, y_ticks = _scale(everything[1], BOTTOM, TOP, log_y)
    marks = []
    for place, values in enumerate(points.values()):
        across = np.log10(values[0]) if log_x else values[0]
        up = np.log10(values[1]) if log_y else values[1]
        marks.append(Mark(f"curve series{place}", _path(x(across), y(up))))
    low, high = max(x.low, y.low), min(x.high, y.high)
    ends = x(np.array([low, high])), y(np.array([low, high]))
    return Chart(
        title=title,
        description=description,
        x=x.axis(labels[0], *x_ticks),
        y=y.axis(labels[1], *y_ticks),
        guide=_path(*ends) if diagonal and high > low else "",
        marks=tuple(marks),
        legend=tuple((f"series{place}", name) for place, name in enumerate(points)),
    )


def _scale(
    values: np.ndarray, start: float, end: float, log: bool
) -> tuple[Scale, tuple[list[float], list[str]]]:
    places = np.log10(values) if log else values
    low, high = float(places.min()), float(places.max())
    margin = (high - low) * 0.04 or max(abs(high) * 0.1, 0.05)
    scale = Scale(low - margin, high + margin, start, end)
    ticks = round_ticks(scale.low, scale.high)
    if log:
        powers = [float(k) for k in range(math.ceil(scale.low), math.floor(scale.high) + 1)]
        ticks = powers if len(powers) > 1 else ticks
    elif (values % 1 == 0).all():  # such as epochs
        ticks = [tick for tick in ticks if tick.is_integer()]
    return scale, (ticks, [_text(10**tick if log else tick) for tick in ticks])


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _path(x: np.ndarray, y: np.ndarray) -> str:
    keep = slice(None, None, math.ceil(len(x) / _MAX_POINTS) or 1)
    parts, pen = [], "M"
    for across, up in zip(x[keep].tolist(), y[keep].tolist(), strict=True):
        if math.isfinite(across) and math.isfinite(up):
            parts.append(f"{pen}{across:.1f} {up:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)
