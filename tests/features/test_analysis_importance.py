"""Permutation importance, against what it must be for a model that is known."""

import math

import numpy as np
import pytest

from svg_quality.errors import FeatureError
from svg_quality.features.analysis.importance import permutation_importance
from svg_quality.features.boosting import boosted_trees

WEIGHTS = np.array([3.0, 1.0, 0.0])
RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(4000, 3))
TARGET = INPUTS @ WEIGHTS
SINGLE = {"three": [0], "one": [1], "none": [2]}


def linear(rows: np.ndarray) -> np.ndarray:
    product: np.ndarray = rows @ WEIGHTS
    return product


def test_of_a_linear_model_it_is_known() -> None:
    """|w| E|x - x'| = 2 |w| / sqrt(pi) of standard normal inputs; R2 falls by 2 w^2 / |w|^2."""
    found = permutation_importance(linear, INPUTS, TARGET, SINGLE, n_repeats=8, seed=1)
    assert (found.mae, found.r2) == pytest.approx((0, 1))
    assert [each.name for each in found.found] == ["three", "one", "none"]
    for each, weight in zip(found.found, (3, 1, 0), strict=True):
        assert each.error_rise == pytest.approx(2 * weight / math.sqrt(math.pi), rel=0.03)
        assert each.r2_loss == pytest.approx(2 * weight**2 / 10, rel=0.05)
    assert found.found[2].error_rise_sd == 0


def test_a_block_is_shuffled_in_one_order() -> None:
    """Two inputs whose sum counts and always is zero: together they may be shuffled at no loss."""
    x = RNG.normal(size=500)
    rows, target = np.column_stack([x, -x, RNG.normal(size=500)]), np.zeros(500)
    target = rows[:, 2]

    def predict(given: np.ndarray) -> np.ndarray:
        summed: np.ndarray = given.sum(1)
        return summed

    found = permutation_importance(
        predict, rows, target, {"pair": range(0, 2), "first": [0]}, n_repeats=2, seed=0
    )
    rises = {each.name: each.error_rise for each in found.found}
    assert rises["pair"] == pytest.approx(0, abs=1e-12)
    assert rises["first"] > 0.5


def test_nothing_is_changed_for_the_caller_and_the_seed_decides() -> None:
    before = INPUTS.copy()
    one, two = (
        permutation_importance(linear, INPUTS, TARGET, SINGLE, n_repeats=2, seed=5)
        for _ in range(2)
    )
    assert np.array_equal(before, INPUTS)
    assert one == two


def test_trees_learn_what_counts() -> None:
    fitted = boosted_trees(INPUTS[:3000], TARGET[:3000], seed=0, n_rounds=100, learning_rate=0.1)
    found = permutation_importance(fitted, INPUTS[3000:], TARGET[3000:], SINGLE, 2, seed=0)
    assert found.r2 > 0.95
    assert [each.name for each in found.found] == ["three", "one", "none"]
    assert abs(found.found[2].error_rise) < 0.02


def test_refuses() -> None:
    with pytest.raises(FeatureError, match="rows with different targets"):
        permutation_importance(linear, INPUTS, np.ones(4000), SINGLE, 1, 0)
