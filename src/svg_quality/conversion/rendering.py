"""SVG to pixels, by resvg: the only renderer, its version in every row.

Two renderers differ by up to 0.001 in SSIM, so a second one would be a second label.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import cv2
import numpy as np
import resvg_py

from svg_quality.errors import ConversionError

RENDERER_VERSION: Final = f"resvg-py {version('resvg_py')}"


def render(svg: str, width: int | None = None, height: int | None = None) -> np.ndarray:
    """Draw an SVG on white.

    Args:
        svg: the markup.
        width, height: px; where neither is given, the size the SVG itself states.

    Returns:
        uint8 ``(height, width, 3)``, RGB.

    Raises:
        ConversionError: the markup is not an SVG that resvg can draw.
    """
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=svg, width=width, height=height, background="#ffffff", skip_system_fonts=True
        )
    except ValueError as error:
        raise ConversionError(f"resvg must be able to draw the SVG, got: {error}") from error
    rgb = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.asarray(rgb)
