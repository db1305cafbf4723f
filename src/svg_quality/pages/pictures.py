"""Pictures of a conversion inside a page: data URIs, and what to say where they came out otherwise.

Nothing is shown from memory: pages trace again what they show, and where the new figures are
not the recorded ones they say so.
"""

from __future__ import annotations

import base64
from typing import Final

import cv2
import numpy as np

MAX_SVG_BYTES: Final = 60_000  # a heavier tracing is shown as a picture of its rendering
SHOWN_SIZE: Final = 320  # px of the longer side of embedded pixels
MAX_LOSSLESS_BYTES: Final = 40_000
SAME_SSIM: Final = 1e-6  # a table may hold float32


def pixels_uri(rgb: np.ndarray) -> str:
    """uint8 ``(H, W, 3)`` as a WebP data URI of at most ``SHOWN_SIZE`` px.

    Lossless, but for pictures that would weigh more than ``MAX_LOSSLESS_BYTES``: a page holds
    dozens of them, or hundreds.
    """
    scale = SHOWN_SIZE / max(rgb.shape[:2])
    if scale < 1:
        size = max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1)
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    for quality in (101, 80, 50):  # above 100 OpenCV writes lossless WebP
        data = cv2.imencode(".webp", rgb[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
        if len(data) <= MAX_LOSSLESS_BYTES:
            break
    return _uri("webp", data.tobytes())


def svg_uri(svg: str) -> str:
    """An SVG as a data URI; as an image, its scripts and references are dead."""
    return _uri("svg+xml", svg.encode())


def unlike_recorded(
    ssim: float, svg_bytes: int, recorded_ssim: float, recorded_bytes: int
) -> str | None:
    """A sentence where a conversion made again is not the recorded one, else None."""
    if abs(ssim - recorded_ssim) <= SAME_SSIM and svg_bytes == recorded_bytes:
        return None
    return (
        f"Converted again, this row gives SSIM {ssim:.6f} and {svg_bytes} bytes; recorded are "
        f"{recorded_ssim:.6f} and {recorded_bytes}. The image or a library is not the one that "
        "was recorded."
    )


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
