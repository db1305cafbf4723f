"""Errors' shape against SciPy, outliers by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from svg_quality.errors import DatasetError
from svg_quality.evaluation.residuals import (
    correlation_p_values,
    outliers,
    quality_band_masks,
    residual_figures,
    value_masks,
)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 200))
def test_figures_are_those_of_scipy(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.uniform(0, 1, n)
    p = y + rng.gamma(2, 0.05, n)
    got = residual_figures(y, p)
    assert got["mse"] == pytest.approx(oracle.mean_squared_error(y, p))
    assert got["bias"] == pytest.approx((p - y).mean())
    assert got["skewness"] == pytest.approx(stats.skew(p - y))
    assert got["kurtosis"] == pytest.approx(stats.kurtosis(p - y))
    assert got["within_0.05"] == pytest.approx((abs(p - y) <= 0.05).mean())
    p_values = correlation_p_values(y, p)
    assert p_values["pearson"] == pytest.approx(stats.pearsonr(y, p).pvalue)
    assert p_values["spearman"] == pytest.approx(stats.spearmanr(y, p).pvalue)


def test_within_is_of_either_side_and_at_most() -> None:
    got = residual_figures([0.0, 0.0, 0.0, 0.0], [0.05, -0.05, 0.0625, -0.25])
    assert (got["within_0.05"], got["within_0.10"]) == (0.5, 0.75)


def test_what_has_no_shape_is_none() -> None:
    flat = residual_figures([0.1, 0.2, 0.3], [0.2, 0.3, 0.4])
    assert flat["bias"] == pytest.approx(0.1)
    assert (flat["skewness"], flat["kurtosis"], flat["outliers"]) == (None, None, 0)
    empty = residual_figures([], [])
    assert empty["outliers"] == 0
    assert {value for name, value in empty.items() if name != "outliers"} == {None}
    assert correlation_p_values([0.1, 0.2, 0.3], [0.5, 0.5, 0.5])["pearson"] is None


def test_outliers_by_hand() -> None:
    # median 0, median distance 1: beyond 3.5 / 0.6745 = 5.19 is outside
    residual = np.array([-1.0, 1.0, 0.0, -1.0, 1.0, 5.1, -5.2])
    assert np.flatnonzero(outliers(residual)).tolist() == [6]
    half_equal = np.array([0.0] * 6 + [0.1, 9.0])  # mean distance 1.1375 stands in
    assert np.flatnonzero(outliers(half_equal)).tolist() == [7]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-10, 10))
def test_outliers_do_not_depend_on_unit_or_centre(seed: int, scale: float, shift: float) -> None:
    residual = np.random.default_rng(seed).standard_t(2, 50)
    np.testing.assert_array_equal(outliers(residual), outliers(residual * scale + shift))


def test_bands_take_each_row_once() -> None:
    masks = quality_band_masks(np.array([-0.2, 0.59, 0.6, 0.79, 0.8, 1.0]))
    assert [mask.tolist().count(True) for mask in masks.values()] == [2, 2, 2]
    assert np.sum(list(masks.values()), axis=0).tolist() == [1] * 6


def test_refuses_unpaired_rows() -> None:
    with pytest.raises(DatasetError, match="alike and flat"):
        residual_figures([1.0], [1.0, 2.0])


def test_values_are_told_apart_most_frequent_first() -> None:
    masks = value_masks(pd.Series(["b", None, "a", "b", "b", "a"]))
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "b": [True, False, False, True, True, False],
        "a": [False, False, True, False, False, True],
        "not stated": [False, True, False, False, False, False],
    }
    assert list(masks) == ["b", "a", "not stated"]
