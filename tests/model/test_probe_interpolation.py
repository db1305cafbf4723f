"""Reading between probes: a written-out mixture, laws, gradients, and refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.errors import ModelError
from svg_quality.model.probe_interpolation import ProbeInterpolation, probed_targets


def made(seed: int = 0) -> tuple[ProbeInterpolation, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    layer = ProbeInterpolation(d_query=3, n_probes=4, n_mixtures=2).eval()
    return layer, torch.randn(5, 3), torch.randn(5, 2, 4)


def test_a_mixture_written_out() -> None:
    layer, query, probed = made()
    scores = layer.query(query).detach().numpy().reshape(5, 2, 4)
    weights = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
    expected = np.empty((5, 2, 2))
    for row in range(5):
        for target in range(2):
            for mixture in range(2):
                expected[row, target, mixture] = weights[row, mixture] @ probed[row, target].numpy()
    assert layer(query, probed).detach().numpy() == pytest.approx(expected, abs=1e-6)


@given(st.integers(0, 99))
def test_answers_lie_between_the_probes(seed: int) -> None:
    layer, query, probed = made(seed)
    said = layer(query, probed)
    assert (said <= probed.amax(2, keepdim=True) + 1e-5).all()
    assert (said >= probed.amin(2, keepdim=True) - 1e-5).all()


def test_where_all_probes_agree_so_does_the_answer() -> None:
    layer, query, _ = made()
    assert layer(query, torch.full((5, 2, 4), 0.7)).detach().numpy() == pytest.approx(0.7)


def test_parameters_and_probes_get_gradients() -> None:
    layer, query, probed = made()
    query.requires_grad_(), probed.requires_grad_()
    layer(query, probed).sum().backward()
    assert query.grad is not None
    assert probed.grad is not None
    assert query.grad.abs().sum() > 0
    assert (probed.grad > 0).all()  # no weight of a softmax is zero


def test_targets_are_in_the_units_of_the_head() -> None:
    tabular = torch.tensor([[9.0, 0.5, 0.9, 7.0, 8.0]])
    said = probed_targets(tabular, 2, torch.tensor([1.0, 6.0]), torch.tensor([0.5, 2.0]))
    expected = [[(np.arctanh(0.5) - 1) / 0.5, (np.arctanh(0.9) - 1) / 0.5], [0.5, 1.0]]
    assert said[0].numpy() == pytest.approx(np.array(expected), abs=1e-5)


@pytest.mark.parametrize("ssim", [-1.0, 1.0, 1.000001])
def test_a_perfect_probe_is_finite(ssim: float) -> None:
    tabular = torch.tensor([[ssim, 7.0]])
    assert torch.isfinite(probed_targets(tabular, 1, torch.zeros(2), torch.ones(2))).all()


def test_refuses_sizes() -> None:
    with pytest.raises(ModelError, match="sizes must be positive"):
        ProbeInterpolation(3, 0)
