"""All checks of a network, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from svg_quality.model.summary import ModelSummary, summarise
from svg_quality.model.validation.checks import Check, Outcome, check
from svg_quality.model.validation.determinism import determinism_checks, state_of
from svg_quality.model.validation.dimensions import dimension_checks
from svg_quality.model.validation.examples import Example, example_of
from svg_quality.model.validation.gradients import (
    LayerGradient,
    frozen_check,
    gradient_checks,
    layer_gradients,
)
from svg_quality.model.validation.memory import memory_checks, memory_growth
from svg_quality.model.validation.odd_inputs import odd_input_checks
from svg_quality.model.validation.timing import (
    LayerTime,
    ThreadTimes,
    layer_times,
    thread_times,
    time_checks,
)

AREAS = ("dimensions", "gradients", "memory", "time", "inputs", "determinism")


@dataclass(frozen=True, slots=True)
class ArchitectureReport:
    """What was found of one network."""

    name: str
    checks: tuple[Check, ...]
    gradients: tuple[LayerGradient, ...]
    layers: tuple[LayerTime, ...]
    threads: ThreadTimes
    summary: ModelSummary  # of a pass of one row

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed, as ``area: name``."""
        return [f"{x.area}: {x.name}" for x in self.checks if x.outcome == "fail"]

    @property
    def passed(self) -> bool:
        """Whether none failed; a warning is no failure."""
        return not self.failed

    def outcome(self, area: str | None = None) -> Outcome:
        """The worst of an area, or of all."""
        found = {x.outcome for x in self.checks if area in (None, x.area)}
        return "fail" if "fail" in found else "warn" if "warn" in found else "pass"

    def with_checks(self, more: Sequence[Check]) -> ArchitectureReport:
        """The same with more checks."""
        return dataclasses.replace(self, checks=(*self.checks, *more))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; a number that is not finite becomes its name."""
        said = {**dataclasses.asdict(self), "outcome": self.outcome(), "failed": self.failed}
        return dict(_plain(said))


class ModelArchitectureValidator:
    """Tries a network from all sides; it stays as it is.

    Args:
        model: any network; those of this project need no example.
        example: inputs, loss and ranges to try it with; noise where None.
        name: in the report; the class where None.
        n_calls: over which memory must not grow.
        seed: of noise and dropout.
        on_area: called with the name of each area that is done.

    Example:
        >>> from svg_quality.model.mlp import SSIMPredictor
        >>> model = SSIMPredictor(8, (16,), use_batch_norm=False)
        >>> ModelArchitectureValidator(model, n_calls=20).validate_architecture().passed
        True
    """

    def __init__(
        self,
        model: nn.Module,
        example: Example | None = None,
        *,
        name: str | None = None,
        n_calls: int = 200,
        seed: int = 42,
        on_area: Callable[[str], object] = lambda area: None,
    ) -> None:
        self.model = model
        self.example = example or example_of(model, seed)
        self.name = name or type(model).__name__
        self.n_calls, self.seed = n_calls, seed
        self.on_area = on_area

    def validate_architecture(self) -> ArchitectureReport:
        """Run every check; torch's random state and the network's own are the same afterwards.

        Raises:
            ModelError: the network gives something else than tensors.
        """
        with torch.random.fork_rng(devices=[]):
            return self._validated()

    def _validated(self) -> ArchitectureReport:
        model, example, seed = self.model, self.example, self.seed
        before = state_of(model)
        checks = dimension_checks(model, example)
        self.on_area("dimensions")
        gradients = layer_gradients(model, example, seed)
        checks += gradient_checks(gradients)
        checks.append(frozen_check(model, example, seed))
        self.on_area("gradients")
        checks += memory_checks(memory_growth(model, example, self.n_calls))
        self.on_area("memory")
        inputs = example.inputs(example.n_timed)
        layers = layer_times(model, inputs, n_passes=example.n_passes)
        threads = thread_times(model, inputs, n_passes=example.n_passes)
        checks += time_checks(layers, threads, example)
        self.on_area("time")
        checks += odd_input_checks(model, example, seed)
        self.on_area("inputs")
        checks += determinism_checks(model, example, seed)
        same = all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        checks.append(check("determinism", "a pass leaves no trace", same,
                            "weights and statistics are as before" if same else "they changed",
                            "weights and statistics as before"))  # fmt: skip
        self.on_area("determinism")
        return ArchitectureReport(
            self.name, tuple(checks), tuple(gradients), tuple(layers), threads,
            summarise(model, *example.inputs(1)),
        )  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
