"""SSIM: laws, scikit-image as an independent oracle, the written-out formula, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from svg_quality.conversion.similarity import K1, K2, PEAK, SIGMA, WINDOW, compare, ssim
from svg_quality.errors import ImageError

seeds = st.integers(0, 2**32 - 1)
levels = st.integers(0, PEAK)


def noise(seed: int, height: int = 24, width: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat(level: int, size: int = 24) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


@given(seeds)
def test_an_image_is_like_itself(seed: int) -> None:
    assert ssim(noise(seed), noise(seed)) == pytest.approx(1.0, abs=1e-12)


@given(seeds, seeds)
def test_order_does_not_matter(a: int, b: int) -> None:
    assert ssim(noise(a), noise(b)) == pytest.approx(ssim(noise(b), noise(a)), abs=1e-12)


@given(seeds, seeds)
def test_mirroring_both_changes_nothing(a: int, b: int) -> None:
    x, y = noise(a), noise(b)
    assert ssim(x[:, ::-1].copy(), y[:, ::-1].copy()) == pytest.approx(ssim(x, y), abs=1e-9)


@given(levels, levels)
def test_flat_images_follow_the_formula(a: int, b: int) -> None:
    c1 = (K1 * PEAK) ** 2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)  # variances are zero
    assert ssim(flat(a), flat(b)) == pytest.approx(expected, abs=1e-6)


@given(seeds, seeds)
def test_one_window_follows_the_paper(a: int, b: int) -> None:
    """On an 11 x 11 image SSIM is one window: the paper's formula, written out."""
    reach = np.arange(WINDOW) - WINDOW // 2
    bell = np.exp(-(reach**2) / (2 * SIGMA**2))
    weight = np.outer(bell, bell)[..., None] / bell.sum() ** 2

    def mean(z: np.ndarray) -> np.ndarray:
        return np.asarray((weight * z).sum(axis=(0, 1)))

    x, y = noise(a, WINDOW, WINDOW).astype(float), noise(b, WINDOW, WINDOW).astype(float)
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    by_hand = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    pair = noise(a, WINDOW, WINDOW), noise(b, WINDOW, WINDOW)
    assert ssim(*pair) == pytest.approx(by_hand.mean(), abs=1e-12)


@given(seeds, seeds, st.integers(WINDOW, 70), st.integers(WINDOW, 70))
def test_agrees_with_scikit_image(a: int, b: int, height: int, width: int) -> None:
    x, y = noise(a, height, width), noise(b, height, width)
    y[: height // 2] = x[: height // 2]
    y[-1, -1] = 255 - x[-1, -1]  # never equal: there PSNR is infinite
    oracle = structural_similarity(
        x, y, data_range=PEAK, channel_axis=-1, gaussian_weights=True, sigma=SIGMA,
        use_sample_covariance=False, K1=K1, K2=K2,
    )  # fmt: skip
    likeness = compare(x, y)
    assert likeness.ssim == pytest.approx(oracle, abs=1e-12)
    assert likeness.mse == pytest.approx(mean_squared_error(x, y))
    assert likeness.psnr == pytest.approx(peak_signal_noise_ratio(x, y, data_range=PEAK))


def test_equal_images_have_no_finite_psnr() -> None:
    likeness = compare(noise(1), noise(1))
    assert (likeness.mse, likeness.psnr) == (0, None)


def test_the_worst_tile_finds_one_damaged_corner() -> None:
    x = noise(5, 138, 138)  # 128 window positions a side: 4 x 4 tiles
    y = x.copy()
    y[:30, :30] = 255 - y[:30, :30]
    likeness = compare(x, y)
    assert likeness.ssim > 0.9
    assert likeness.ssim_worst_tile < 0.1


@given(seeds, seeds)
def test_the_worst_tile_is_never_better_than_the_mean(a: int, b: int) -> None:
    likeness = compare(noise(a, 80, 50), noise(b, 80, 50))
    assert likeness.ssim_worst_tile <= likeness.ssim


@pytest.mark.parametrize(
    ("original", "rendered", "message"),
    [
        pytest.param(flat(0, 24), flat(0, 25), "shapes must match", id="sizes differ"),
        pytest.param(flat(0, WINDOW - 1), flat(0, WINDOW - 1), "at least 11 px", id="too small"),
        pytest.param(flat(0)[..., 0], flat(0)[..., 0], "expected", id="grey"),
    ],
)
def test_refuses(original: np.ndarray, rendered: np.ndarray, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        ssim(original, rendered)
