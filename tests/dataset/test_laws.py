"""Laws of the figures: true of everything `compare` measures, broken by what it cannot."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from svg_quality.conversion.images import image_from_pixels
from svg_quality.conversion.similarity import compare
from svg_quality.dataset.cleaning.laws import broken_laws, ssim_bounds
from svg_quality.dataset.tables import conversions_table

Row = Callable[..., dict[str, Any]]
PICTURES = st.tuples(st.integers(11, 70), st.integers(11, 70)).flatmap(
    lambda size: st.tuples(
        arrays(np.uint8, (*size, 3)), arrays(np.uint8, (*size, 3)), st.sampled_from([0, 1, 255])
    )
)


def broken(row: dict[str, Any]) -> list[str]:
    return [found.law for found in broken_laws(conversions_table([row])) if found.rows.any()]


@given(PICTURES)
def test_whatever_is_measured_keeps_every_law(
    pictures: tuple[np.ndarray, np.ndarray, int],
) -> None:
    original, other, largest_change = pictures
    change = other % (largest_change + 1) if largest_change < 255 else other
    drawn = np.where(original < 255, original + np.minimum(change, 255 - original), original)
    height, width = original.shape[:2]
    figures = compare(original, drawn.astype(np.uint8))._asdict()
    frame = pd.DataFrame([figures]).astype("float64")
    frame = frame.assign(
        width=width, height=height, source_width=width, source_height=height, working_size=512,
        svg_bytes=100, path_count=1, trace_ms=1.0, render_ms=1.0,
    )  # fmt: skip
    assert [found.law for found in broken_laws(frame) if found.rows.any()] == []


def test_one_changed_corner_of_a_large_picture_keeps_every_law() -> None:
    """The hardest case for the upper bound: the pixel that the fewest windows see, and barely."""
    original = np.full((256, 256, 3), 255, np.uint8)
    for value in (254, 128, 0):
        drawn = original.copy()
        drawn[0, 0] = value
        figures = compare(original, drawn)
        low, high = ssim_bounds(np.array([figures.mse]), np.array([256.0]), np.array([256.0]))
        assert low[0] - 1e-9 <= figures.ssim <= high[0] + 1e-12


def test_the_bounds_are_those_worked_out_by_hand() -> None:
    """Golden: mse 1 on 21 x 21 px, 11 x 11 places: error 441/121, C1 = 6.5025."""
    low, high = ssim_bounds(np.array([1.0]), np.array([21.0]), np.array([21.0]))
    assert low[0] == pytest.approx(1 - 441 / 121 / 6.5025, rel=1e-12)
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    corner = (bell[0] / bell.sum()) ** 2
    denominators = 255**2 / 2 + 58.5225 + 2 * 255**2 + 6.5025
    assert 1 - high[0] == pytest.approx(corner * 441 / 121 / denominators, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"mse": np.inf}, "figures must be finite"),
        ({"render_ms": np.inf}, "figures must be finite"),
        ({"mse": 70_000.0, "psnr": None}, r"mse must be in \[0, 255\^2\]"),
        ({"psnr": 40.0}, "psnr must be"),
        ({"psnr": None}, "psnr must be"),
        ({"mse": 0.0, "ssim": 1.0, "ssim_worst_tile": 1.0}, "psnr must be"),
        ({"ssim_worst_tile": 0.91}, "ssim_worst_tile must be at most ssim"),
        ({"mse": 0.0, "psnr": None}, "ssim must be near 1 where mse is near 0"),
        ({"mse": 0.01, "psnr": 10 * np.log10(255**2 / 0.01)}, "ssim must be near 1"),
        ({"ssim": 1.0}, "ssim must be below 1 where mse is above 0"),
        ({"svg_bytes": 17}, "a path must take bytes"),
        ({"width": 65}, "width and height must be"),
        ({"source_height": 2000, "source_width": 2000}, "width and height must be"),
        ({"height": 10, "source_height": 10}, "width and height must be"),
    ],
)
def test_what_cannot_have_been_measured_breaks_its_law(
    make_row: Row, changes: dict[str, Any], law: str
) -> None:
    assert broken(make_row()) == []
    found = broken(make_row(**changes))
    assert any(name.startswith(law.replace("\\", "")) for name in found), found


def test_equal_pictures_have_ssim_1_and_no_psnr(make_row: Row) -> None:
    assert broken(make_row(mse=0.0, psnr=None, ssim=1.0, ssim_worst_tile=1.0)) == []


@given(st.integers(11, 700), st.integers(11, 700), st.integers(64, 512))
def test_sizes_are_as_pictures_are_reduced(width: int, height: int, working_size: int) -> None:
    """Independent oracle: the decoder itself."""
    if min(width, height) * working_size / max(width, height, working_size) < 12:
        return
    image = image_from_pixels(np.zeros((height, width), np.uint8), working_size)
    frame = pd.DataFrame(
        {
            "width": [image.rgb.shape[1]], "height": [image.rgb.shape[0]],
            "source_width": [width], "source_height": [height], "working_size": [working_size],
            "ssim": [0.9], "ssim_worst_tile": [0.5], "mse": [np.nan], "psnr": [np.nan],
            "svg_bytes": [100], "path_count": [1], "trace_ms": [1.0], "render_ms": [1.0],
        }
    )  # fmt: skip
    assert not any(found.rows.any() for found in broken_laws(frame))
    wrong = frame.assign(width=frame["width"] + 1)
    assert any(found.rows.any() for found in broken_laws(wrong))
