"""Conformal intervals: the coverage law on made-up logos, the quantile by hand, refusals."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.errors import ModelError
from svg_quality.model.uncertainty import (
    LEVELS,
    Conformal,
    calibrate,
    groups_needed,
    hierarchical_quantile,
)


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
        ModelError, match="needs at least 4 distinct logos to be calibrated on, got 3"
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


def test_it_reaches_farther_to_the_side_where_errors_are_larger() -> None:
    rng = np.random.default_rng(0)
    groups, error, spread = logos(rng, 300)
    skewed = np.where(error < 0, 2 * error, error)
    made = calibrate(skewed, 0 * error, spread, groups, 0.9)
    turned = calibrate(-skewed, 0 * error, spread, groups, 0.9)
    assert made.downward == pytest.approx(2, rel=0.25)
    assert turned.downward == pytest.approx(1 / made.downward)
    low, high = made.interval(0 * error, spread)
    assert low == pytest.approx(-made.downward * high)
    assert -low == pytest.approx(turned.interval(0 * error, spread)[1])


def test_a_skewed_error_is_still_covered_as_promised_at_every_level() -> None:
    rng = np.random.default_rng(1)
    covered: dict[float, list[float]] = {level: [] for level in LEVELS}
    for _ in range(60):
        groups, error, spread = logos(rng, 150)
        made = calibrate(np.where(error < 0, 2 * error, error), 0 * error, spread, groups, 0.9)
        assert made.levels == LEVELS
        new_groups, new_error, new_spread = logos(rng, 100)
        skewed = np.where(new_error < 0, 2 * new_error, new_error)
        for level in made.levels:
            low, high = made.at(level).interval(0 * skewed, new_spread)
            held = np.bincount(new_groups, (low <= skewed) & (skewed <= high))
            covered[level].append(float((held / np.bincount(new_groups)).mean()))
    for level, shares in covered.items():
        assert np.mean(shares) == pytest.approx(level, abs=0.02)


@given(st.integers(0, 2**32 - 1))
def test_a_higher_level_never_has_a_smaller_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, error, spread = logos(rng, 120)
    made = calibrate(error, 0 * error, spread, groups, 0.9)
    quantiles = [made.at(level).quantile for level in made.levels]
    assert quantiles == sorted(quantiles)
    assert made.at(0.9) == made


def test_without_any_error_to_one_side_the_factor_stays_bounded() -> None:
    groups = np.arange(40)
    for error, factor in ((np.full(40, -0.1), 4.0), (np.full(40, 0.1), 0.25), (np.zeros(40), 1.0)):
        made = calibrate(error, np.zeros(40), np.full(40, 0.02), groups, 0.9)
        assert made.downward == factor
        low, high = made.interval(np.zeros(40), np.full(40, 0.02))
        assert ((low <= error + 1e-12) & (error - 1e-12 <= high)).all()


def test_levels_for_which_there_are_too_few_logos_are_left_out() -> None:
    groups, error, spread = logos(np.random.default_rng(2), 20)
    made = calibrate(error, 0 * error, spread, groups, 0.9)
    assert made.levels == (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    assert [groups_needed(level) for level in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]
    with pytest.raises(ModelError, match=r"the level must be one of \[0.5, .*, 0.95\], got 0.99"):
        made.at(0.99)


def test_it_survives_json() -> None:
    for limits in ((-1.0, 1.0), (-math.inf, math.inf)):
        made = Conformal(0.9, 2.5, 0.01, *limits, 1.5, ((0.5, 1.0), (0.95, 3.5)))
        text = json.dumps(made.as_dict(), allow_nan=False)
        assert Conformal.from_dict(json.loads(text)) == made


def test_a_record_of_a_symmetric_interval_is_read_as_one() -> None:
    made = Conformal.from_dict({"level": 0.9, "quantile": 2.5, "floor": 0.01, "low": -1, "high": 1})
    assert (made.downward, made.levels) == (1.0, (0.9,))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"level": 0.9}, "must hold its numbers"),
        ({"level": 1.5, "quantile": 1, "floor": 0}, "must have a level in"),
        ({"level": 0.9, "quantile": math.nan, "floor": 0}, "must have a level in"),
        ({"level": 0.9, "quantile": "wide", "floor": 0}, "must hold its numbers"),
        ({"level": 0.9, "quantile": 1, "floor": -1}, "must have a floor from 0"),
        ({"level": 0.9, "quantile": 1, "floor": 0, "downward": 0}, "must have a floor from 0"),
        ({"level": 0.9, "quantile": 1, "floor": 0, "curve": [[0.5]]}, "must hold its numbers"),
        ({"level": 0.9, "quantile": 1, "floor": 0, "curve": [[1, 2]]}, "must have a level in"),
    ],
)
def test_refuses_other_records(values: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Conformal.from_dict(values)


def test_refuses_what_is_not_finite() -> None:
    with pytest.raises(ModelError, match="finite scores"):
        calibrate(np.array([np.nan]), np.zeros(1), np.ones(1), np.zeros(1))
