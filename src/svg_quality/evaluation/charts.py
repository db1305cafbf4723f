"""The charts of an evaluation: predicted against measured, and how far off."""

from __future__ import annotations

import math
from collections.abc import Sequence
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

MAX_DOTS: Final = 6000  # of one region; more would only be a darker blot and a heavier page
_LAYERS: Final = 6  # one path has one opacity, so dots of several paths show where they crowd
_N_BINS: Final = 41  # odd, so that the middle bin has zero in its centre


def ssim_scatter(rows: pd.DataFrame) -> Chart:
    """Predicted against measured SSIM.

    Args:
        rows: with ``ssim``, ``predicted_ssim`` and ``everyday``.
    """
    values = rows[["ssim", "predicted_ssim"]].to_numpy(float)
    low = min(math.floor(values.min() * 10) / 10, 0.9)
    ticks = round_ticks(low, 1.0)
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
        (ticks, [size_text(power) for power in ticks]),
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
    x, y = Scale(*limits, LEFT, RIGHT), Scale(*limits, BOTTOM, TOP)
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
    return stacked_histogram(
        title,
        f"Histogram of {len(errors)} conversions by {label}; the median is "
        f"{np.median(errors):.3f}{' in powers of two' if 'over' in label else ''}.",
        edges,
        {
            "everyday": np.histogram(clipped[everyday], edges)[0],
            "rest": np.histogram(clipped[~everyday], edges)[0],
        },
        (label, *ticks),
        guide_at=0.0,
    )
