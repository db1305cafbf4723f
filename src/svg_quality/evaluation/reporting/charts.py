"""The charts of an evaluation: predicted against measured, and how far off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from svg_quality.pages.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Chart,
    Mark,
    Scale,
    round_ticks,
    size_text,
    stacked_histogram,
)

STYLES: Final = {  # style class: what it stands for, drawn in this order
    "rest": "the rest of the full region",
    "mono": "everyday, black and white",
    "everyday": "everyday, in colour",
}
MAX_DOTS: Final = 6000  # of one style; more would only be a darker blot and a heavier page
_LAYERS: Final = 6  # one path has one opacity, so dots of several paths show where they crowd
_N_BINS: Final = 41  # odd, so that the middle bin has zero in its centre


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart whose dots tell their row when pointed at: where each lies, for the script."""

    chart: Chart
    x: str  # of ``ssim``, ``predicted``, ``error``, ``bytes``, ``predicted_bytes``
    y: str
    x_limits: tuple[float, float]  # at ``LEFT`` and ``RIGHT``; of powers of ten for bytes
    y_limits: tuple[float, float]  # at ``BOTTOM`` and ``TOP``


def style_classes(rows: pd.DataFrame) -> pd.Series[str]:
    """Which of ``STYLES`` each row is drawn in, from ``everyday`` and ``everyday_colour``."""
    colour, everyday = rows["everyday_colour"].astype(bool), rows["everyday"].astype(bool)
    named = np.where(colour, "everyday", np.where(everyday, "mono", "rest"))
    return pd.Series(named, index=rows.index, dtype="str")


def thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that are drawn: of each style at most ``MAX_DOTS``, evenly taken.

    Args:
        rows: with ``region``, their style.
    """
    kept = [
        part.iloc[:: math.ceil(len(part) / MAX_DOTS) or 1]
        for style in STYLES
        for part in [rows[rows["region"] == style]]
    ]
    return pd.concat(kept)


def ssim_scatter(rows: pd.DataFrame) -> Plot:
    """Predicted against measured SSIM.

    Args:
        rows: with ``ssim``, ``predicted_ssim`` and ``region``, the style of each.
    """
    values = rows[["ssim", "predicted_ssim"]].to_numpy(float)
    low = min(math.floor(values.min() * 10) / 10, 0.9)
    limits = low, max(1.0, float(values.max()))
    axis = _decimals(limits)
    chart = _scatter(
        "SSIM: predicted against measured",
        "on the diagonal both are equal",
        _Side("measured SSIM", values[:, 0], limits, *axis),
        _Side("predicted SSIM", values[:, 1], limits, *axis),
        rows["region"].to_numpy(str),
        f"M{LEFT} {BOTTOM}L{RIGHT} {TOP}",
    )
    return Plot(chart, "ssim", "predicted", limits, limits)


def error_scatter(rows: pd.DataFrame) -> Plot:
    """Error against predicted SSIM, which shows where it errs. Takes what `ssim_scatter` does."""
    predicted = rows["predicted_ssim"].to_numpy(float)
    error = predicted - rows["ssim"].to_numpy(float)
    low = min(math.floor(predicted.min() * 10) / 10, 0.9)
    across = low, max(1.0, float(predicted.max()))
    reach = max(float(np.abs(error).max()) * 1.04, 0.05)
    up = -reach, reach
    zero = float(Scale(*up, BOTTOM, TOP)(np.array(0.0)))
    chart = _scatter(
        "Error against predicted SSIM",
        "on the line the prediction was right, above it too hopeful",
        _Side("predicted SSIM", predicted, across, *_decimals(across)),
        _Side("predicted minus measured SSIM", error, up, *_decimals(up)),
        rows["region"].to_numpy(str),
        f"M{LEFT} {zero:.1f}H{RIGHT}",
    )
    return Plot(chart, "predicted", "error", across, up)


def bytes_scatter(rows: pd.DataFrame) -> Plot:
    """Predicted against measured size of the SVG, both axes logarithmic.

    Args:
        rows: with ``svg_bytes``, ``predicted_svg_bytes`` (both above 0) and ``region``.
    """
    values = np.log10(rows[["svg_bytes", "predicted_svg_bytes"]].to_numpy(float))
    low, high = values.min() - 0.05, values.max() + 0.05
    if math.ceil(low) >= math.floor(high):  # fewer than two powers of ten between them
        low, high = math.floor(low), math.ceil(high)
    ticks = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
    texts = [size_text(power) for power in ticks]
    limits = float(low), float(high)
    chart = _scatter(
        "SVG size: predicted against measured",
        "on the diagonal both are equal",
        _Side("measured size (log scale)", values[:, 0], limits, ticks, texts),
        _Side("predicted size (log scale)", values[:, 1], limits, ticks, texts),
        rows["region"].to_numpy(str),
        f"M{LEFT} {BOTTOM}L{RIGHT} {TOP}",
    )
    return Plot(chart, "bytes", "predicted_bytes", limits, limits)


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
        rows["region"].to_numpy(str),
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
        rows["region"].to_numpy(str),
        2.0,
        (ticks, ["1/4", "1/2", "1", "2", "4"]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One axis of a scatter, with the values along it, float64 ``(n,)``."""

    label: str
    values: np.ndarray
    limits: tuple[float, float]
    ticks: Sequence[float]
    texts: Sequence[str]


def _decimals(limits: tuple[float, float]) -> tuple[list[float], list[str]]:
    ticks = round_ticks(*limits)
    return ticks, [f"{tick:.2g}".replace("-", "\N{MINUS SIGN}") for tick in ticks]


def _scatter(
    title: str, meaning: str, across: _Side, up: _Side, styles: np.ndarray, guide: str
) -> Chart:
    """``styles``: str ``(n,)``."""
    x, y = Scale(*across.limits, LEFT, RIGHT), Scale(*up.limits, BOTTOM, TOP)
    places = np.column_stack([x(across.values), y(up.values)])
    marks = [mark for style in STYLES for mark in _dots(style, places[styles == style])]
    return Chart(
        title=title,
        description=f"{len(places)} conversions, {across.label} across, {up.label} upwards; "
        f"{meaning}.",
        x=x.axis(across.label, across.ticks, across.texts),
        y=y.axis(up.label, up.ticks, up.texts),
        guide=guide,
        marks=tuple(marks),
    )


def _dots(style: str, places: np.ndarray) -> list[Mark]:
    """Zero-length lines, which round or square caps turn into dots: 13 bytes a dot."""
    layers = [places[first::_LAYERS] for first in range(_LAYERS)]
    return [
        Mark(f"dots {style}", "".join(f"M{x:.1f} {y:.1f}h0" for x, y in layer.tolist()))
        for layer in layers
        if len(layer)
    ]


def _histogram(
    title: str,
    label: str,
    errors: np.ndarray,
    styles: np.ndarray,
    reach: float,
    ticks: tuple[Sequence[float], Sequence[str]],
) -> Chart:
    """Stacked bars over ``[-reach, reach]``; the outermost hold all that lies beyond."""
    edges = np.linspace(-reach, reach, _N_BINS + 1)
    clipped = errors.clip(-reach, reach)
    return stacked_histogram(
        title,
        f"Histogram of {len(errors)} conversions by {label}; the median is "
        f"{np.median(errors):.3f}{' in powers of two' if 'over' in label else ''}.",
        edges,
        {style: np.histogram(clipped[styles == style], edges)[0] for style in reversed(STYLES)},
        (label, *ticks),
        guide_at=0.0,
    )
