"""Conformal intervals: the coverage law on made-up logos, the quantile by hand, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.errors import ModelError
from svg_quality.model.uncertainty import Conformal, calibrate, hierarchical_quantile


def logos(rng: np.random.Generator, n_groups: int) -> tuple[np.ndarray, ...]:
    """Rows of logos that differ in size, difficulty and a shared error, as real ones do."""
    sizes = rng.integers(1, 25, n_groups)
    groups = np.repeat(np.arange(n_groups), sizes)
    difficulty = np.exp(rng.normal(0, 0.7, n_groups))[groups]
    shared = rng.normal(size=n_groups)[groups]
    error = 0.02 * difficulty * (0.8 * shared + 0.6 * rng.normal(size=len(groups)))
    spread = 0.02 * difficulty * np.exp(rng.normal(0, 0.2, len(groups)))
    return groups, error, spread


def test_a_row_of_a_new_logo_is_covered_as_promised() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        groups, error, spread = logos(rng, 120)
        made = calibrate(error, 0 * error, spread, groups, 0.9)
        new_groups, new_error, new_spread = logos(rng, 100)
        low, high = made.interval(0 * new_error, new_spread)
        held = (low <= new_error) & (new_error <= high)
        covered.append(np.mean([held[new_groups == g].mean() for g in range(100)]))
    assert np.mean(covered) == pytest.approx(0.905, abs=0.01)  # at least 0.9, at most 1/121 more


def test_the_quantile_by_hand() -> None:
    scores = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    groups = np.array([0, 0, 1, 2, 2])  # weights 1/8, 1/8, 1/4, 1/8, 1/8 and 1/4 at infinity
    assert hierarchical_quantile(scores, groups, 0.25) == 2
    assert hierarchical_quantile(scores, groups, 0.5) == 3
    assert hierarchical_quantile(scores, groups, 0.51) == 4
    assert hierarchical_quantile(scores, groups, 0.75) == 5
    with pytest.raises(
        ModelError, match="needs at least 4 unlike logos to be calibrated on, got 3"
    ):
        hierarchical_quantile(scores, groups, 0.8)


@given(st.integers(0, 2**32 - 1), st.integers(10, 60))
def test_one_row_a_group_is_ordinary_split_conformal(seed: int, n: int) -> None:
    scores = np.random.default_rng(seed).exponential(size=n)
    expected = np.sort(scores)[math.ceil(0.9 * (n + 1)) - 1]
    assert hierarchical_quantile(scores, np.arange(n), 0.9) == expected


@given(st.integers(0, 2**32 - 1))
def test_repeating_the_rows_of_a_logo_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, groups = rng.exponential(size=40), np.arange(40)
    often = np.where(groups == 7, 5, 1)
    repeated = hierarchical_quantile(np.repeat(scores, often), np.repeat(groups, often), 0.9)
    assert repeated == hierarchical_quantile(scores, groups, 0.9)


def test_intervals_are_wider_where_the_spread_is_and_stay_in_range() -> None:
    made = Conformal(level=0.9, quantile=2.0, floor=0.01)
    low, high = made.interval(np.array([0.5, 0.99]), np.array([0.04, 0.09]))
    assert low == pytest.approx([0.4, 0.79])
    assert high == pytest.approx([0.6, 1.0])


def test_it_survives_json() -> None:
    for limits in ((-1.0, 1.0), (-math.inf, math.inf)):
        made = Conformal(0.9, 2.5, 0.01, *limits)
        assert all(map(math.isfinite, made.as_dict().values()))
        assert Conformal.from_dict(made.as_dict()) == made


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"level": 0.9}, "must hold its numbers"),
        ({"level": 1.5, "quantile": 1, "floor": 0}, "must have a level in"),
        ({"level": 0.9, "quantile": "wide", "floor": 0}, "must hold its numbers"),
    ],
)
def test_refuses_other_records(values: dict[str, float], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Conformal.from_dict(values)


def test_refuses_what_is_not_finite() -> None:
    with pytest.raises(ModelError, match="finite scores"):
        calibrate(np.array([np.nan]), np.zeros(1), np.ones(1), np.zeros(1))
