"""Weights that move, and weights that are learnt."""

import math

import pytest
import torch

from svg_quality.errors import SettingsError
from svg_quality.model.weighting import WeightedSum


def parts(a: float, b: float) -> dict[str, torch.Tensor]:
    return {"a": torch.tensor(a), "b": torch.tensor(b)}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [0.0, 0.25, 0.5, 1.0]),
        ("cosine", [0.0, (1 - math.sqrt(0.5)) / 2, 0.5, 1.0]),
    ],
)
def test_a_weight_moves_from_its_first_to_its_last_value(
    schedule: str, expected: list[float]
) -> None:
    made = WeightedSum({"a": 1.0, "b": 2.0}, {"b": 6.0}, schedule)
    for progress, share in zip((0.0, 0.25, 0.5, 1.0), expected, strict=True):
        assert made.weights(progress) == pytest.approx({"a": 1.0, "b": 2 + 4 * share})
        total = made(parts(10, 100), progress).item()
        assert total == pytest.approx(10 + 100 * (2 + 4 * share), rel=1e-6)


def test_a_constant_weight_stays_and_evaluation_is_the_end_of_the_schedule() -> None:
    assert WeightedSum({"a": 3.0})(parts(2, 0), 0.4).item() == 6
    made = WeightedSum({"a": 1.0, "b": 0.0}, {"b": 1.0}, "linear")
    assert made(parts(1, 10), 0.1).item() == pytest.approx(2)
    assert made.eval()(parts(1, 10), 0.1).item() == pytest.approx(11)


def test_a_learnt_weight_ends_at_the_size_of_its_part() -> None:
    made = WeightedSum({"a": 1.0, "b": 0.5}, weighting="uncertainty")
    optimizer = torch.optim.Adam(made.parameters(), lr=0.05)
    assert made(parts(4.0, 0.25)).item() == pytest.approx((4 + 0.5 * 0.25) / 2)  # s = 0
    for _ in range(600):
        optimizer.zero_grad()
        made(parts(4.0, 0.25)).backward()
        optimizer.step()
    found = {name: math.exp(value.item()) for name, value in made.log_variances.items()}
    assert found == pytest.approx({"a": 4.0, "b": 0.25}, rel=0.02)


def test_a_part_that_weighs_nothing_has_no_learnt_variance() -> None:
    made = WeightedSum({"a": 1.0, "b": 0.0}, weighting="uncertainty")
    assert [*made.log_variances] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "weights must be one or more"),
        (({"a": -1.0},), "the weight of a loss must be at least 0, a has -1.0"),
        (({"a": math.inf},), "must be at least 0"),
        (({"a": 1.0}, {"b": 1.0}, "linear"), "a final weight must be of one of"),
        (({"a": 1.0}, {"a": 2.0}), "final ones need a moving schedule"),
        (({"a": 1.0}, None, "sudden"), "schedule must be constant, linear or cosine"),
        (({"a": 1.0}, None, "constant", "even"), "weighting must be fixed or uncertainty"),
    ],
)
def test_refusals(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        WeightedSum(*arguments)  # type: ignore[arg-type]


def test_refuses_a_progress_outside_the_training() -> None:
    with pytest.raises(SettingsError, match=r"progress of a training must be in \[0, 1\], got 1.5"):
        WeightedSum({"a": 1.0})(parts(1, 1), 1.5)
