"""The quick SSIM against the formula written out, and against what every SSIM obeys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.features.box_ssim import box_ssim, luminance_of


def written_out(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004, window by window in float64; pictures are mirrored at their borders."""
    c1, c2 = 2.55**2, 7.65**2
    inside = [np.pad(picture.astype(np.float64), 4, mode="reflect") for picture in (x, y)]
    values = []
    for row, column in np.ndindex(x.shape):
        a, b = (picture[row : row + 9, column : column + 9] for picture in inside)
        covariance = ((a - a.mean()) * (b - b.mean())).mean()
        above = (2 * a.mean() * b.mean() + c1) * (2 * covariance + c2)
        below = (a.mean() ** 2 + b.mean() ** 2 + c1) * (a.var() + b.var() + c2)
        values.append(above / below)
    return float(np.mean(values))


def noise(seed: int, height: int = 14, width: int = 11) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def seen(x: np.ndarray, y: np.ndarray) -> float:
    return box_ssim(luminance_of(x), y.astype(np.float32))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_formula_in_box_windows(seed: int) -> None:
    x = noise(seed)
    half = (x.astype(int) + noise(seed + 9)) // 2
    for y in (noise(seed + 9), half.astype(np.uint8), 255 - x):
        assert seen(x, y) == pytest.approx(written_out(x, y), abs=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(5, 40), st.integers(5, 40))
def test_a_picture_is_itself_and_order_does_not_matter(seed: int, height: int, width: int) -> None:
    x, y = noise(seed, height, width), noise(seed + 1, height, width)
    assert seen(x, x) == pytest.approx(1, abs=1e-4)
    assert seen(x, y) == pytest.approx(seen(y, x), abs=1e-4)


def test_a_given_luminance_is_left_as_it_is() -> None:
    """It is compared with many others: what is worked out in place is the function's own."""
    x, y = luminance_of(noise(0)), noise(1).astype(np.float32)
    first, before = box_ssim(x, y), y.copy()
    assert box_ssim(x, y) == first
    assert np.array_equal(y, before)
