"""The process of residuals: its limits, and an independent implementation."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from svg_quality.features.inputs import TABULAR_NAMES
from svg_quality.optimization.residual import Points, ResidualPrior, posterior
from svg_quality.optimization.residual_priors import LOG_BYTES_PRIOR, SSIM_PRIOR

PRIOR = ResidualPrior(
    lengths=np.array([0.5, 2.0, 1.0]), power=0.9, similar=0.4, shared=0.02, offset=1e-4, own=0.05
)


def points(n: int, seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    return Points(rng.normal(size=(n, 3)), rng.uniform(0.01, 0.1, n))


@pytest.fixture
def residuals() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.02, 6)


def test_is_exact_at_what_was_measured_where_nothing_is_a_sets_own(residuals: np.ndarray) -> None:
    measured = points(6)
    mean, sd = posterior(replace(PRIOR, own=0.0), measured, measured, residuals)
    assert mean == pytest.approx(residuals, abs=1e-6)
    assert sd == pytest.approx(np.zeros(6), abs=1e-5)


def test_knows_nothing_far_away(residuals: np.ndarray) -> None:
    prior = replace(PRIOR, shared=0.0, offset=0.0)
    far = Points(points(4).inputs + 1000, points(4).widths)
    mean, sd = posterior(prior, far, points(6), residuals)
    assert mean == pytest.approx(np.zeros(4), abs=1e-12)
    untold = posterior(prior, far, points(0), np.empty(0))
    assert sd == pytest.approx(untold[1])
    assert untold[1] == pytest.approx(far.widths**0.9 * np.sqrt(0.45))


def test_what_all_sets_share_reaches_far(residuals: np.ndarray) -> None:
    far = Points(points(4).inputs + 1000, points(4).widths)
    mean, sd = posterior(PRIOR, far, points(6), np.abs(residuals))
    assert (mean > 0).all()
    assert (sd < posterior(PRIOR, far, points(0), np.empty(0))[1]).all()


def test_is_surer_the_more_is_measured(residuals: np.ndarray) -> None:
    asked, measured = points(50, seed=3), points(6)
    before = posterior(PRIOR, asked, points(0), np.empty(0))[1]
    for n in range(1, 7):
        after = posterior(PRIOR, asked, measured.at(np.arange(n)), residuals[:n])[1]
        assert (after <= before + 1e-12).all()
        before = after


def test_agrees_with_scikit_learn(residuals: np.ndarray) -> None:
    """With equal widths the kernel is one that scikit-learn has."""
    width, scale = 0.05, 0.05 ** (2 * PRIOR.power)
    measured = Points(points(6).inputs, np.full(6, width))
    asked = Points(points(20, seed=2).inputs, np.full(20, width))
    kernel = ConstantKernel(scale * PRIOR.similar) * Matern(PRIOR.lengths, nu=2.5)
    kernel += ConstantKernel(scale * PRIOR.shared + PRIOR.offset) + WhiteKernel(scale * PRIOR.own)
    peer = GaussianProcessRegressor(kernel, alpha=0, optimizer=None)
    peer.fit(measured.inputs, residuals)
    mean, sd = posterior(PRIOR, asked, measured, residuals)
    wanted = peer.predict(asked.inputs, return_std=True)
    assert mean == pytest.approx(wanted[0], rel=1e-6, abs=1e-9)
    assert sd == pytest.approx(wanted[1], rel=1e-6)


@pytest.mark.parametrize("prior", [SSIM_PRIOR, LOG_BYTES_PRIOR])
def test_shipped_numbers_make_sense(prior: ResidualPrior) -> None:
    assert 10 < len(prior.lengths) <= len(TABULAR_NAMES)
    assert (prior.lengths > 0).all()
    assert min(prior.power, prior.similar, prior.shared, prior.offset, prior.own) > 0
    assert 0.3 < prior.similar + prior.shared + prior.own < 1  # the width is of a 90% interval
