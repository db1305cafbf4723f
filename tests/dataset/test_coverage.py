"""Cells, evenness and discrepancy: against the sampling itself and against written-out counts."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from svg_quality.conversion.parameters import CHOICES, NAMES, PRESETS, RANGES, Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.dataset.inventory.coverage import (
    DIMENSIONS,
    PAIRS,
    cells,
    count_coverage,
    discrepancy,
    evenness,
    is_preset,
    largest_gap,
    places,
    shares,
    values_in_cell,
)

TO = "\N{EN DASH}"
NUMERIC = sorted(RANGES)
WHOLE = [name for name in NUMERIC if isinstance(RANGES[name][0], int)]


def table(sets: list[Parameters], logo_type: str = "simple") -> pd.DataFrame:
    return pd.DataFrame([{"logo_type": logo_type, **each.as_dict()} for each in sets])


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    """What the sampling of the full region draws."""
    return table(sobol_sets(8192, "full", seed=0))


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "path_precision"])
def test_a_value_is_drawn_as_often_as_its_share_of_the_scale(
    name: str, drawn: pd.DataFrame
) -> None:
    low, high = RANGES[name]
    counts = np.bincount(drawn[name] - int(low), minlength=int(high - low + 1))
    # A scrambled Sobol sequence puts its points into every dyadic stretch alike.
    np.testing.assert_allclose(counts / len(drawn), np.diff(shares(name)), atol=2 / len(drawn))


@pytest.mark.parametrize("name", [name for name in NUMERIC if name != "path_precision"])
def test_the_sampling_fills_every_cell(name: str, drawn: pd.DataFrame) -> None:
    counts = count_coverage(cells(drawn)).dimensions[name]
    assert counts.min() > 0.5 * len(drawn) / len(counts)


@pytest.mark.parametrize("name", NUMERIC)
def test_places_rise_from_0_to_1(name: str) -> None:
    low, high = RANGES[name]
    step = 1 if isinstance(low, int) else 0.01
    where = places(name, np.arange(low, high + step / 2, step))
    assert (np.diff(where) > 0).all()
    assert 0 <= where[0] < 0.14
    assert 0.86 < where[-1] <= 1


@pytest.mark.parametrize("name", list(DIMENSIONS))
def test_every_value_lies_in_the_cell_that_names_it(name: str) -> None:
    dimension = DIMENSIONS[name]
    held: list[Any] = []
    for cell in range(len(dimension.labels)):
        values = values_in_cell(name, cell)
        if name == "length_threshold":
            values = (values[0] + 0.01, values[1] - 0.01)
        frame = pd.DataFrame({**table([Parameters()]).iloc[0].to_dict(), name: list(values)})
        assert set(cells(frame)[:, list(DIMENSIONS).index(name)].tolist()) == {cell}
        held += values
    if name in WHOLE:
        assert held == list(range(RANGES[name][0], RANGES[name][1] + 1))  # type: ignore[arg-type]
    if name in CHOICES:
        assert tuple(held) == CHOICES[name]


def test_cells_have_these_names() -> None:
    assert DIMENSIONS["color_precision"].labels == tuple("12345678")
    assert DIMENSIONS["filter_speckle"].labels == ("0", "1", f"2{TO}4", f"5{TO}8", f"9{TO}16")
    assert DIMENSIONS["length_threshold"].labels[0] == f"3.5{TO}4.8"
    assert sum(len(d.labels) for d in DIMENSIONS.values()) == 54
    assert len(PAIRS) == 66


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_pairs_are_counted_as_a_counter_counts_them(seed: int, n: int) -> None:
    frame = table(sobol_sets(n, "full", seed), logo_type="gradient")
    columns = cells(frame)
    coverage = count_coverage(columns)
    names = list(DIMENSIONS)
    for pair, counts in coverage.pairs.items():
        a, b = (names.index(name) for name in pair)
        expected = Counter(zip(columns[:, a].tolist(), columns[:, b].tolist(), strict=True))
        assert {place: n for place, n in np.ndenumerate(counts) if n} == expected
        np.testing.assert_array_equal(counts.sum(axis=1), coverage.dimensions[pair[0]])
        np.testing.assert_array_equal(counts.sum(axis=0), coverage.dimensions[pair[1]])


def test_one_row_hits_one_cell_of_each_pair() -> None:
    coverage = count_coverage(cells(table([Parameters()])))
    n_cells = sum(counts.size for counts in coverage.pairs.values())
    assert coverage.share_hit == pytest.approx(66 / n_cells)
    # Written out: sizes 4, 2, 2, 3, 8 and seven fives; all pairs = ((sum)^2 - sum of squares) / 2.
    assert n_cells == (54**2 - (16 + 4 + 4 + 9 + 64 + 7 * 25)) / 2


def test_evenness_is_1_for_equal_0_for_one_and_log2_over_log3_for_two_of_three() -> None:
    assert evenness(np.array([5, 5, 5])) == pytest.approx(1)
    assert evenness(np.array([0, 9, 0])) == 0
    assert evenness(np.array([4, 4, 0])) == pytest.approx(np.log(2) / np.log(3))
    assert evenness(np.array([0, 0])) is None


def test_the_largest_gap_is_the_longest_stretch_without_a_row() -> None:
    assert largest_gap("color_precision", np.array([1, 8, 8])) == pytest.approx(6 / 8)
    assert largest_gap("color_precision", np.arange(1, 9)) == 0
    assert largest_gap("color_precision", np.array([6])) == pytest.approx(5 / 8)
    assert largest_gap("length_threshold", np.array([3.5, 6.75, 8.05])) == pytest.approx(0.5)
    assert largest_gap("length_threshold", np.array([3.5, 4.15])) == pytest.approx(0.9)
    assert largest_gap("length_threshold", np.array([9.35, 10])) == pytest.approx(0.9)
    # On the log-like scale the values 8..16 take what ln 18 - ln 9 is of ln 18.
    gap = largest_gap("filter_speckle", np.arange(8))
    assert gap == pytest.approx(np.log(18 / 9) / np.log(18))


def test_presets_are_known_whatever_stands_between_them() -> None:
    sets = [*PRESETS.values(), Parameters(color_precision=5), Parameters(length_threshold=4.01)]
    assert is_preset(table(sets)).tolist() == [True] * 4 + [False] * 2


def test_discrepancy_is_scipys_of_the_placed_rows(drawn: pd.DataFrame) -> None:
    names = ("corner_threshold", "length_threshold")
    told = discrepancy(drawn.head(300), names, seed=1)
    points = np.column_stack([
        (drawn["corner_threshold"].head(300) + 0.5) / 181,
        (drawn["length_threshold"].head(300) - 3.5) / 6.5,
    ])  # fmt: skip
    assert told["table"] == pytest.approx(float(qmc.discrepancy(points)))
    assert (told["n_rows"], told["n_used"]) == (300, 300)


def test_discrepancy_tells_sobol_from_random_from_bunched(drawn: pd.DataFrame) -> None:
    names = [name for name in NUMERIC if name != "path_precision"]
    sobol = discrepancy(drawn.head(1024), names, seed=1)
    assert sobol["table"] == pytest.approx(sobol["sobol"], rel=0.3)
    assert sobol["table"] < sobol["random"]
    assert sobol["worth_random"] > 1024
    bunched = discrepancy(table([Parameters()] * 100), names, seed=1)
    assert bunched["worth_random"] < 10


def test_discrepancy_of_many_rows_is_of_a_seeded_sample(drawn: pd.DataFrame) -> None:
    first = discrepancy(drawn, ("corner_threshold",), seed=1)
    assert first["n_used"] == 2048
    assert first["n_rows"] == len(drawn)
    assert first == discrepancy(drawn, ("corner_threshold",), seed=1)
    assert first != discrepancy(drawn, ("corner_threshold",), seed=2)


def test_discrepancy_of_one_row_is_none_rather_than_a_number() -> None:
    told = discrepancy(table([Parameters()]), ("corner_threshold",), seed=1)
    assert told["table"] is None
    assert told["worth_random"] is None


def test_what_is_uneven_by_design_says_so(make_row: Callable[..., dict[str, Any]]) -> None:
    noted = {name for name, dimension in DIMENSIONS.items() if dimension.note}
    assert noted == {"max_iterations", "path_precision"}
    assert set(NAMES) <= set(DIMENSIONS)
