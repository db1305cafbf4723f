"""VTracer's rules, each held against real conversions: nobody has to believe its source."""

import dataclasses
from itertools import product

import numpy as np
import pytest
from skimage import data

from svg_quality.conversion.images import load_image
from svg_quality.conversion.parameters import CHOICES, NAMES, RANGES, Parameters
from svg_quality.conversion.tracing import trace
from svg_quality.optimization.rules import without_effect

SITUATIONS = [
    Parameters(),
    Parameters(colormode="binary"),
    Parameters(mode="polygon"),
    Parameters(mode="none"),
    Parameters(corner_threshold=0),
    Parameters(colormode="binary", mode="polygon"),
    Parameters(colormode="binary", corner_threshold=0, filter_speckle=1),
    Parameters(hierarchical="cutout", mode="none", layer_difference=40),
]


def values_of(name: str) -> tuple[object, ...]:
    if name in CHOICES:
        return CHOICES[name]
    low, high = RANGES[name]
    return low, getattr(Parameters(), name), (low + high) // 2, high


@pytest.fixture(scope="module")
def pictures(draw_logo) -> list[np.ndarray]:
    photo = data.coffee()[100:180, 200:300]
    return [load_image(draw_logo()).rgb, load_image(draw_logo(seed=5)).rgb, photo]


def n_different(name: str, others: Parameters, rgb: np.ndarray) -> int:
    sets = [dataclasses.replace(others, **{name: value}) for value in values_of(name)]
    return len({trace(rgb, one) for one in sets})


@pytest.mark.parametrize(("name", "others"), list(product(NAMES, SITUATIONS)))
def test_where_a_rule_says_so_the_svg_never_changes(
    name: str, others: Parameters, pictures: list[np.ndarray]
) -> None:
    reason = without_effect(name, others)
    different = [n_different(name, others, rgb) for rgb in pictures]
    if reason:
        assert different == [1, 1, 1], reason
    else:
        assert max(different) > 1, "nothing changes here, and no rule says why"
