"""Learning rates against written-out formulas, and half of them after `halve`."""

import math

import pytest
import torch
from torch import nn

from svg_quality.training.optimizer import build_optimizer
from svg_quality.training.schedules import RateSchedule, Schedule


def schedule(kind: Schedule, n_epochs: int = 6, n_steps: int = 5) -> RateSchedule:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(1))], lr=0.1)
    return RateSchedule(optimizer, kind, n_epochs, n_steps, warm_up_share=0.2)


def rates(made: RateSchedule, losses: list[float], n_steps: int = 5) -> list[float]:
    """Of each step."""
    seen = []
    for loss in losses:
        for _ in range(n_steps):
            seen.append(made.rate)
            made.optimizer.step()
            made.after_step()
        made.after_epoch(loss)
    return seen


def test_cosine() -> None:
    expected = [0.1 * (1 + math.cos(math.pi * step / 30)) / 2 for step in range(30)]
    assert rates(schedule("cosine"), [1.0] * 6) == pytest.approx(expected, abs=1e-12)


def test_one_cycle() -> None:
    """Up to the highest at a fifth of the steps, from a 25th; down to a 10,000th of that."""

    def between(start: float, end: float, share: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    expected = [between(0.004, 0.1, step / 5) for step in range(5)]
    expected += [between(0.1, 0.004 / 1e4, (step - 5) / 24) for step in range(5, 30)]
    assert rates(schedule("one-cycle"), [1.0] * 6) == pytest.approx(expected, abs=1e-12)


def test_step() -> None:
    seen = rates(schedule("step"), [1.0] * 6)
    assert seen == pytest.approx([0.1] * 10 + [0.01] * 10 + [0.001] * 10)


def test_plateau() -> None:
    """Two epochs may be no better; the third halves."""
    seen = rates(schedule("plateau"), [1.0, 0.5, 0.5, 0.6, 0.5, 0.4, 0.4], n_steps=1)
    assert seen == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])


def test_constant() -> None:
    assert set(rates(schedule("constant"), [1.0] * 6)) == {0.1}


@pytest.mark.parametrize("kind", ["one-cycle", "cosine", "step", "plateau", "constant"])
def test_half_is_half_of_all_that_follows(kind: Schedule) -> None:
    losses = [1.0] * 6
    whole, half = schedule(kind), schedule(kind)
    rates(whole, losses[:2])
    rates(half, losses[:2])
    half.halve()
    expected = [rate / 2 for rate in rates(whole, losses[2:])]
    assert rates(half, losses[2:]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", ["one-cycle", "cosine", "step", "plateau", "constant"])
def test_a_state_goes_on_as_it_was(kind: Schedule) -> None:
    losses = [1.0, 0.9, 1.0, 1.0, 1.0, 1.0]
    first, again = schedule(kind), schedule(kind)
    rates(first, losses[:3])
    again.optimizer.load_state_dict(first.optimizer.state_dict())
    again.load_state_dict(first.state_dict())
    assert rates(first, losses[3:]) == rates(again, losses[3:])


def test_only_matrices_decay_and_the_bottleneck_more() -> None:
    model = nn.ModuleDict({"bottleneck": nn.Linear(3, 2), "rest": nn.Linear(2, 2)})
    loss = nn.Linear(1, 1, bias=False)
    optimizer = build_optimizer("adam", model, loss, 0.1, 0.2, 0.3)
    assert type(optimizer) is torch.optim.Adam
    decays = {
        id(parameter): group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert decays == {
        id(model["bottleneck"].weight): 0.3,
        id(model["rest"].weight): 0.2,
        id(model["bottleneck"].bias): 0.0,
        id(model["rest"].bias): 0.0,
        id(loss.weight): 0.0,
    }
