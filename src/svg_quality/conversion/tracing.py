"""Pixels to SVG, by VTracer: the only module that calls it.

VTracer holds the GIL for the whole call, may panic and may run for very long, so many
conversions go through `conversion.workers`, never through threads.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import cv2
import numpy as np
import vtracer

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ConversionError, ImageError

VTRACER_VERSION: Final = version("vtracer")
MAX_PIXELS: Final = 16_000_000  # a flat area over 16.8 Mpx overflows VTracer's colour sums


def trace(rgb: np.ndarray, parameters: Parameters) -> str:
    """Trace an image.

    Args:
        rgb: uint8 ``(H, W, 3)``, already on white: VTracer draws half-transparent pixels opaque.
        parameters: a valid set.

    Returns:
        The SVG as VTracer writes it; the same input gives the same text.

    Raises:
        ImageError: the image has more than ``MAX_PIXELS`` pixels.
        ConversionError: VTracer panicked or refused.
    """
    height, width = rgb.shape[:2]
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"an image must have at most {MAX_PIXELS} pixels, got {height * width}", "too_large"
        )
    if parameters.colormode == "binary":  # VTracer itself thresholds the red channel only
        rgb = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    bitmap = cv2.imencode(".bmp", rgb[..., ::-1])[1].tobytes()
    try:
        svg: str = vtracer.convert_raw_image_to_svg(
            bitmap, img_format="bmp", **parameters.as_dict()
        )
    except ValueError as error:
        raise ConversionError(f"VTracer must accept the image, got: {error}") from error
    except BaseException as error:
        # A panic is a BaseException whose class (pyo3_runtime.PanicException) cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise ConversionError(f"VTracer must not panic, got: {error}") from None
    return svg


def count_paths(svg: str) -> int:
    """Number of ``<path>`` elements of a tracing."""
    return svg.count("<path ")
