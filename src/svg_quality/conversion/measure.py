"""One conversion, measured: trace, draw, compare."""

from __future__ import annotations

from dataclasses import dataclass, fields
from time import perf_counter
from typing import Final

import numpy as np

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.rendering import render
from svg_quality.conversion.similarity import compare
from svg_quality.conversion.tracing import count_paths, trace


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of tracing one image with one parameter set."""

    svg: str
    ssim: float  # in [-1, 1]
    ssim_worst_tile: float  # in [-1, 1]
    mse: float
    psnr: float | None  # dB, None where mse is 0
    svg_bytes: int
    path_count: int
    trace_ms: float
    render_ms: float


FIGURES: Final = tuple(f.name for f in fields(Measurement) if f.name != "svg")  # a row keeps these


def measure(rgb: np.ndarray, parameters: Parameters) -> Measurement:
    """Trace an image and compare the drawn tracing with it, at the size it was traced.

    Args:
        rgb: uint8 ``(H, W, 3)`` on white.
        parameters: a valid set.

    Raises:
        ImageError: the image is too small or too large to be scored.
        ConversionError: tracing or drawing failed.
    """
    start = perf_counter()
    svg = trace(rgb, parameters)
    traced = perf_counter()
    drawn = render(svg, rgb.shape[1], rgb.shape[0])
    rendered = perf_counter()
    likeness = compare(rgb, drawn)
    return Measurement(
        svg=svg,
        **likeness._asdict(),
        svg_bytes=len(svg.encode()),
        path_count=count_paths(svg),
        trace_ms=1e3 * (traced - start),
        render_ms=1e3 * (rendered - traced),
    )
