"""The tabular inputs: parameters, look-ups, a picture's statistics, and what the probes gave.

A look-up is a descriptor table read at the parameters of the row: regions kept, boundary left,
error made and so on, at this colour precision, speckle filter and layer difference. Between grid
points it is linear in ``log(1 + value)``. With ``colormode`` binary the tables of colour regions
mean nothing, so the black-and-white ones stand in and the others are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Final

import numpy as np

from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.errors import FeatureError
from svg_quality.features.descriptors import (
    BINARY_BY_SPECKLE,
    BITS,
    BY_BITS,
    BY_GRID,
    DESCRIPTOR_NAMES,
    LAYERS,
    SIMPLE_NAMES,
    SPECKLES,
)
from svg_quality.features.probes import PROBE_NAMES

PARAMETER_NAMES: Final = (
    "is_binary", "is_cutout", "is_spline", "is_polygon", "is_none", "is_1_bit", "is_2_bits",
    "color_precision", "log_filter_speckle", "log_layer_difference", "corner_threshold",
    "log_length_threshold", "log_max_iterations", "splice_threshold", "log_path_precision",
    "is_path_precision_0",
)  # fmt: skip
LOOKUP_NAMES: Final = tuple(f"at_{name}" for name in (*BINARY_BY_SPECKLE, *BY_BITS, *BY_GRID))
TABULAR_NAMES: Final[tuple[str, ...]] = (
    *PARAMETER_NAMES, *LOOKUP_NAMES, *SIMPLE_NAMES, *PROBE_NAMES,
)  # fmt: skip
_ENDS: Final = tuple(
    accumulate(map(len, (PARAMETER_NAMES, LOOKUP_NAMES, SIMPLE_NAMES, PROBE_NAMES)))
)
BLOCKS: Final = {  # for ablations, for the baselines, and for the head
    "parameters": slice(0, _ENDS[0]),
    "lookups": slice(_ENDS[0], _ENDS[1]),
    "simple": slice(_ENDS[1], _ENDS[2]),
    "probes": slice(_ENDS[2], _ENDS[3]),
}

N_OF_PICTURE: Final = _ENDS[3] - _ENDS[1]  # trailing columns: the same for all sets of a picture

_GET = attrgetter(*NAMES)
_N_SIMPLE, _N_BINARY = len(SIMPLE_NAMES), len(BINARY_BY_SPECKLE) * len(SPECKLES)
_N_BITS = len(BITS) * len(BY_BITS)
_N_PROBED = len(PROBE_NAMES)
_STAND_INS: Final = {  # colour look-up: what takes its place with colormode binary
    "ssim_flat": "binary_ssim",
    "ssim_merged": "binary_ssim",
    "boundary": "binary_boundary",
    "merged_boundary": "binary_boundary",
}


def tabular_inputs(descriptors: np.ndarray, parameters: Sequence[Parameters]) -> np.ndarray:
    """The inputs of many parameter sets of one picture.

    Args:
        descriptors: ``(len(DESCRIPTOR_NAMES),)``.
        parameters: ``n`` sets.

    Returns:
        float32 ``(n, len(TABULAR_NAMES))``.

    Raises:
        FeatureError: the descriptors are of another length.
    """
    return tabular_rows(descriptors[None], np.zeros(len(parameters), int), parameters)


def tabular_rows(
    descriptors: np.ndarray, image_index: np.ndarray, parameters: Sequence[Parameters]
) -> np.ndarray:
    """The inputs of rows of many pictures.

    Args:
        descriptors: ``(n_images, len(DESCRIPTOR_NAMES))``.
        image_index: int ``(n,)``, into ``descriptors``.
        parameters: ``n`` sets, one per row.

    Returns:
        float32 ``(n, len(TABULAR_NAMES))``.

    Raises:
        FeatureError: the descriptors are of another length.
    """
    if descriptors.shape[-1] != len(DESCRIPTOR_NAMES):
        raise FeatureError(
            f"an image must have {len(DESCRIPTOR_NAMES)} descriptors, got {descriptors.shape[-1]}"
        )
    columns = dict(zip(NAMES, zip(*map(_GET, parameters), strict=True), strict=True))
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    image_index = np.asarray(image_index, int)
    encoded = _encoded(arrays)
    simple = descriptors[image_index, :_N_SIMPLE]
    looked_up = _looked_up(np.asarray(descriptors), image_index, arrays)
    probed = descriptors[image_index, -_N_PROBED:]
    return np.concatenate([encoded, looked_up, simple, probed], 1).astype(np.float32)


def _encoded(values: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack(
        [
            values["colormode"] == "binary",
            values["hierarchical"] == "cutout",
            *(values["mode"] == mode for mode in ("spline", "polygon", "none")),
            *(values["color_precision"] == bits for bits in (1, 2)),
            values["color_precision"],
            np.log1p(values["filter_speckle"]),
            np.log1p(values["layer_difference"]),
            values["corner_threshold"] / 180,
            np.log(values["length_threshold"]),
            np.log(values["max_iterations"]),
            values["splice_threshold"] / 180,
            np.log1p(values["path_precision"]),
            values["path_precision"] == 0,
        ],
        1,
    )


def _looked_up(
    descriptors: np.ndarray, image: np.ndarray, values: dict[str, np.ndarray]
) -> np.ndarray:
    n_images = len(descriptors)
    edges = np.cumsum([_N_SIMPLE, _N_BINARY, _N_BITS])
    binary = descriptors[:, edges[0] : edges[1]].reshape(n_images, -1, len(SPECKLES))
    by_bits = descriptors[:, edges[1] : edges[2]].reshape(n_images, len(BITS), -1)
    by_grid = descriptors[:, edges[2] : -_N_PROBED].reshape(
        n_images, len(BITS), len(BY_GRID), len(SPECKLES), len(LAYERS)
    )
    bits = np.maximum(values["color_precision"], BITS[0]) - BITS[0]
    row, row_weight = _between(SPECKLES, values["filter_speckle"])
    column, column_weight = _between(LAYERS, values["layer_difference"])
    at_binary = _mix(binary[image, :, row], binary[image, :, row + 1], row_weight)
    upper, lower = (
        _mix(
            by_grid[image, bits, :, line, column],
            by_grid[image, bits, :, line, column + 1],
            column_weight,
        )
        for line in (row, row + 1)
    )
    at_bits, at_grid = by_bits[image, bits], _mix(upper, lower, row_weight)
    is_binary = values["colormode"] == "binary"
    simple = descriptors[image[is_binary], :_N_SIMPLE]
    at_bits[is_binary] = 0
    for name, stand_in in _STAND_INS.items():
        at_bits[is_binary, BY_BITS.index(name)] = simple[:, SIMPLE_NAMES.index(stand_in)]
    at_grid[is_binary] = 0
    at_grid[is_binary, BY_GRID.index("log_kept")] = at_binary[is_binary, 0]
    at_grid[is_binary, BY_GRID.index("lost_area")] = at_binary[is_binary, 1]
    at_binary[~is_binary] = 0
    return np.concatenate([at_binary, at_bits, at_grid], 1)


def _between(grid: Sequence[int], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The grid point below each value, int ``(n,)``, and how far to the next, in [0, 1]."""
    points, places = np.log1p(grid), np.log1p(values)
    below = np.clip(np.searchsorted(points, places, side="right") - 1, 0, len(grid) - 2)
    weight = (places - points[below]) / (points[below + 1] - points[below])
    return below, np.clip(weight, 0, 1)


def _mix(below: np.ndarray, above: np.ndarray, weight: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = below + (above - below) * weight[:, None]
    return mixed
