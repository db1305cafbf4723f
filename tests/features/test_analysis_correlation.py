"""Correlations, against SciPy's one column at a time, and p-values against shuffling."""

import numpy as np
import pytest
from scipy import stats

from svg_quality.errors import FeatureError
from svg_quality.features.analysis.correlation import correlations

NAMES = ("strong", "weak", "ties", "constant", "noise")


def made_up(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.normal(size=n)
    columns = [
        -np.exp(target) + 0.1 * rng.normal(size=n),
        1e6 + 1e-3 * (target + 3 * rng.normal(size=n)),  # small on a large mean
        np.round(target + rng.normal(size=n)),
        np.full(n, 5.0),
        rng.normal(size=n),
    ]
    return np.column_stack(columns), target


def test_each_is_scipys_for_its_column() -> None:
    columns, target = made_up()
    found = correlations(columns, NAMES, target)
    assert found.constant == ("constant",)
    assert found.n_images == 60
    by_name = {each.name: each for each in found.found}
    assert set(by_name) == {*NAMES} - {"constant"}
    for name, each in by_name.items():
        column = columns[:, NAMES.index(name)]
        pearson, spearman = stats.pearsonr(column, target), stats.spearmanr(column, target)
        assert (each.pearson, each.pearson_p) == pytest.approx(tuple(pearson), rel=1e-6)
        assert (each.spearman, each.spearman_p) == pytest.approx(tuple(spearman), rel=1e-6)
    assert [abs(each.spearman) for each in found.found] == sorted(
        (abs(each.spearman) for each in found.found), reverse=True
    )
    assert found.found[0].name == "strong"


def test_adjusted_p_values_are_benjamini_and_hochbergs() -> None:
    """Written out: the smallest p n / rank of this and all larger ones, at most 1."""
    columns, target = made_up()
    found = sorted(correlations(columns, NAMES, target).found, key=lambda each: each.spearman_p)
    n, running = len(found), 1.0
    for rank in range(n, 0, -1):
        running = min(running, found[rank - 1].spearman_p * n / rank)
        assert found[rank - 1].adjusted_p == pytest.approx(running)


def test_p_values_are_shares_of_shuffled_targets() -> None:
    rng = np.random.default_rng(1)
    target = rng.normal(size=25)
    column = target + 2.5 * rng.normal(size=25)
    (found,) = correlations(column[:, None], ["x"], target).found
    ranks = stats.rankdata(column)
    shuffled = [abs(np.corrcoef(ranks, rng.permutation(25))[0, 1]) for _ in range(4000)]
    share = np.mean(np.array(shuffled) >= abs(found.spearman) - 1e-12)
    assert found.spearman_p == pytest.approx(share, abs=0.02)


def test_pictures_without_a_target_are_left_out() -> None:
    columns, target = made_up()
    holes = np.where(np.arange(60) % 3 == 0, np.nan, target)
    found = correlations(columns, NAMES, holes)
    assert found == correlations(columns[np.isfinite(holes)], NAMES, holes[np.isfinite(holes)])
    assert found.n_images == 40


def test_a_target_that_never_varies_correlates_with_nothing() -> None:
    columns, _ = made_up()
    found = correlations(columns, NAMES, np.ones(60))
    assert found.found == ()


def test_refuses() -> None:
    columns, target = made_up()
    with pytest.raises(FeatureError, match=r"columns must be \(pictures, names\)"):
        correlations(columns, NAMES[:2], target)
    with pytest.raises(FeatureError, match="at least 3 pictures, got 2"):
        correlations(columns[:2], NAMES, target[:2])
