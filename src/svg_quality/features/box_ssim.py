"""A quick relative of the label for descriptors: SSIM of the luminance in 9 px box windows.

The label itself is `conversion.similarity`: Gaussian windows, three channels, float64. This one
is only ever an input of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

_WINDOW: Final = 9  # px
# SSIM's constants: Wang et al. 2004, DOI 10.1109/TIP.2003.819861.
_C1: Final = (0.01 * 255) ** 2
C2: Final = (0.03 * 255) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Luminance:
    """A luminance with what SSIM needs of it; float32 ``(H, W)`` each."""

    values: np.ndarray
    mean: np.ndarray  # over each window
    variance: np.ndarray


def luminance_of(gray: np.ndarray) -> Luminance:
    """Of uint8 ``(H, W)``."""
    values = gray.astype(np.float32)
    mean = _box(values)
    return Luminance(values, mean, np.maximum(_box(values * values) - mean * mean, 0))


def box_ssim(x: Luminance, y: np.ndarray) -> float:
    """SSIM, at most 1.

    Args:
        x: of one picture.
        y: luminance of the other, float32 ``(H, W)``.
    """
    mean, variance, covariance = _box(y), _box(y * y), _box(x.values * y)
    product = x.mean * mean
    mean *= mean
    variance -= mean
    covariance -= product
    product *= 2
    product += _C1
    covariance *= 2
    covariance += C2
    product *= covariance  # above the line
    mean += x.mean * x.mean
    mean += _C1
    variance += x.variance
    variance += C2
    mean *= variance  # below it
    product /= mean
    return float(product.mean())


def _box(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (_WINDOW, _WINDOW))
