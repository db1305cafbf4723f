"""Parameters: what VTracer accepts, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.conversion.parameters import (
    CHOICES,
    NAMES,
    PRESETS,
    RANGES,
    Parameters,
    parameters_from,
)
from svg_quality.errors import ParameterError

valid_sets = st.builds(
    Parameters,
    **{name: st.sampled_from(allowed) for name, allowed in CHOICES.items()},
    **{
        name: st.integers(low, int(high)) if isinstance(low, int) else st.floats(low, high)
        for name, (low, high) in RANGES.items()
    },
)


@given(valid_sets)
def test_a_set_survives_being_written_and_read(parameters: Parameters) -> None:
    assert parameters_from(parameters.as_dict()) == parameters


@given(valid_sets)
def test_text_gives_the_same_set(parameters: Parameters) -> None:
    text = {name: str(value) for name, value in parameters.as_dict().items()}
    assert parameters_from(text) == parameters


def test_defaults_are_vtracers() -> None:
    """cmdapp/src/config.rs of visioncortex/vtracer 0.6, impl Default for Config."""
    assert list(Parameters().as_dict().values()) == [
        "color", "stacked", "spline", 4, 6, 16, 60, 4.0, 10, 45, 2,
    ]  # fmt: skip
    assert len(NAMES) == 11


def test_presets_are_vtracers() -> None:
    assert PRESETS["bw"].colormode == "binary"
    assert PRESETS["poster"].color_precision == 8
    photo = PRESETS["photo"]
    assert (photo.filter_speckle, photo.color_precision) == (10, 8)
    assert (photo.layer_difference, photo.corner_threshold) == (48, 180)


@pytest.mark.parametrize("name", sorted(RANGES))
def test_both_ends_of_a_range_are_in_it_and_beyond_is_not(name: str) -> None:
    low, high = RANGES[name]
    for edge in (low, high):
        assert getattr(parameters_from({name: edge}), name) == edge
    for beyond in (low - 1, high + 1):
        with pytest.raises(ParameterError, match=f"{name} must be in "):
            parameters_from({name: beyond})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"color_precision": 12}, r"color_precision must be in \[1, 8\], got 12"),
        ({"length_threshold": float("nan")}, r"length_threshold must be in \[3.5, 10\], got nan"),
        ({"filter_speckle": 1.5}, "filter_speckle must be a whole number, got 1.5"),
        ({"filter_speckle": True}, "filter_speckle must be a whole number, got True"),
        ({"filter_speckle": "many"}, "filter_speckle must be a whole number, got 'many'"),
        ({"filter_speckle": None}, "filter_speckle must be a whole number, got None"),
        ({"max_iterations": float("inf")}, "max_iterations must be a whole number, got inf"),
        ({"colormode": "bw"}, "colormode must be one of color, binary, got 'bw'"),
        ({"mode": "pixel"}, "mode must be one of spline, polygon, none, got 'pixel'"),
        ({"colour_precision": 3}, "got 'colour_precision'"),
    ],
)
def test_refuses(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parameters_from(values)


@given(valid_sets)
def test_everyday_is_three_bits_and_no_pixel_mode(parameters: Parameters) -> None:
    expected = parameters.color_precision >= 3 and parameters.mode in ("spline", "polygon")
    assert parameters.is_everyday is expected
