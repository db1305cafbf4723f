"""Outliers: robust, per type, and only ever reported."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.cleaning.outliers import COLUMNS, MIN_ROWS, find_outliers, robust_distance
from svg_quality.dataset.tables import FIGURES, conversions_table

Row = Callable[..., dict[str, Any]]


def test_the_distance_is_in_standard_deviations_of_a_normal_sample() -> None:
    """Independent oracle: scipy's scaled median absolute deviation; and a known distribution."""
    from scipy.stats import median_abs_deviation

    values = np.random.default_rng(0).normal(5, 2, 4001)
    spread = median_abs_deviation(values, scale="normal")
    expected = (values - np.median(values)) / spread
    assert robust_distance(values) == pytest.approx(expected, rel=1e-5)
    assert robust_distance(values).std() == pytest.approx(1, abs=0.05)


def test_where_most_are_the_same_the_mean_deviation_counts() -> None:
    values = np.array([3.0] * 99 + [4.0])
    distance = robust_distance(values)  # mean deviation 0.01, by hand 1 / (0.01 * 1.253314)
    assert distance[-1] == pytest.approx(79.79, abs=0.01)
    assert (distance[:-1] == 0).all()
    assert (robust_distance(np.full(50, 7.0)) == 0).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=MIN_ROWS, max_size=40), st.floats(0.01, 100))
def test_the_distance_does_not_depend_on_unit_or_origin(values: list[float], unit: float) -> None:
    z = np.round(np.array(values), 3)
    moved = robust_distance(z * unit + 5)
    assert moved == pytest.approx(robust_distance(z), rel=1e-3, abs=1e-3)


def test_missing_values_and_small_samples_are_no_outliers() -> None:
    values = np.array([1.0, 2.0, 3.0, np.nan] * 10 + [1e9])
    distance = robust_distance(values)
    assert (distance[3:-1:4] == 0).all()
    assert distance[-1] > 1e8
    assert (robust_distance(np.array([1.0] * (MIN_ROWS - 2) + [1e9])) == 0).all()


def test_a_row_is_compared_with_its_own_type(make_row: Row) -> None:
    rng = np.random.default_rng(1)
    rows = [
        make_row(
            f"{logo_type}{i}", logo_type=logo_type,
            svg_bytes=int(centre * np.exp(rng.normal(0, 0.1))), ssim=float(rng.normal(0.9, 0.01)),
        )
        for logo_type, centre in (("simple", 1000), ("complex", 100_000))
        for i in range(50)
    ]  # fmt: skip
    rows[7]["svg_bytes"] = 100_000  # usual for a complex logo
    rows[60]["ssim"] = 0.2
    table = conversions_table(rows)
    found = find_outliers(table, limit=8)
    assert tuple(found.columns) == COLUMNS
    ids = table["conversion_id"]
    assert set(found["conversion_id"]) == {ids[7], ids[60]}
    by_id = found.set_index("conversion_id")
    assert by_id.loc[ids[7], "figure"] == "svg_bytes"
    assert by_id.loc[ids[7], "median"] == pytest.approx(1000, rel=0.1)
    assert by_id.loc[ids[7], "distance"] > 8 > -8 > by_id.loc[ids[60], "distance"]
    assert found["distance"].abs().is_monotonic_decreasing
    assert find_outliers(table, limit=1e9).empty


def test_sizes_are_compared_by_factors(make_row: Row) -> None:
    sizes = 1000 * np.exp(np.random.default_rng(2).normal(0, 1, 200))
    rows = [make_row(f"{i}", svg_bytes=int(size)) for i, size in enumerate(sizes)]
    rows[0]["svg_bytes"] = 55_000  # four standard deviations of the logarithm, 50 of the bytes
    assert find_outliers(conversions_table(rows), limit=8).empty


def test_failures_have_no_figures_to_be_far_off(make_row: Row, many_rows: pd.DataFrame) -> None:
    failed = make_row("failed", **dict.fromkeys(FIGURES), error="it hung")
    table = pd.concat([many_rows, conversions_table([failed])], ignore_index=True)
    assert failed["conversion_id"] not in set(find_outliers(table, limit=1)["conversion_id"])
