"""Dropout by bits: the share it drops, what it leaves, and nothing outside of training."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from svg_quality.errors import ModelError
from svg_quality.model.dropout import BitDropout


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.5, 0.9])
def test_the_share_is_the_rate(rate: float) -> None:
    torch.manual_seed(0)
    said = BitDropout(rate)(torch.ones(1000, 301))
    n_dropped = int((said == 0).sum())
    assert binomtest(n_dropped, said.numel(), rate).pvalue > 1e-4
    assert torch.allclose(said[said != 0], torch.tensor(1 / (1 - rate)), rtol=1e-3)


def test_units_are_dropped_independently_of_each_other() -> None:
    """The four that come from one draw too."""
    torch.manual_seed(0)
    kept = (BitDropout(0.5)(torch.ones(40_000, 8)) != 0).numpy().astype(float)
    apart = np.corrcoef(kept.T)[np.triu_indices(8, 1)]
    assert np.abs(apart).max() < 4 / 200  # four standard errors of a correlation of 40,000


@given(st.integers(0, 9), st.integers(1, 7))
def test_it_keeps_shapes_and_passes_gradients_where_it_kept(rows: int, columns: int) -> None:
    x = torch.randn(rows, columns, requires_grad=True)
    said = BitDropout(0.5)(x)
    assert said.shape == x.shape
    said.sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad * x, said)


def test_nothing_is_dropped_when_nothing_is_trained() -> None:
    x = torch.randn(5, 3)
    assert BitDropout(0.5).eval()(x) is x
    assert BitDropout(0.0)(x) is x


def test_a_seed_repeats_it() -> None:
    x, dropout = torch.ones(50, 7), BitDropout(0.4)
    torch.manual_seed(3)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(3)
    assert torch.equal(first, dropout(x))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_refuses(rate: float) -> None:
    with pytest.raises(ModelError, match=r"dropout_rate must be in \[0, 1\)"):
        BitDropout(rate)
