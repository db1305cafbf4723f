"""Small conversions that tell how a large one will go: the low-fidelity probes.

A copy of a picture, three quarters of its side, is traced with a few fixed settings, drawn at the
picture's own size, and compared with the picture there. So it is known before any conversion is
made, for the price of two, how this picture takes to few colours, to coarse filtering, to curves
without corners; a model then only has to tell what lies between the probes. What a probe gives is
a quantity of its own, never the label:

* ``ssim``: structural similarity of blocks of 8 px, every 4 px, mean over RGB (Wang et al. 2004
  with a box window [1]_), between the picture and its copy's tracing;
* ``log_bytes``: natural logarithm of the size of the copy's SVG.

Drawn by OpenCV, not resvg: VTracer's own markup needs no more, and it takes a seventh of the time.

References:
    .. [1] Wang, Bovik, Sheikh, Simoncelli (2004), Image quality assessment,
       IEEE TIP 13(4), doi:10.1109/TIP.2003.819861
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

import cv2
import numpy as np

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.tracing import trace

SHRINK: Final = 0.75  # side of the copy over the side of the picture
# Chosen one after another from 24 by what each adds (experiments/LOG.md). Sizes are px of the
# copy. None is cutout: with layer_difference 0 VTracer panics on some pictures.
PROBES: Final[dict[str, Parameters]] = {
    "rounded": Parameters(filter_speckle=2, corner_threshold=180),
    "long": Parameters(
        filter_speckle=2, corner_threshold=90, length_threshold=8.0, splice_threshold=10
    ),
    "3_bits": Parameters(
        color_precision=3, filter_speckle=2, corner_threshold=140, length_threshold=8.0
    ),
    "4_bits_polygon": Parameters(mode="polygon", color_precision=4, filter_speckle=2),
    "3_bits_polygon": Parameters(
        mode="polygon", color_precision=3, filter_speckle=5, layer_difference=64
    ),
    "coarse": Parameters(
        color_precision=5,
        filter_speckle=8,
        layer_difference=128,
        corner_threshold=140,
        splice_threshold=60,
    ),
    "cornered": Parameters(
        filter_speckle=2, corner_threshold=20, length_threshold=10.0, splice_threshold=160
    ),
    "binary": Parameters(colormode="binary", filter_speckle=2),
}
MEASURED: Final = ("ssim", "log_bytes")
PROBE_NAMES: Final[tuple[str, ...]] = tuple(
    f"probe_{what}_{probe}" for what in MEASURED for probe in PROBES
)

_FINER: Final = 2  # drawn at twice the size, then averaged: OpenCV's own smoothing fattens shapes
_FRACTION_BITS: Final = 4  # of the coordinates OpenCV draws
_BLOCK: Final = 4  # px; a window is 2 x 2 blocks
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # SSIM's constants
_PATH: Final = re.compile(
    r'd="([^"]*)" fill="#([0-9A-Fa-f]{6})" transform="translate\(([-\d.]+),([-\d.]+)\)"'
)
_NO_LETTERS: Final = str.maketrans("MLC,", "    ")
_STEPS: Final = np.linspace(0, 1, 7)[1:]
_BEZIER: Final = np.stack(  # weights of the four points of a cubic at each step, (6, 4)
    [(1 - _STEPS) ** 3, 3 * _STEPS * (1 - _STEPS) ** 2, 3 * _STEPS**2 * (1 - _STEPS), _STEPS**3], 1
)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """A picture with what the block SSIM needs of it, float32."""

    values: np.ndarray  # (H, W, 3)
    mean: np.ndarray  # (h, w, 3), of each window
    variance: np.ndarray  # (h, w, 3)


def probe(rgb: np.ndarray) -> np.ndarray:
    """Trace a reduced copy with every setting of ``PROBES``.

    Args:
        rgb: uint8 ``(H, W, 3)`` on white, at the working size, at least 2 px on each side.

    Returns:
        float64 ``(len(PROBE_NAMES),)``, in the order of ``PROBE_NAMES``.

    Raises:
        ConversionError: VTracer panicked on the copy. No such picture is known.
    """
    height, width = rgb.shape[:2]
    size = max(int(width * SHRINK), 1), max(int(height * SHRINK), 1)
    copy = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    reference = blocks(rgb)
    traced = [trace(copy, parameters) for parameters in PROBES.values()]
    likeness = [block_ssim(reference, draw(svg, size, (width, height))) for svg in traced]
    return np.array([*likeness, *(math.log(len(svg)) for svg in traced)])


def blocks(rgb: np.ndarray) -> Blocks:
    """What `block_ssim` needs of the picture that tracings are compared with.

    Args:
        rgb: uint8 ``(H, W, 3)``.
    """
    values = rgb.astype(np.float32)
    mean = _windows(values)
    return Blocks(values, mean, np.maximum(_windows(values * values) - mean * mean, 0))


def block_ssim(x: Blocks, rgb: np.ndarray) -> float:
    """Mean SSIM over windows of 2 x 2 blocks and over RGB; 1 when they are equal.

    Args:
        x: of the picture.
        rgb: uint8, as large as the picture.
    """
    y = rgb.astype(np.float32)
    mean = _windows(y)
    product = x.mean * mean
    variance = _windows(y * y) - mean * mean
    top = (2 * product + _C1) * (2 * (_windows(x.values * y) - product) + _C2)
    bottom = (x.mean * x.mean + mean * mean + _C1) * (x.variance + variance + _C2)
    return float((top / bottom).mean())


def draw(svg: str, size: tuple[int, int], drawn_size: tuple[int, int]) -> np.ndarray:
    """Draw what VTracer wrote, on white: shapes of one colour each, bounded by lines or cubics.

    Args:
        svg: as `trace` gives it.
        size: width and height of the traced picture, px.
        drawn_size: width and height to draw at, px.

    Returns:
        uint8 ``(height, width, 3)``, RGB. Edges lie within a quarter of a pixel of resvg's.
    """
    width, height = drawn_size
    scale = np.array([width / size[0], height / size[1]]) * _FINER
    canvas = np.full((height * _FINER, width * _FINER, 3), 255, np.uint8)
    paths = _PATH.findall(svg)
    parts = [path.split("Z")[:-1] for path, *_ in paths]
    origins = np.array([[float(right), float(down)] for *_, right, down in paths]).reshape(-1, 2)
    origins = origins.repeat([len(several) for several in parts], 0)
    outlines, lengths = _outlines([part for several in parts for part in several])
    placed = (outlines + origins.repeat(lengths, 0)) * scale - 0.5
    points = np.rint(placed * 2**_FRACTION_BITS).astype(np.int32)
    ends = np.cumsum(lengths).tolist()
    shapes = iter([points[end - n : end] for end, n in zip(ends, lengths.tolist(), strict=True)])
    for (_, fill, *_), several in zip(paths, parts, strict=True):
        color = int(fill[:2], 16), int(fill[2:4], 16), int(fill[4:], 16)
        outline = list(islice(shapes, len(several)))
        cv2.fillPoly(canvas, outline, color, cv2.LINE_8, _FRACTION_BITS)
    return cv2.resize(canvas, drawn_size, interpolation=cv2.INTER_AREA)


def _outlines(parts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Closed outlines, one after another, and how many corners each has; a cubic becomes six lines.

    Args:
        parts: markup of one outline each, without its end.

    Returns:
        px ``(n, 2)``, and int ``(len(parts),)``, which adds up to ``n``.
    """
    words = [part.translate(_NO_LETTERS).split() for part in parts]
    numbers = map(float, chain.from_iterable(words))
    points = np.fromiter(numbers, np.float64).reshape(-1, 2)
    lengths = np.array([len(several) // 2 for several in words], int)
    curved = np.array(["C" in part for part in parts], bool)
    if not curved.any():
        return points, lengths
    first = np.zeros(len(points), bool)
    first[np.cumsum(lengths) - lengths] = True
    of_curve = np.repeat(curved, lengths)
    ends = points[of_curve & ~first].reshape(-1, 3, 2)
    n_cubics = lengths[curved] // 3
    starts = np.empty((len(ends), 2))
    starts[1:] = ends[:-1, 2]
    starts[np.cumsum(n_cubics) - n_cubics] = points[of_curve & first]
    corners = (_BEZIER @ np.concatenate([starts[:, None], ends], 1)).reshape(-1, 2)
    made = np.where(curved, lengths // 3 * len(_STEPS), lengths)
    outlines = np.empty((made.sum(), 2))
    bent = np.repeat(curved, made)
    outlines[bent], outlines[~bent] = corners, points[~of_curve]
    return outlines, made


def _windows(values: np.ndarray) -> np.ndarray:
    """Means over windows of 2 x 2 blocks, every block; where there is one block, over it."""
    height, width = values.shape[:2]
    size = max(width // _BLOCK, 1), max(height // _BLOCK, 1)
    means = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    for axis in (0, 1):
        if means.shape[axis] > 1:
            later = np.arange(1, means.shape[axis])
            means = (means.take(later - 1, axis) + means.take(later, axis)) / 2
    return means
