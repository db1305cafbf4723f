"""Figures against scikit-learn and SciPy, the bootstrap against its own draws, coverage by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import DatasetError
from svg_quality.evaluation.metrics import (
    cluster_bootstrap,
    cluster_mean_interval,
    coverage,
    regions,
    score,
)

seeds = st.integers(0, 2**32 - 1)


def rows(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measured (with ties), predicted, logo."""
    rng = np.random.default_rng(seed)
    measured = rng.normal(size=n).round(1)
    return measured, measured + rng.normal(size=n), rng.integers(0, 12, n)


@given(seeds, st.integers(5, 80))
def test_figures_are_those_of_other_libraries(seed: int, n: int) -> None:
    y, p, _ = rows(seed, n)
    got = score(y, p)
    assert got["n"] == n
    assert got["mae"] == pytest.approx(oracle.mean_absolute_error(y, p))
    assert got["rmse"] == pytest.approx(oracle.root_mean_squared_error(y, p))
    assert got["r2"] == pytest.approx(oracle.r2_score(y, p))
    assert got["pearson"] == pytest.approx(stats.pearsonr(y, p).statistic)
    assert got["spearman"] == pytest.approx(stats.spearmanr(y, p).statistic)


def test_what_is_not_defined_is_none() -> None:
    assert score([], []) == {
        "n": 0, "mae": None, "rmse": None, "r2": None, "pearson": None, "spearman": None
    }  # fmt: skip
    flat = score([0.5, 0.5], [0.4, 0.6])
    assert flat["mae"] == pytest.approx(0.1)
    assert (flat["r2"], flat["pearson"], flat["spearman"]) == (None, None, None)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_the_bootstrap_is_that_of_drawing_logos_one_by_one(seed: int) -> None:
    y, p, groups = rows(seed)
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    k = len(members)
    counts = np.random.default_rng(3).multinomial(k, np.full(k, 1 / k), 40)
    drawn = []
    for of_logo in counts:
        picked = np.concatenate([np.tile(m, t) for m, t in zip(members, of_logo, strict=True)])
        drawn.append([score(y[picked], p[picked])[n] for n in ("mae", "rmse", "r2", "pearson")])
    expected = np.quantile(np.array(drawn, float), (0.025, 0.975), axis=0)
    got = cluster_bootstrap(y, p, groups, n_draws=40, seed=3)
    for position, name in enumerate(("mae", "rmse", "r2", "pearson")):
        assert got[name] == pytest.approx(tuple(expected[:, position]), rel=1e-6)


def test_alike_rows_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    y = rng.normal(size=400)
    p = y + np.repeat(np.abs(rng.normal(size=40)), 10)
    by_logo, by_row = (cluster_bootstrap(y, p, g)["mae"] for g in (groups, np.arange(400)))
    assert by_logo is not None
    assert by_row is not None
    assert by_logo[1] - by_logo[0] > 2 * (by_row[1] - by_row[0])


def test_coverage_by_hand() -> None:
    measured, low = np.array([0.0, 1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 2.5, 2.0])
    got = coverage(measured, low, low + 2, np.array(["a", "a", "b", "b"]))
    assert got == {"coverage": 0.75, "width": 2.0, "worst_twentieth": 0.5}
    assert coverage([], [], [], [])["coverage"] is None


def test_regions_follow_the_parameters() -> None:
    sets = [Parameters(), Parameters(color_precision=2), Parameters(mode="none"),
            Parameters(colormode="binary")]  # fmt: skip
    split = regions(sets)
    assert split["full"].tolist() == [True, True, True, True]
    assert split["everyday"].tolist() == [True, False, False, True]
    assert split["everyday_colour"].tolist() == [True, False, False, False]


def test_the_interval_of_a_mean_is_that_of_the_error() -> None:
    y, p, groups = rows(4)
    assert cluster_mean_interval(np.abs(y - p), groups) == cluster_bootstrap(y, p, groups)["mae"]
    assert cluster_mean_interval([], []) is None


def test_refuses() -> None:
    with pytest.raises(DatasetError, match="alike and flat"):
        score([1.0], [1.0, 2.0])
    with pytest.raises(DatasetError, match="finite"):
        score([np.nan], [1.0])
