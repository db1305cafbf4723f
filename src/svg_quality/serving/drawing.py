"""Pictures as ``data:`` URLs: what was traced, and where a tracing differs from it."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from svg_quality.conversion.rendering import render
from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import ConversionError


@dataclass(frozen=True, slots=True, eq=False)
class DifferenceTask:
    """A picture and its tracing."""

    rgb: np.ndarray  # uint8 (H, W, 3) on white
    svg: str


def difference(pool: WorkerPool, rgb: np.ndarray, svg: str) -> str:
    """`draw_difference`, in a worker process.

    Raises:
        ConversionError: the tracing cannot be drawn.
    """
    outcome = pool.run(draw_difference, [DifferenceTask(rgb, svg)])[0]
    if outcome.result is None:
        raise ConversionError(outcome.error or "a tracing must be drawable, this one is not")
    return outcome.result


def draw_difference(task: DifferenceTask) -> str:
    """Where a tracing differs: a PNG as ``data:`` URL, for `WorkerPool.run`.

    White where both are equal; each pixel is as dark as its most different channel is far off.

    Raises:
        ConversionError: the tracing cannot be drawn.
    """
    height, width = task.rgb.shape[:2]
    return _png_url(255 - cv2.absdiff(task.rgb, render(task.svg, width, height)).max(axis=2))


def picture_url(rgb: np.ndarray) -> str:
    """A picture, uint8 ``(H, W, 3)``, as a PNG."""
    return _png_url(rgb[..., ::-1])


def _png_url(pixels: np.ndarray) -> str:
    png = cv2.imencode(".png", pixels)[1].tobytes()
    return "data:image/png;base64," + base64.b64encode(png).decode()
