"""Shapes and ranges of batches of several sizes, and whether a row's company matters to it."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from svg_quality.model.validation.checks import Check, check
from svg_quality.model.validation.examples import Example, Inputs, out_of_range, predict

BATCHES: Final = (1, 2, 8, 33)
_AREA: Final = "dimensions"


def dimension_checks(model: nn.Module, example: Example) -> list[Check]:
    """A check for each batch size, and one for rows alone against rows in a batch."""
    checks = [_of_batch(model, example, n) for n in BATCHES]
    return [*checks, _alone(model, example)]


def largest_difference(said: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Of two sets of outputs, over the largest output or 1, whichever is larger."""
    return max(
        float((said[name] - other[name]).abs().max()) / max(float(said[name].abs().max()), 1.0)
        for name in said
    )


def rows(inputs: Inputs, start: int, stop: int) -> Inputs:
    """Some rows of inputs."""
    return tuple(values[start:stop] for values in inputs)


def _of_batch(model: nn.Module, example: Example, n: int) -> Check:
    said = predict(model, example.inputs(n))
    wrong = [
        f"{name} is of shape {tuple(value.shape)}"
        for name, value in said.items()
        if value.ndim < 1 or len(value) != n
    ]
    wrong += [f"{name} is {v.dtype}" for name, v in said.items() if not v.is_floating_point()]
    wrong += out_of_range(said, example.ranges)
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in said.items())
    return check(
        _AREA, f"batch of {n}", not wrong, "; ".join(wrong) or shapes,
        f"outputs of {n} rows, finite and in range",
    )  # fmt: skip


def _alone(model: nn.Module, example: Example) -> Check:
    n = BATCHES[-1]
    inputs = example.inputs(n)
    together = predict(model, inputs)
    worst = 0.0
    for row in (0, n // 2, n - 1):
        alone = predict(model, rows(inputs, row, row + 1))
        there = {name: value[row : row + 1] for name, value in together.items()}
        same = all(alone[name].shape == there[name].shape for name in there)
        worst = max(worst, largest_difference(there, alone) if same else torch.inf)
    return check(
        _AREA, "alone and in a batch", worst <= example.tolerance, f"outputs differ by {worst:.2g}",
        f"at most {example.tolerance:g}, relative to outputs above 1",
    )  # fmt: skip
