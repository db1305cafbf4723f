"""The rules for a logo's type, a picture each, and complexity between nothing and noise."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.features.descriptors import describe
from svg_quality.features.logo_type import complexity, estimate_logo_type


def square() -> np.ndarray:
    """White 64 x 64 with one black square of 20 px."""
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[10:30, 10:30] = 0
    return picture


def test_types_follow_their_rules() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 200, 0).repeat(3, 2)
    letters = np.full((100, 200, 3), 255, np.uint8)
    for column in range(10, 180, 20):
        letters[40:60, column : column + 8] = 0
    rng = np.random.default_rng(0)
    tiles = np.kron(rng.integers(0, 256, (16, 16, 3), np.uint8), np.ones((12, 12, 1), np.uint8))
    assert estimate_logo_type(describe(ramp, 0.0)) == "gradient"
    assert estimate_logo_type(describe(letters, 0.0)) == "text"
    assert estimate_logo_type(describe(tiles, 0.0)) == "complex"
    assert estimate_logo_type(describe(square(), 0.0)) == "simple"


def test_complexity_grows_with_what_there_is_to_trace() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    blank = np.full((64, 64, 3), 255, np.uint8)
    values = [complexity(describe(picture, 0.0)) for picture in (blank, square(), noise)]
    assert values == sorted(values)
    assert values[0] < 0.05


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(2, 60))
def test_complexity_is_a_share(seed: int, height: int, width: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert 0 <= complexity(describe(picture, 0.5)) <= 1
