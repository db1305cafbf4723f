"""Statistics of features against NumPy's decompositions."""

import numpy as np
import pytest

from svg_quality.errors import FeatureError
from svg_quality.evaluation.feature_statistics import feature_statistics


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_effective_dimensions_are_those_of_the_covariance(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    values = np.linalg.eigvalsh(np.cov(x.T))
    got = feature_statistics(x)["effective_dimensions"]
    assert got == pytest.approx(values.sum() ** 2 / (values**2).sum())


def test_figures_by_hand() -> None:
    x = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 2.0]])
    training = np.array([[0.0, 1.0, -1.0], [0.0, 3.0, 1.0]])  # mean 0, 2, 0; deviation 0, 1, 1
    got = feature_statistics(x, training)
    assert (got["n"], got["d"], got["constant"], got["zeros"]) == (2, 3, 2, pytest.approx(1 / 3))
    assert (got["mean"], got["effective_dimensions"]) == (pytest.approx(8 / 6), pytest.approx(1))
    assert got["far_from_training"] == 0
    assert feature_statistics(x + np.array([0, 9, 0]), training)[
        "far_from_training"
    ] == pytest.approx(1 / 3)
    assert feature_statistics(np.ones((3, 2)))["effective_dimensions"] == 0
    assert feature_statistics(np.ones((3, 2)))["far_from_training"] is None


@pytest.mark.parametrize("bad", [np.empty((0, 3)), np.zeros(3), np.array([[np.nan]])])
def test_refuses(bad: np.ndarray) -> None:
    with pytest.raises(FeatureError, match="finite table with rows, got shape"):
        feature_statistics(bad)
