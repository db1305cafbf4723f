"""Whether gradients reach every weight, none is out of proportion, and what is frozen stays."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

from svg_quality.model.validation.checks import Check, check
from svg_quality.model.validation.examples import Example

MAX_NORM: Final = 1e3  # of a parameter's gradient, over the loss where that is above 1
MIN_SHARE: Final = 1e-6  # of the largest root mean square of a gradient, that each must have
_AREA: Final = "gradients"
_N_STEPS: Final = 2


@dataclass(frozen=True, slots=True)
class LayerGradient:
    """The gradient of one parameter."""

    name: str
    shape: tuple[int, ...]
    frozen: bool
    norm: float | None  # L2; None where nothing came
    root_mean_square: float | None
    silent_units: float | None  # share of a matrix' rows without any gradient; None for vectors
    verdict: str  # "", "none", "vanishing", "exploding", "frozen"


def layer_gradients(model: nn.Module, example: Example, seed: int) -> list[LayerGradient]:
    """Gradients of one training step; the network stays as it is.

    Only matrices can be found vanishing: the gradient of a bias in front of a batch norm is 0 by
    the mathematics of it.
    """
    trained = copy.deepcopy(model).train()
    torch.manual_seed(seed)
    loss = example.loss(trained, example.inputs(example.n_training))
    if loss.requires_grad:  # else all of it is frozen
        loss.backward()
    scale = max(abs(float(loss.detach())), 1.0)
    found = [_gradient(name, parameter, scale) for name, parameter in trained.named_parameters()]
    largest = max((x.root_mean_square or 0.0 for x in found), default=0.0)
    return [_judged(one, largest) for one in found]


def gradient_checks(gradients: Sequence[LayerGradient]) -> list[Check]:
    """Three checks: a gradient everywhere, none vanishing, none exploding."""
    trained = [x for x in gradients if not x.frozen]
    largest = max((x.norm or 0.0 for x in trained), default=0.0)
    facts = {
        "none": f"all {len(trained)} trainable parameters have one",
        "vanishing": f"the smallest of a matrix is {_smallest(trained):.2g} of the largest",
        "exploding": f"the largest norm is {largest:.3g}",
    }
    laws = {
        "none": "a gradient in every trainable parameter",
        "vanishing": f"of every matrix, at least {MIN_SHARE:g} of the largest (root mean squares)",
        "exploding": f"finite, and under {MAX_NORM:g} times the loss (of 1, where that is less)",
    }
    checks = []
    for verdict, fact in facts.items():
        wrong = [x.name for x in trained if x.verdict == verdict]
        names = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        checks.append(check(_AREA, {"none": "reaches every parameter"}.get(verdict, verdict),
                            not wrong, names or fact, laws[verdict]))  # fmt: skip
    return checks


def frozen_check(
    model: nn.Module, example: Example, seed: int, frozen: Sequence[str] = ()
) -> Check:
    """Whether training steps leave the frozen part as it is, to the bit, and move the rest.

    Args:
        model: stays as it is; a copy is trained.
        example: to train on.
        seed: of dropout.
        frozen: prefixes of names that are meant to be frozen, beside whatever needs no gradient.
            Statistics of batch norms count: they change in training mode, gradients or not.
    """
    trained = copy.deepcopy(model).train()
    kept = _frozen_names(trained, frozen)
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    optimizer = torch.optim.Adam(list(trained.parameters()), lr=1e-3)
    torch.manual_seed(seed)
    for _ in range(_N_STEPS):
        optimizer.zero_grad()
        loss = example.loss(trained, example.inputs(example.n_training))
        if loss.requires_grad:
            loss.backward()
            optimizer.step()
    after = trained.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    thawed = sorted(moved & kept)
    stuck = sorted(
        name for name, p in trained.named_parameters()
        if name not in kept and name not in moved and p.ndim > 1
    )  # fmt: skip
    fact = f"{len(kept)} frozen tensors are the same to the bit, {len(moved)} others moved"
    if not kept:
        fact = f"nothing is frozen, and {len(moved)} tensors moved"
    if thawed:
        fact = f"frozen, yet changed: {', '.join(thawed[:5])} ({len(thawed)} in all)"
    elif stuck:
        fact = f"trainable, yet unchanged: {', '.join(stuck[:5])} ({len(stuck)} in all)"
    law = f"{_N_STEPS} training steps move what is trainable and nothing that is frozen"
    return check(_AREA, "frozen stays frozen", not thawed and not stuck, fact, law)


def _gradient(name: str, parameter: nn.Parameter, scale: float) -> LayerGradient:
    shape, frozen, gradient = tuple(parameter.shape), not parameter.requires_grad, parameter.grad
    if frozen or gradient is None:
        verdict = "frozen" if frozen else "none"
        return LayerGradient(name, shape, frozen, None, None, None, verdict)
    gradient = gradient.double() / scale
    norm = float(gradient.norm())
    silent = None
    if gradient.ndim > 1:
        silent = float((gradient.flatten(1) == 0).all(1).double().mean())
    verdict = "exploding" if not math.isfinite(norm) or norm > MAX_NORM else ""
    return LayerGradient(
        name, shape, frozen, norm, norm / math.sqrt(gradient.numel()), silent, verdict
    )


def _judged(one: LayerGradient, largest: float) -> LayerGradient:
    if one.verdict or one.silent_units is None or one.root_mean_square is None:
        return one
    verdict = ""
    if one.root_mean_square == 0:
        verdict = "none"
    elif math.isfinite(largest) and one.root_mean_square < MIN_SHARE * largest:
        verdict = "vanishing"
    return LayerGradient(
        one.name, one.shape, one.frozen, one.norm, one.root_mean_square, one.silent_units, verdict
    )


def _smallest(gradients: Sequence[LayerGradient]) -> float:
    known = [x.root_mean_square for x in gradients if x.root_mean_square is not None]
    of_matrices = [
        x.root_mean_square for x in gradients
        if x.root_mean_square is not None and x.silent_units is not None
    ]  # fmt: skip
    return min(of_matrices) / max(known) if of_matrices and max(known) > 0 else math.nan


def _frozen_names(model: nn.Module, prefixes: Sequence[str]) -> set[str]:
    """Parameters and statistics that must not change."""
    kept = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    for path, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            kept |= {
                f"{path}.{name}" if path else name
                for name, _ in module.named_buffers(recurse=False)
            }
    return kept | {
        name for name in model.state_dict()
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
    }  # fmt: skip
