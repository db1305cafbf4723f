"""The regions VTracer will find in a picture, before any curve is fitted.

VTracer's clustering (``color_clusters/builder.rs`` and ``runner.rs`` of visioncortex 0.8) has
two stages, followed here as far as a few milliseconds allow:

1. Neighbouring pixels join one region when, after ``>> (8 - color_precision)``, no channel
   differs by more than 1. So regions grow along gradients, and with 1 bit all is one region.
2. From small to large, a region stays a layer of its own when its area exceeds
   ``filter_speckle ** 2``, it is not thread-like, and the sum of its channel differences to the
   most similar neighbour exceeds ``layer_difference``. Else it takes that neighbour's colour.
   Here each joins its most similar larger neighbour at once; VTracer updates as it goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from svg_quality.errors import ImageError

NO_NEIGHBOUR = 766  # more than the largest sum of three channel differences
MOST_PIXELS: Final = 2**18
_SHIFT: Final = 2**26  # more than MOST_PIXELS times 255


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The regions of one picture at one colour precision; ``n`` of them, ``m`` contacts."""

    labels: np.ndarray  # int32 (H, W), 0 .. n - 1
    areas: np.ndarray  # int64 (n,), px
    colors: np.ndarray  # int32 (n, 3), mean RGB rounded down, as VTracer's
    thick: np.ndarray  # bool (n,), has a pixel whose four neighbours are its own
    perimeters: np.ndarray  # int64 (n,), contacts with other regions
    contrast: np.ndarray  # int64 (n,), channel differences to the most similar neighbour, summed
    heir: np.ndarray  # int64 (n,), the most similar larger neighbour, or itself
    first: np.ndarray  # int32 (m,), one region of each pair of touching pixels
    second: np.ndarray  # int32 (m,), the other
    differences: np.ndarray  # int64 (m,), between the two: of the channels, summed

    @property
    def n(self) -> int:
        """How many regions."""
        return len(self.areas)

    def kept(self, speckle_area: float, layer_difference: int) -> np.ndarray:
        """Which regions stay layers of their own, bool ``(n,)``."""
        solid = self.thick if speckle_area else np.ones(self.n, bool)
        kept: np.ndarray = (self.areas > speckle_area) & solid & (self.contrast > layer_difference)
        return kept

    def merged(self, kept: np.ndarray) -> np.ndarray:
        """For each region the one whose colour it ends up with, int64 ``(n,)``."""
        into = np.where(kept, np.arange(self.n), self.heir)
        while True:  # heirs are larger, so there are no circles and this ends
            further = into[into]
            if np.array_equal(further, into):
                return into
            into = further


def find_regions(rgb: np.ndarray, color_precision: int) -> Regions:
    """Stage 1 of VTracer's clustering.

    Args:
        rgb: uint8 ``(H, W, 3)``, at least 2 px on each side.
        color_precision: bits, 1-8.

    Raises:
        ImageError: it has more than ``MOST_PIXELS`` pixels.
    """
    labels, n = _labels(rgb >> (8 - color_precision))
    areas, colors = _means(labels, n, rgb)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    first = np.concatenate([labels[:, 1:][across], labels[1:][down]])
    second = np.concatenate([labels[:, :-1][across], labels[:-1][down]])
    differences = _differences(first, second, colors)
    contrast, heir = _neighbours(first, second, differences, areas)
    return Regions(
        labels=labels,
        areas=areas,
        colors=colors,
        thick=np.bincount(labels[_inner(across, down)], minlength=n) > 0,
        perimeters=np.bincount(first, minlength=n) + np.bincount(second, minlength=n),
        contrast=contrast,
        heir=heir,
        first=first,
        second=second,
        differences=differences,
    )


def _labels(levels: np.ndarray) -> tuple[np.ndarray, int]:
    """Regions of touching alike pixels: int32 ``(H, W)`` from 0, and their number.

    OpenCV joins pixels of equal value only. So pixels and the links between them become the
    pixels of a picture of twice the size, where links between unlike pixels are missing.
    """
    height, width = levels.shape[:2]
    linked = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    linked[::2, ::2] = 1
    linked[::2, 1::2] = _largest(cv2.absdiff(levels[:, 1:], levels[:, :-1])) <= 1
    linked[1::2, ::2] = _largest(cv2.absdiff(levels[1:], levels[:-1])) <= 1
    n, labels = cv2.connectedComponents(linked, connectivity=4, ltype=cv2.CV_32S)
    return np.ascontiguousarray(labels[::2, ::2]) - 1, n - 1


def _means(labels: np.ndarray, n: int, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas, int64 ``(n,)``, and mean colours rounded down, int32 ``(n, 3)``.

    A sum of float64 is exact to 53 bits, so two sums of 26 bits are made in one go.
    """
    if labels.size > MOST_PIXELS:
        size = f"{labels.shape[1]} x {labels.shape[0]}"
        raise ImageError(f"regions are found among {MOST_PIXELS} pixels at most, got {size}")
    flat = labels.ravel().astype(np.intp)
    red, green, blue = (plane.ravel().astype(np.float64) for plane in cv2.split(rgb))
    pairs = (red + green * _SHIFT, blue + _SHIFT)
    sums = [np.bincount(flat, pair, n).astype(np.int64) for pair in pairs]
    high, low = [one // _SHIFT for one in sums], [one % _SHIFT for one in sums]
    areas = high[1]
    colors = np.stack([low[0], high[0], low[1]], 1) / areas[:, None]
    return areas, colors.astype(np.int32)


def _largest(differences: np.ndarray) -> np.ndarray:
    red, green, blue = cv2.split(differences)
    return cv2.max(cv2.max(red, green), blue)


def _inner(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Pixels whose neighbours are all of their own region, bool ``(H, W)``."""
    inner = np.ones((across.shape[0], down.shape[1]), bool)
    inner[:, 1:] &= ~across
    inner[:, :-1] &= ~across
    inner[1:] &= ~down
    inner[:-1] &= ~down
    return inner


def _differences(first: np.ndarray, second: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Channel differences between the regions of each contact, summed, int64 ``(m,)``."""
    summed = np.zeros(len(first), np.int64)
    for channel in np.ascontiguousarray(colors.T):
        summed += np.abs(channel.take(first) - channel.take(second))
    return summed


def _neighbours(
    first: np.ndarray, second: np.ndarray, difference: np.ndarray, areas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Contrast to the most similar neighbour, and the most similar larger one, both ``(n,)``."""
    n = len(areas)
    contrast = np.full(n, NO_NEIGHBOUR)
    np.minimum.at(contrast, first, difference)
    np.minimum.at(contrast, second, difference)
    rank = areas * n + np.arange(n)  # of equal areas the later is the larger
    swap = rank[first] > rank[second]
    small, large = np.where(swap, second, first), np.where(swap, first, second)
    best = np.full(n, NO_NEIGHBOUR * n)
    np.minimum.at(best, small, difference * n + large)
    return contrast, np.where(best < NO_NEIGHBOUR * n, best % n, np.arange(n))
