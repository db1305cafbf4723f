"""Tabular inputs: look-ups at and between grid points, order, and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import FeatureError
from svg_quality.features.descriptors import DESCRIPTOR_NAMES, SIMPLE_NAMES
from svg_quality.features.inputs import BLOCKS, TABULAR_NAMES, tabular_inputs, tabular_rows
from svg_quality.features.probes import PROBE_NAMES

N = len(DESCRIPTOR_NAMES)


def made_up(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=N).astype(np.float32)


def looked_up(descriptors: np.ndarray, name: str, **parameters: object) -> float:
    row = tabular_inputs(descriptors, [Parameters(**parameters)])[0]  # type: ignore[arg-type]
    return float(row[TABULAR_NAMES.index(name)])


@pytest.mark.parametrize(
    ("name", "entry", "parameters"),
    [
        ("at_log_kept", "log_kept_p6_f4_l16", {}),
        ("at_lost_area", "lost_area_p3_f0_l255",
         {"color_precision": 3, "filter_speckle": 0, "layer_difference": 255}),
        ("at_log_error", "log_error_p2_f16_l0",
         {"color_precision": 1, "filter_speckle": 16, "layer_difference": 0}),
        ("at_seams", "seams_p8", {"color_precision": 8}),
        ("at_binary_lost_area", "binary_lost_area_f7",
         {"colormode": "binary", "filter_speckle": 7}),
        ("at_ssim_merged", "binary_ssim", {"colormode": "binary"}),
    ],
)  # fmt: skip
def test_grid_points_are_read_as_they_are(
    name: str, entry: str, parameters: dict[str, object]
) -> None:
    descriptors = made_up(0)
    expected = descriptors[DESCRIPTOR_NAMES.index(entry)]
    assert looked_up(descriptors, name, **parameters) == pytest.approx(expected, rel=1e-6)


def test_between_grid_points_it_is_linear_in_the_logarithm() -> None:
    descriptors = made_up(1)
    low, high = (descriptors[DESCRIPTOR_NAMES.index(f"log_kept_p6_f{s}_l16")] for s in (4, 7))
    weight = (np.log(6) - np.log(5)) / (np.log(8) - np.log(5))
    expected = low + (high - low) * weight
    got = looked_up(descriptors, "at_log_kept", filter_speckle=5)
    assert got == pytest.approx(expected, rel=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 99), st.integers(0, 16), st.integers(0, 255), st.integers(1, 8))
def test_look_ups_stay_within_their_table(seed: int, speckle: int, layer: int, bits: int) -> None:
    descriptors = made_up(seed)
    table = [descriptors[i] for i, n in enumerate(DESCRIPTOR_NAMES) if n.startswith("log_kept_")]
    got = looked_up(
        descriptors, "at_log_kept",
        filter_speckle=speckle, layer_difference=layer, color_precision=bits,
    )  # fmt: skip
    assert min(table) - 1e-5 <= got <= max(table) + 1e-5


def test_rows_of_many_images_are_those_of_each_image() -> None:
    images = np.stack([made_up(0), made_up(1)])
    sets = [Parameters(), Parameters(colormode="binary"), Parameters(mode="none")]
    together = tabular_rows(images, np.array([1, 0, 1]), sets)
    assert np.array_equal(together[[0, 2]], tabular_inputs(images[1], [sets[0], sets[2]]))
    assert np.array_equal(together[[1]], tabular_inputs(images[0], [sets[1]]))
    assert together.shape == (3, len(TABULAR_NAMES))
    assert np.array_equal(together[0, BLOCKS["simple"]], images[1, : len(SIMPLE_NAMES)])
    assert np.array_equal(together[0, BLOCKS["probes"]], images[1, -len(PROBE_NAMES) :])


def test_blocks_lie_side_by_side_and_fill_the_inputs() -> None:
    named = [name for block in BLOCKS.values() for name in TABULAR_NAMES[block]]
    assert tuple(named) == TABULAR_NAMES
    assert TABULAR_NAMES[BLOCKS["probes"]] == PROBE_NAMES
    assert len(set(TABULAR_NAMES)) == len(TABULAR_NAMES)


def test_parameters_are_encoded() -> None:
    row = tabular_inputs(made_up(0), [Parameters(mode="polygon", corner_threshold=90)])[0]
    value = dict(zip(TABULAR_NAMES, row.tolist(), strict=True))
    assert (value["is_polygon"], value["is_spline"], value["is_none"]) == (1, 0, 0)
    assert value["corner_threshold"] == 0.5
    assert value["log_filter_speckle"] == pytest.approx(np.log(5))


def test_refuses_other_descriptors() -> None:
    with pytest.raises(FeatureError, match="an image must have"):
        tabular_inputs(np.zeros(3, np.float32), [Parameters()])
