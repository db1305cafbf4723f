"""Whether the same comes out again: of the same network, and of the same seed."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from svg_quality.model.modes import mode
from svg_quality.model.validation.checks import Check, check
from svg_quality.model.validation.examples import Example, predict

_AREA: Final = "determinism"
_N_ROWS: Final = 4


def determinism_checks(model: nn.Module, example: Example, seed: int) -> list[Check]:
    """Two passes, two training losses of one seed, and two networks of one seed."""
    inputs = example.inputs(_N_ROWS)
    first, second = predict(model, inputs), predict(model, inputs)
    same = all(torch.equal(first[name], second[name]) for name in first)
    losses = [_training_loss(model, example, seed) for _ in range(2)]
    checks = [
        check(_AREA, "two passes", same, "the same to the bit" if same else "they differ",
              "outputs in evaluation mode are the same to the bit"),
        check(_AREA, "two training passes of one seed", losses[0] == losses[1],
              f"losses {losses[0]:.8g} and {losses[1]:.8g}", "the same to the bit"),
    ]  # fmt: skip
    if example.build is None:
        return checks
    built = [_built(example, seed), _built(example, seed), _built(example, seed + 1)]
    twice, otherwise = _equal(built[0], built[1]), _equal(built[0], built[2])
    return [
        *checks,
        check(_AREA, "two networks of one seed", twice,
              "the same to the bit" if twice else "they differ", "the same weights"),
        check(_AREA, "networks of two seeds", not otherwise,
              "the same" if otherwise else "they differ", "other weights"),
    ]  # fmt: skip


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and statistics."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def _training_loss(model: nn.Module, example: Example, seed: int) -> float:
    before = state_of(model)
    with mode(model, training=True), torch.no_grad():
        torch.manual_seed(seed)
        loss = float(example.loss(model, example.inputs(_N_ROWS)))
    model.load_state_dict(before)  # training mode moves the statistics of batch norms
    return loss


def _built(example: Example, seed: int) -> dict[str, Tensor]:
    if example.build is None:
        return {}
    torch.manual_seed(seed)
    return example.build().state_dict()


def _equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())
