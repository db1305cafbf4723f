"""The cells of all pairs of dimensions in one flat array, so that all can be asked at once.

A *flat place* is an index into it: pair after pair as `PAIRS` has them, a pair's cells row by row.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from svg_quality.dataset.inventory.coverage import DIMENSIONS, PAIRS, Coverage

SIZES: Final = np.array([len(dimension.labels) for dimension in DIMENSIONS.values()])
ENDS: Final = np.array([[list(DIMENSIONS).index(name) for name in pair] for pair in PAIRS])
_STARTS: Final = np.cumsum([0, *(SIZES[ENDS[:, 0]] * SIZES[ENDS[:, 1]])])


def flat_counts(coverage: Coverage) -> np.ndarray:
    """Rows in every cell of every pair, int64 ``(n_places,)``."""
    return np.concatenate([coverage.pairs[pair].ravel() for pair in PAIRS])


def flat_places(chosen: np.ndarray) -> np.ndarray:
    """The flat place of each pair's cell: cells ``(..., 12)`` to ``(..., 66)``.

    Args:
        chosen: int64, the cell in each dimension, in the order of `DIMENSIONS`.
    """
    first, second = ENDS[:, 0], ENDS[:, 1]
    places = _STARTS[:-1] + chosen[..., first] * SIZES[second] + chosen[..., second]
    return np.asarray(places)


def cells_of(place: int) -> dict[int, int]:
    """Dimension -> cell of both sides of a flat place."""
    pair = int(np.searchsorted(_STARTS, place, side="right")) - 1
    first, second = ENDS[pair].tolist()
    a, b = divmod(place - int(_STARTS[pair]), int(SIZES[second]))
    return {first: a, second: b}
