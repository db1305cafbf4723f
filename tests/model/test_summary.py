"""The summary against counts written out by hand."""

import pytest
import torch
from torch import nn

from svg_quality.model.mlp import SSIMPredictor
from svg_quality.model.summary import summarise


def test_counts_and_memory_of_a_written_out_network() -> None:
    model = nn.Sequential(nn.Linear(10, 6), nn.BatchNorm1d(6), nn.ReLU(inplace=True),
                          nn.Linear(6, 2))  # fmt: skip
    model[0].requires_grad_(False)
    made = summarise(model.train(), torch.zeros(4, 10))
    assert [(x.name, x.kind, x.output_shape, x.n_parameters) for x in made.layers] == [
        ("0", "Linear", (4, 6), 66), ("1", "BatchNorm1d", (4, 6), 12),
        ("2", "ReLU", (4, 6), 0), ("3", "Linear", (4, 2), 14),
    ]  # fmt: skip
    assert (made.n_parameters, made.n_trainable) == (92, 26)
    assert made.parameter_bytes == 4 * 92
    assert made.buffer_bytes == 4 * 12 + 8  # means, variances, and an int64 counter
    # 4 x 6 after the first layer and after the norm, 4 x 2 at the end; ReLU in place adds none.
    assert made.activation_bytes == 4 * (24 + 24 + 8)
    assert made.total_bytes == 4 * 92 + 56 + 4 * 56
    assert model.training
    assert all(module.training for module in model)


@pytest.mark.parametrize("batch", [1, 8])
def test_activations_grow_with_the_batch_and_parameters_do_not(batch: int) -> None:
    model = SSIMPredictor(2048)
    one, made = summarise(model, torch.zeros(1, 2048)), summarise(model, torch.zeros(batch, 2048))
    assert made.activation_bytes == batch * one.activation_bytes
    assert made.parameter_bytes == one.parameter_bytes
    assert made.n_parameters == sum(p.numel() for p in model.parameters())


def test_a_layer_used_twice_counts_once_in_parameters_and_twice_in_activations() -> None:
    shared = nn.Linear(5, 5)
    made = summarise(nn.Sequential(shared, nn.Sequential(shared)), torch.zeros(3, 5))
    assert made.n_parameters == 30
    assert len(made.layers) == 1
    assert made.activation_bytes == 2 * 4 * 15


def test_the_table_has_a_line_for_each_layer_and_the_sums() -> None:
    lines = summarise(SSIMPredictor(2048, [64, 32]), torch.zeros(2, 2048)).table().splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters"]
    assert lines[1].split() == ["layers.0", "Linear", "2x64", "131,136"]
    assert len(lines) == 1 + 9 + 3
    assert lines[-2].startswith("parameters   133,441 (133,441 trainable)")
    assert lines[-1].startswith("memory       0.5 MB")
