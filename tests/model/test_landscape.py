"""The grid by hand, the length of directions, and weights that come back."""

import numpy as np
import pytest
import torch
from torch import nn

from svg_quality.errors import ModelError
from svg_quality.model.landscape import filter_normalised_direction, loss_landscape


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 1)).eval()


def test_a_direction_is_as_long_as_each_row_of_weights_and_leaves_the_rest() -> None:
    model = network()
    direction = filter_normalised_direction(model, torch.Generator().manual_seed(1))
    assert [*direction] == ["0.weight", "2.weight"]
    for name, part in direction.items():
        weight = dict(model.named_parameters())[name]
        assert part.norm(dim=1).tolist() == pytest.approx(weight.norm(dim=1).tolist(), rel=1e-5)


def test_a_direction_of_a_convolution_is_normalised_by_filter() -> None:
    model = nn.Conv2d(3, 5, 3)
    direction = filter_normalised_direction(model, torch.Generator().manual_seed(1))["weight"]
    expected = model.weight.flatten(1).norm(dim=1).tolist()
    assert direction.flatten(1).norm(dim=1).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_grid_of_a_square_is_its_parabola() -> None:
    model = nn.Linear(3, 1, bias=False).double()
    center = model.weight.detach().clone()
    places, values = loss_landscape(
        model, lambda: float((model.weight - center).square().sum()), reach=0.5, n_steps=5, seed=2
    )
    generator = torch.Generator().manual_seed(2)
    d = [filter_normalised_direction(model, generator)["weight"] for _ in range(2)]
    assert places.tolist() == [-0.5, -0.25, 0, 0.25, 0.5]
    for i, j in np.ndindex(5, 5):
        expected = (places[i] * d[0] + places[j] * d[1]).square().sum().item()
        assert values[i, j] == pytest.approx(expected, abs=1e-12)


def test_the_weights_come_back_even_after_a_failure() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def fails() -> float:
        raise ValueError("no loss here")

    with pytest.raises(ValueError, match="no loss here"):
        loss_landscape(model, fails, n_steps=3)
    loss_landscape(model, lambda: 0.0, n_steps=3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("n_steps", "reach"), [(4, 1.0), (1, 1.0), (5, 0.0)])
def test_refuses_a_grid_without_a_middle(n_steps: int, reach: float) -> None:
    with pytest.raises(ModelError, match="n_steps must be odd, reach positive"):
        loss_landscape(network(), lambda: 0.0, reach, n_steps)
