"""Flat places of pairs' cells: there and back, and the counts that a table has there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.inventory.coverage import DIMENSIONS, PAIRS, count_coverage
from svg_quality.dataset.inventory.pair_cells import SIZES, cells_of, flat_counts, flat_places


def drawn(seed: int, n: int) -> np.ndarray:
    """Rows of cells, int64 ``(n, 12)``."""
    return np.random.default_rng(seed).integers(0, SIZES, (n, len(SIZES)))


@given(st.integers(0, 2**32 - 1))
def test_every_pair_is_found_again_from_its_place(seed: int) -> None:
    chosen, names = drawn(seed, 1)[0], list(DIMENSIONS)
    for pair, place in zip(PAIRS, flat_places(chosen).tolist(), strict=True):
        sides = [names.index(name) for name in pair]
        assert cells_of(place) == {side: chosen[side] for side in sides}


def test_places_are_counted_from_0_to_the_last_cell_without_a_gap() -> None:
    n_places = len(flat_counts(count_coverage(drawn(0, 1))))
    assert flat_places(np.zeros(12, np.int64))[0] == 0
    assert flat_places(SIZES - 1)[-1] == n_places - 1
    seen = {tuple(sorted(cells_of(place).items())) for place in range(n_places)}
    assert len(seen) == n_places


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_counts_are_of_the_places_that_rows_are_in(seed: int, n: int) -> None:
    rows = drawn(seed, n)
    counts = flat_counts(count_coverage(rows.astype(np.int8)))
    assert np.array_equal(counts, np.bincount(flat_places(rows).ravel(), minlength=len(counts)))
