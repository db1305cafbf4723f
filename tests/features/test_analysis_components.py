"""Main components, against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from svg_quality.errors import FeatureError
from svg_quality.features.analysis.components import principal_components


def features(seed: int, n: int = 40, d: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 5)) @ rng.normal(size=(5, d)) + rng.normal(size=(n, d))).astype(
        np.float32
    )


def test_they_are_those_of_scikit_learn() -> None:
    values, others = features(0), features(1)
    scaler = StandardScaler().fit(values.astype(float))
    oracle = PCA(4).fit(scaler.transform(values.astype(float)))
    found = principal_components(values, 4)
    assert found.share[:4] == pytest.approx(oracle.explained_variance_ratio_)
    expected = oracle.transform(scaler.transform(others.astype(float)))
    got = found.project(others)
    signs = np.sign((expected * got).sum(0))  # an axis has no sign of its own
    assert got == pytest.approx(expected * signs, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(2, 30), st.integers(1, 30), st.integers(1, 40))
def test_laws(seed: int, n: int, d: int, k: int) -> None:
    found = principal_components(features(seed, n, d), k)
    assert found.share.sum() == pytest.approx(1)
    assert (np.diff(found.share) <= 1e-12).all()
    assert found.axes.shape == (min(k, n, d), d)
    assert found.axes @ found.axes.T == pytest.approx(np.eye(len(found.axes)), abs=1e-9)
    assert (np.take_along_axis(found.axes, np.abs(found.axes).argmax(1)[:, None], 1) > 0).all()


def test_how_many_hold_a_share() -> None:
    found = principal_components(features(0), 3)
    sums = np.cumsum(found.share)
    for share in (0.5, 0.9, 1.0, float(sums[2])):
        n = found.n_for(share)
        assert sums[n - 1] >= share - 1e-9
        assert n == 1 or sums[n - 2] < share


def test_a_feature_that_never_varies_does_no_harm() -> None:
    values = np.column_stack([features(0), np.full(40, 7)])
    assert principal_components(values, 3).share[:12] == pytest.approx(
        principal_components(features(0), 3).share
    )


def test_refuses() -> None:
    with pytest.raises(FeatureError, match="at least two pictures, got 1"):
        principal_components(features(0)[:1], 3)
    with pytest.raises(FeatureError, match="features that differ"):
        principal_components(np.ones((5, 3)), 3)
