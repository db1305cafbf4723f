"""Descriptors: one picture by hand, laws, and refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.errors import ImageError
from svg_quality.features.descriptors import DESCRIPTOR_NAMES, WORKING_SIDE, describe
from svg_quality.features.probes import PROBE_NAMES, probe


def named(picture: np.ndarray) -> dict[str, float]:
    return dict(zip(DESCRIPTOR_NAMES, describe(picture, 0.0).tolist(), strict=True))


def squares() -> np.ndarray:
    """White 64 x 64 with one black square of 20 px and one of 3 px."""
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[10:30, 10:30] = 0
    picture[50:53, 50:53] = 0
    return picture


def test_two_squares_by_hand() -> None:
    seen = named(squares())
    black = 409 / 4096
    assert seen["binary_share"] == pytest.approx(black)
    assert seen["binary_error"] == 0
    assert seen["binary_ssim"] == pytest.approx(1, abs=1e-4)
    assert seen["white_share"] == pytest.approx(1 - black)
    assert seen["top1_share"] == pytest.approx(1 - black)
    assert seen["top2_share"] == pytest.approx(1)
    assert seen["log_colors"] == pytest.approx(math.log1p(2))
    assert seen["entropy"] == pytest.approx(
        -black * math.log2(black) - (1 - black) * math.log2(1 - black), rel=1e-5
    )
    assert seen["log_regions_p6"] == pytest.approx(math.log1p(3))
    assert seen["boundary_p6"] == pytest.approx((80 + 12) / 4096)
    assert seen["corners_p6"] == pytest.approx(16 / 4096)  # each of 8 corners ends two lines
    assert seen["seams_p6"] == pytest.approx(seen["contrast_p6"])  # black touches white only
    assert seen["contrast_p6"] == pytest.approx((80 + 12) / 4096)
    assert (seen["ssim_flat_p6"], seen["rms_flat_p6"]) == pytest.approx((1, 0), abs=1e-4)
    assert seen["log_merged_p6"] == pytest.approx(math.log1p(2))
    assert seen["merged_boundary_p6"] == pytest.approx(80 / 4096)
    assert seen["log_kept_p6_f0_l0"] == pytest.approx(math.log1p(3))
    assert seen["log_kept_p6_f4_l16"] == pytest.approx(math.log1p(2))  # 9 px is under 4 squared
    assert seen["lost_area_p6_f4_l16"] == pytest.approx(9 / 4096)
    assert seen["lost_area_p6_f0_l255"] == pytest.approx(0)  # black on white differs by 765
    assert seen["log_perimeter_p6_f4_l16"] == pytest.approx(math.log1p(80 + 92))
    assert seen["binary_log_kept_f4"] == pytest.approx(math.log1p(1))
    assert seen["binary_lost_area_f4"] == pytest.approx(9 / 4096)


def test_names_are_unique_and_as_many_as_values() -> None:
    assert len(set(DESCRIPTOR_NAMES)) == len(DESCRIPTOR_NAMES) == len(describe(squares(), 0.0))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(2, 60))
def test_any_picture_has_finite_descriptors_and_the_same_ones_twice(
    seed: int, height: int, width: int
) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    once = describe(picture, 0.5)
    assert once.dtype == np.float32
    assert np.isfinite(once).all()
    assert np.array_equal(once, describe(picture.copy(), 0.5))


def test_the_probes_come_last() -> None:
    assert describe(squares(), 0.0)[-len(PROBE_NAMES) :] == pytest.approx(probe(squares()))


def test_larger_pictures_are_described_at_the_working_side() -> None:
    large = np.kron(squares()[..., 0], np.ones((8, 8), np.uint8))[..., None].repeat(3, 2)
    seen, small = named(large), named(squares())
    assert large.shape[0] > WORKING_SIDE
    assert seen["log_regions_p6"] == small["log_regions_p6"]
    assert seen["log_kept_p6_f4_l16"] == pytest.approx(math.log1p(3))  # 9 px are 576 here
    assert seen["log_height"] == pytest.approx(math.log(512))


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(np.zeros((8, 8), np.uint8), id="grey"),
        pytest.param(np.zeros((8, 8, 3), np.float32), id="float"),
        pytest.param(np.zeros((1, 8, 3), np.uint8), id="one row"),
    ],
)
def test_refuses(picture: np.ndarray) -> None:
    with pytest.raises(ImageError, match="a picture must be uint8"):
        describe(picture, 0.0)
