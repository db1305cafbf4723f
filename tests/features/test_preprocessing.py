"""Pictures as the backbone gets them: fitted in three ways, normalised, whatever their mode."""

from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svg_quality.conversion.images import load_image
from svg_quality.errors import FeatureError
from svg_quality.features.preprocessing import FITS, MEAN, PREPROCESSING, STD, Fit, preprocess


def pixels(made: np.ndarray) -> np.ndarray:
    """The square again, float32 ``(224, 224, 3)`` in [0, 255]."""
    return (made.transpose(1, 2, 0) * STD + MEAN) * 255


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(FITS))
def test_any_size_becomes_a_square(height: int, width: int, fit: Fit) -> None:
    rgb = np.full((height, width, 3), (10, 20, 30), np.uint8)
    made = preprocess(rgb, fit)
    assert made.shape == (3, 224, 224)
    assert made.dtype == np.float32
    assert pixels(made)[111, 111] == pytest.approx([10, 20, 30], abs=1e-3)  # of one row, that one
    corner = [10, 20, 30] if fit != "pad" or height == width else pixels(made)[0, 0]
    assert pixels(made)[0, 0] == pytest.approx(corner, abs=1e-3)


def halves() -> np.ndarray:
    """448 x 224: left quarter red, middle half black, right quarter blue."""
    rgb = np.zeros((224, 448, 3), np.uint8)
    rgb[:, :112, 0] = 255
    rgb[:, 336:, 2] = 255
    return rgb


def test_pad_keeps_the_ratio_and_adds_white() -> None:
    made = pixels(preprocess(halves(), "pad"))
    assert made[:56].min() == pytest.approx(255, abs=1e-3)
    assert made[168:].min() == pytest.approx(255, abs=1e-3)
    assert made[112, [20, 112, 200]] == pytest.approx(
        np.array([[255, 0, 0], [0, 0, 0], [0, 0, 255]]), abs=1e-3
    )


def test_stretch_shows_all_and_adds_nothing() -> None:
    made = pixels(preprocess(halves(), "stretch"))
    assert made[0, [20, 112, 200]] == pytest.approx(
        np.array([[255, 0, 0], [0, 0, 0], [0, 0, 255]]), abs=1e-3
    )


def test_crop_shows_the_middle_square() -> None:
    assert np.abs(pixels(preprocess(halves(), "crop"))).max() < 1e-3
    upright = halves().transpose(1, 0, 2)
    assert np.abs(pixels(preprocess(upright, "crop"))).max() < 1e-3


def test_a_side_that_shrinks_is_filtered_though_the_other_grows() -> None:
    """Stripes of one pixel, 4 to 1 smaller: grey, where plain sampling would keep stripes."""
    rgb = np.zeros((100, 896, 3), np.uint8)
    rgb[:, ::2] = 255
    assert np.abs(pixels(preprocess(rgb, "stretch")) - 127.5).max() < 1.5


def test_padding_is_what_it_was_before_there_were_other_fits() -> None:
    """The very squares of version 0.1: OpenCV's own reduction, pasted in the middle."""
    rgb = np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)
    square = np.full((224, 224, 3), 255, np.uint8)
    square[45:179] = cv2.resize(rgb, (224, 134), interpolation=cv2.INTER_AREA)
    assert np.abs(pixels(preprocess(rgb)) - square).max() < 1e-3
    assert PREPROCESSING["pad"] == "pad-white-224-area-imagenet"


def saved(picture: Image.Image, tmp_path: Path) -> np.ndarray:
    picture.save(tmp_path / "logo.png")
    return pixels(preprocess(load_image(tmp_path / "logo.png").rgb))


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, 100),
        ("1", 0, 0),
        ("I;16", 100 * 257, 100),
        ("LA", (100, 255), 100),
        ("LA", (100, 0), 255),
        ("RGBA", (100, 100, 100, 255), 100),
        ("RGBA", (0, 0, 0, 0), 255),
        ("RGBA", (0, 0, 0, 128), 127),
    ],
)
def test_grey_and_transparent_pictures_arrive_on_white(
    mode: str, colour: int | tuple[int, ...], expected: int, tmp_path: Path
) -> None:
    made = saved(Image.new(mode, (40, 40), colour), tmp_path)
    assert np.abs(made - expected).max() < 1e-3


def test_a_palette_with_a_transparent_colour_arrives_on_white(tmp_path: Path) -> None:
    picture = Image.new("P", (40, 40), 0)
    picture.putpalette([200, 0, 0])
    assert saved(picture, tmp_path)[0, 0] == pytest.approx([200, 0, 0], abs=1e-3)
    picture.info["transparency"] = 0
    assert np.abs(saved(picture, tmp_path) - 255).max() < 1e-3


def test_refuses_other_fits() -> None:
    assert get_args(Fit) == tuple(PREPROCESSING)
    with pytest.raises(FeatureError, match="fit must be pad, stretch or crop, got 'fill'"):
        preprocess(np.zeros((9, 9, 3), np.uint8), "fill")  # type: ignore[arg-type]
