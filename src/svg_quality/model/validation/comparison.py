"""Networks side by side: parameters, memory, and the time of many rows at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import thread_time
from typing import Final

import torch
from torch import nn

from svg_quality.model.modes import mode
from svg_quality.model.summary import summarise
from svg_quality.model.validation.checks import Check, check
from svg_quality.model.validation.examples import Inputs
from svg_quality.model.validation.timing import Clock

N_SETS: Final = 10_000  # parameter sets of one image, as an optimizer scores them
MAX_MS: Final = 150.0
_N_PASSES: Final = 2


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a network costs."""

    name: str
    n_parameters: int
    megabytes: float  # of its weights and statistics, 10^6
    activations_mb: float  # of all layers' outputs in the timed pass
    ms: float  # of the timed pass, the fastest of some


def compare_architectures(
    models: Mapping[str, tuple[nn.Module, Inputs]],
    clock: Clock = thread_time,
    n_passes: int = _N_PASSES,
) -> list[Architecture]:
    """A line for each network.

    Args:
        models: by name, with the inputs of the pass that is timed.
        clock: s; by default the processor time of this thread, in which other work on the machine
            does not count. Let torch use one thread.
        n_passes: that are timed, after one that is not; the networks take turns.
    """
    fastest = dict.fromkeys(models, float("inf"))
    for turn in range(n_passes + 1):
        for name, (model, inputs) in models.items():
            with mode(model, training=False), torch.no_grad():
                start = clock()
                model(*inputs)
                if turn:
                    fastest[name] = min(fastest[name], clock() - start)
    compared = []
    for name, (model, inputs) in models.items():
        summary = summarise(model, *inputs)
        compared.append(
            Architecture(
                name=name,
                n_parameters=summary.n_parameters,
                megabytes=(summary.parameter_bytes + summary.buffer_bytes) / 1e6,
                activations_mb=summary.activation_bytes / 1e6,
                ms=1e3 * fastest[name],
            )
        )
    return compared


def scoring_check(own: Architecture) -> Check:
    """Whether 10,000 parameter sets are scored fast enough; a warning, since machines vary."""
    return check(
        "time", "10,000 parameter sets of one image", own.ms <= MAX_MS,
        f"{own.ms:.3g} ms of one processor", f"at most {MAX_MS:g} ms", miss="warn",
    )  # fmt: skip
