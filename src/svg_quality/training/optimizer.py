"""Adam or AdamW with a weight decay of its own for each kind of parameter."""

from __future__ import annotations

from typing import Literal, get_args

from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from svg_quality.errors import SettingsError

Algorithm = Literal["adamw", "adam"]


def build_optimizer(
    algorithm: Algorithm,
    model: nn.Module,
    loss: nn.Module,
    learning_rate: float,
    weight_decay: float,
    bottleneck_weight_decay: float,
) -> Optimizer:
    """Decay for the matrices only, more of it for the bottleneck; the loss's weights are free.

    AdamW takes the decay off the weights, Adam adds it to the gradient (Loshchilov, Hutter 2019,
    arXiv:1711.05101): the same number weighs differently.

    Raises:
        SettingsError: there is no such algorithm.
    """
    if algorithm not in get_args(Algorithm):
        raise SettingsError(f"optimizer must be one of {get_args(Algorithm)}, got {algorithm!r}")
    decayed: list[nn.Parameter] = []
    narrow: list[nn.Parameter] = []
    free: list[nn.Parameter] = [*loss.parameters()]
    for name, parameter in model.named_parameters():
        if name == "bottleneck.weight":
            narrow.append(parameter)
        elif parameter.ndim > 1:
            decayed.append(parameter)
        else:
            free.append(parameter)
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": narrow, "weight_decay": bottleneck_weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    # Fused: one pass over the weights, a third of the time of several (on a CPU).
    return (AdamW if algorithm == "adamw" else Adam)(groups, lr=learning_rate, fused=True)
