"""What the figures of one conversion owe each other, whatever the picture.

Each law follows from how `conversion` measures; a row that breaks one was not measured so, or was
damaged on its way.

SSIM and MSE bound each other. With ``d`` the difference of two pictures, and mean ``m`` and
variance ``v`` of ``d`` under the window at one place, the factors of SSIM [1]_ are

    luminance           l = 1 - m^2 / (mx^2 + my^2 + C1)
    contrast-structure  c = 1 - v / (sx^2 + sy^2 + C2)

* ``1 - l c = (1 - l) + l (1 - c) <= m^2/C1 + v/C2 <= (m^2 + v)/C1``, since ``0 < l <= 1`` and
  ``C1 < C2``.
* ``1 - l c >= max(1 - l, 1 - c) >= (m^2 + v) / (A + B)`` with the largest denominators
  ``A = 255^2/2 + C2`` and ``B = 2 255^2 + C1``.

``m^2 + v`` is the window's mean of ``d^2``. Summed over the ``(W-10)(H-10)`` places each pixel
counts with a weight between that of one window's corner (the picture's corner pixel) and 1.

References:
    .. [1] Wang, Bovik, Sheikh, Simoncelli (2004), doi:10.1109/TIP.2003.819861, eq. 6-13
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
import pandas as pd

from svg_quality.conversion.similarity import K1, K2, PEAK, SIGMA, WINDOW

_ROUNDING: Final = 1e-9  # of means over up to 16 million float64 values; measured: under 1e-12
_ROUNDING_AT_ONE: Final = 1e-12  # where pictures are nearly equal, so are the terms
_DECIBEL: Final = 1e-6
_SHORTEST_PATH: Final = len("<path ")  # bytes; what `count_paths` counts
_C1, _C2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
_LARGEST_DENOMINATORS: Final = (PEAK**2 / 2 + _C2) + (2 * PEAK**2 + _C1)


class Broken(NamedTuple):
    """A law and where it is broken."""

    law: str
    rows: np.ndarray  # bool (N,)


def broken_laws(frame: pd.DataFrame) -> list[Broken]:
    """Every law, with the rows that break it; of missing figures only a psnr beside an mse does.

    Args:
        frame: of ``N`` conversions, with the figures of `FIGURES` and the sizes in px.
    """
    ssim, worst, mse, psnr = (_floats(frame[name]) for name in _LIKENESS)
    n_bytes, n_paths = _floats(frame["svg_bytes"]), _floats(frame["path_count"])
    low, high = ssim_bounds(mse, _floats(frame["width"]), _floats(frame["height"]))
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 10 * np.log10(PEAK**2 / mse)
    positive = mse > 0
    return [
        Broken("figures must be finite", _infinite(frame)),
        Broken("mse must be in [0, 255^2]", (mse < 0) | (mse > PEAK**2)),
        Broken("ssim and ssim_worst_tile must be in [-1, 1]",
               (np.abs(ssim) > 1 + _ROUNDING) | (np.abs(worst) > 1 + _ROUNDING)),
        Broken("psnr must be 10 log10(255^2 / mse), and missing where mse is 0",
               (positive & ~(np.abs(psnr - decibels) <= _DECIBEL))
               | ((mse == 0) & ~np.isnan(psnr))),
        Broken("ssim_worst_tile must be at most ssim", worst > ssim + _ROUNDING),
        Broken("ssim must be near 1 where mse is near 0", ssim < low - _ROUNDING),
        Broken("ssim must be below 1 where mse is above 0", ssim > high + _ROUNDING_AT_ONE),
        Broken("a path must take bytes of the SVG", n_bytes < _SHORTEST_PATH * n_paths),
        Broken("width and height must be the source's, reduced to the working size",
               _wrong_size(frame)),
    ]  # fmt: skip


def ssim_bounds(
    mse: np.ndarray, width: np.ndarray, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest SSIM that a mean squared error allows.

    Args:
        mse: ``(N,)`` of the 0-255 values.
        width, height: ``(N,)`` px, of the compared pictures, at least ``WINDOW``.

    Returns:
        Two arrays ``(N,)``; see the head of this file.
    """
    corner = float(cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_64F)[0, 0]) ** 2
    places = np.maximum(width - WINDOW + 1, 1) * np.maximum(height - WINDOW + 1, 1)
    error = mse * (width * height / places)
    return 1 - error / _C1, 1 - corner * error / _LARGEST_DENOMINATORS


_LIKENESS: Final = ("ssim", "ssim_worst_tile", "mse", "psnr")
_TIMES: Final = ("trace_ms", "render_ms")


def _infinite(frame: pd.DataFrame) -> np.ndarray:
    found = np.zeros(len(frame), dtype=bool)
    for name in (*_LIKENESS, *_TIMES):
        found |= np.isinf(_floats(frame[name]))
    return found


def _wrong_size(frame: pd.DataFrame) -> np.ndarray:
    """As `conversion.images` reduces: never enlarged, halves rounded to even."""
    width, height, source_width, source_height, side = (
        _floats(frame[name])
        for name in ("width", "height", "source_width", "source_height", "working_size")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.minimum(side / np.maximum(source_width, source_height), 1)
    wrong = np.minimum(width, height) < WINDOW
    for traced, source in ((width, source_width), (height, source_height)):
        wrong |= traced != np.rint(source * scale)
    return np.asarray(wrong)


def _floats(column: pd.Series[float]) -> np.ndarray:
    return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
