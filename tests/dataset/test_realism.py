"""The two-sample classifier, against scikit-learn, a bootstrap and known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from svg_quality.dataset.augmentation.realism import (
    auc_interval,
    measure_realism,
    realism_by_kind,
    realism_line,
)
from svg_quality.errors import DatasetError

SCORES = st.lists(st.integers(0, 6), min_size=2, max_size=40)


@given(SCORES, SCORES)
def test_auc_is_scikit_learns_with_ties(negative, positive):
    auc, low, high = auc_interval(np.array(negative, float), np.array(positive, float))
    labels = [0] * len(negative) + [1] * len(positive)
    assert auc == pytest.approx(roc_auc_score(labels, negative + positive), abs=1e-12)
    assert 0 <= low <= auc <= high <= 1


def test_interval_agrees_with_a_bootstrap():
    rng = np.random.default_rng(0)
    negative, positive = rng.normal(0, 1, 120), rng.normal(1, 1, 80)
    _, low, high = auc_interval(negative, positive)
    labels = np.repeat([0, 1], [120, 80])
    draws = [
        roc_auc_score(labels, np.concatenate([rng.choice(negative, 120), rng.choice(positive, 80)]))
        for _ in range(1000)
    ]
    assert [low, high] == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.02)


def test_variance_is_that_of_delong_written_out():
    """V10 and V01 as in the paper, counted pair by pair."""
    negative, positive = np.array([0.1, 0.4, 0.35]), np.array([0.8, 0.3, 0.4])
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = wins.mean(1).var(ddof=1) / 3 + wins.mean(0).var(ddof=1) / 3
    auc, low, high = auc_interval(negative, positive)
    half = 1.959964 * np.sqrt(variance) / (auc * (1 - auc))
    logit = np.log([low / (1 - low), high / (1 - high)])
    assert np.diff(logit) / 2 == pytest.approx(half, rel=1e-5)


def test_the_same_source_is_not_told_apart_and_another_is():
    rng = np.random.default_rng(1)
    real, alike = rng.normal(size=(80, 4)), rng.normal(size=(80, 4))
    found = measure_realism(real, alike, 0)
    assert found.low < 0.5 < found.high
    assert measure_realism(real, alike + 3, 0).auc > 0.95
    assert (found.n_real, found.n_synthetic) == (80, 80)


def test_twins_among_the_real_stay_in_one_fold():
    """Rows repeated four times are learned by heart, unless their twins are held out too."""
    rng = np.random.default_rng(2)
    real, synthetic = np.repeat(rng.normal(size=(20, 6)), 4, axis=0), rng.normal(size=(80, 6))
    torn = measure_realism(real, synthetic, 0)
    whole = measure_realism(real, synthetic, 0, np.repeat(np.arange(20), 4))
    assert torn.auc > whole.auc + 0.1


def test_kinds_are_compared_with_real_logos_of_their_type():
    rng = np.random.default_rng(3)
    real, drawn = rng.normal(size=(60, 2)), rng.normal(size=(30, 2))
    types = np.repeat(["simple", "text"], [50, 10])
    kinds = np.repeat(["simple", "complex"], [20, 10])
    found = realism_by_kind(real, types, drawn, kinds, 0)
    assert list(found) == ["all", "simple", "complex"]
    assert (found["simple"]["n_real"], found["simple"]["n_synthetic"]) == (50, 20)
    assert "got 0 real and 10 synthetic" in found["complex"]["error"]
    assert f"AUC all {found['all']['auc']:.3f}" in realism_line(found)
    assert "was not measured: no logo" in realism_line({"all": {"error": "no logo"}})


def test_refuses_too_few_and_unlike():
    with pytest.raises(DatasetError, match="needs 10 logos of each side, got 9 real and 30 synth"):
        measure_realism(np.zeros((9, 2)), np.zeros((30, 2)), 0)
    with pytest.raises(DatasetError, match="described alike, widths are 2 and 3"):
        measure_realism(np.zeros((20, 2)), np.zeros((20, 3)), 0)
