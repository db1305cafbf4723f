"""How alike two images look: the one definition of the label, used everywhere.

The score is SSIM as published [1]_: an 11-tap Gaussian window (sigma 1.5), population
covariance, mean over the three colour channels, and only where the window fits inside the
image. The settings are constants on purpose: a score computed any other way is another
quantity. The blurs are OpenCV's in float64: the same numbers as scikit-image's to 1e-12.

References:
    .. [1] Wang, Bovik, Sheikh, Simoncelli (2004), Image quality assessment,
       IEEE TIP 13(4), doi:10.1109/TIP.2003.819861
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import cv2
import numpy as np

from svg_quality.errors import ImageError

WINDOW: Final = 11  # px; the smallest image side that can be scored
K1, K2, SIGMA, PEAK = 0.01, 0.03, 1.5, 255
TILE: Final = 32  # px; side of the tiles among which the worst is reported
DEFINITION: Final = "wang2004 gauss11 sigma1.5 population rgb-mean on-white float64"

_BELL = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_64F)


class Similarity(NamedTuple):
    """How one tracing compares with its source."""

    ssim: float  # in [-1, 1], higher is better
    ssim_worst_tile: float  # lowest mean over a tile of ``TILE`` px, in [-1, 1]
    mse: float  # of the 0-255 values
    psnr: float | None  # dB; None where mse is 0, since it is infinite there


def compare(original: np.ndarray, rendered: np.ndarray) -> Similarity:
    """Every similarity figure of one pair.

    Args:
        original: the logo on white, uint8, shape ``(H, W, 3)``.
        rendered: its tracing drawn at the same size, uint8, shape ``(H, W, 3)``.

    Raises:
        ImageError: the shapes differ, are not ``(H, W, 3)``, or a side is under
            ``WINDOW`` px. Nothing is resized here.
    """
    _check(original, rendered)
    planes = zip(cv2.split(original), cv2.split(rendered), strict=True)
    maps = [_ssim_map(x.astype(np.float64), y.astype(np.float64)) for x, y in planes]
    local = (maps[0] + maps[1] + maps[2]) / 3
    mse = cv2.norm(original, rendered, cv2.NORM_L2SQR) / original.size
    psnr = float(10 * np.log10(PEAK**2 / mse)) if mse else None
    return Similarity(float(local.mean()), _worst_tile(local), mse, psnr)


def ssim(original: np.ndarray, rendered: np.ndarray) -> float:
    """Structural similarity of two images; 1.0 when they are equal.

    Takes and raises what `compare` does.

    Example:
        >>> white = np.full((16, 16, 3), 255, np.uint8)
        >>> ssim(white, white)
        1.0
        >>> black = np.zeros_like(white)  # by hand: K1**2 / (1 + K1**2)
        >>> round(ssim(white, black), 6)
        0.0001
    """
    return compare(original, rendered).ssim


def _ssim_map(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """SSIM of one channel at each window position, float64 ``(H - 10, W - 10)``.

    The two variances are only ever added, so one blur serves both. One channel at a time and
    in place: allocating float64 images costs as much as the arithmetic.
    """
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    mx, my = _blur(x), _blur(y)
    mxy = mx * my
    squares = mx * mx
    squares += cv2.multiply(my, my)
    covariance = _blur(cv2.multiply(x, y))
    covariance -= mxy
    variances = _blur(cv2.accumulateSquare(y, cv2.multiply(x, x)))
    variances -= squares
    top = 2 * mxy
    top += c1
    covariance *= 2
    covariance += c2
    top *= covariance
    squares += c1
    variances += c2
    squares *= variances
    top /= squares
    return np.asarray(top)


def _blur(z: np.ndarray) -> np.ndarray:
    inset = WINDOW // 2
    return cv2.sepFilter2D(z, cv2.CV_64F, _BELL, _BELL)[inset:-inset, inset:-inset]


def _worst_tile(local: np.ndarray) -> float:
    height, width = local.shape[:2]
    rows = np.linspace(0, height, max(height // TILE, 1) + 1).astype(int)
    columns = np.linspace(0, width, max(width // TILE, 1) + 1).astype(int)
    return min(
        float(local[top:bottom, left:right].mean())
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    )


def _check(original: np.ndarray, rendered: np.ndarray) -> None:
    if original.shape != rendered.shape:
        raise ImageError(f"shapes must match, got {original.shape=}, {rendered.shape=}")
    if original.ndim != 3 or original.shape[-1] != 3:
        raise ImageError(f"expected (H, W, 3), got {original.shape=}")
    if min(original.shape[:2]) < WINDOW:
        raise ImageError(f"sides must be at least {WINDOW} px, got {original.shape=}", "too_small")
