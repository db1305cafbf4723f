"""How the parts of a loss are weighed against each other while training goes on.

``fixed``: ``sum_i w_i L_i``, where each ``w_i`` may move from its first to its final value over
the training's progress ``p`` in [0, 1]::

    constant:  w
    linear:    w + (w' - w) p
    cosine:    w + (w' - w) (1 - cos(pi p)) / 2

``uncertainty``: ``sum_i w_i (exp(-s_i) L_i + s_i) / 2`` with learnt ``s_i``, the logarithm of a
part's variance [1]_. Its best is ``exp(s_i) = L_i``: each part then weighs by its own size.

References:
    .. [1] Kendall, Gal, Cipolla (2018), Multi-task learning using uncertainty to weigh losses,
       arXiv:1705.07115
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from svg_quality.errors import SettingsError

Schedule = Literal["constant", "linear", "cosine"]
Weighting = Literal["fixed", "uncertainty"]


class WeightedSum(nn.Module):
    """One number from the parts of a loss.

    In evaluation mode the weights are those at the end of the schedule, and none is learnt, so
    that the losses of two epochs, or of two trainings, compare.

    Args:
        weights: of the parts, by name; not negative. A part that weighs 0 throughout has no
            learnt variance.
        final_weights: of the parts whose weight moves, at progress 1.
        schedule: how they move.
        weighting: fixed, or learnt.

    Raises:
        SettingsError: a weight is negative or not finite, a final weight is of no part or of a
            constant schedule, or the kind of schedule or weighting is not known.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        final_weights: Mapping[str, float] | None = None,
        schedule: Schedule = "constant",
        weighting: Weighting = "fixed",
    ) -> None:
        super().__init__()
        final = dict(final_weights or {})
        _check(weights, final, schedule, weighting)
        self.first, self.last = dict(weights), {**weights, **final}
        self.schedule, self.weighting = schedule, weighting
        learnt = [name for name in weights if self.first[name] or self.last[name]]
        self.log_variances = nn.ParameterDict(
            {name: torch.zeros(()) for name in (learnt if weighting == "uncertainty" else ())}
        )

    def weights(self, progress: float) -> dict[str, float]:
        """The weight of each part at a progress in [0, 1].

        Raises:
            SettingsError: the progress is not in [0, 1].
        """
        if not 0 <= progress <= 1:
            raise SettingsError(f"the progress of a training must be in [0, 1], got {progress}")
        share = {
            "constant": 0.0,
            "linear": progress,
            "cosine": (1 - math.cos(math.pi * progress)) / 2,
        }[self.schedule]
        return {
            name: first + (self.last[name] - first) * share for name, first in self.first.items()
        }

    def forward(self, parts: Mapping[str, Tensor], progress: float = 0.0) -> Tensor:
        """The sum: scalars in, by the names of the weights; a scalar out."""
        weights = self.weights(progress if self.training else 1.0)
        terms = []
        for name, weight in weights.items():
            term = parts[name]
            if self.training and name in self.log_variances:
                log_variance = self.log_variances[name]
                term = (torch.exp(-log_variance) * term + log_variance) / 2
            terms.append(weight * term)
        return torch.stack(terms).sum()


def _check(
    weights: Mapping[str, float], final: Mapping[str, float], schedule: str, weighting: str
) -> None:
    if schedule not in ("constant", "linear", "cosine"):
        raise SettingsError(f"schedule must be constant, linear or cosine, got {schedule!r}")
    if weighting not in ("fixed", "uncertainty"):
        raise SettingsError(f"weighting must be fixed or uncertainty, got {weighting!r}")
    for name, weight in [*weights.items(), *final.items()]:
        if not 0 <= weight < math.inf:
            raise SettingsError(f"the weight of a loss must be at least 0, {name} has {weight}")
        if name not in weights:
            raise SettingsError(f"a final weight must be of one of {[*weights]}, got {name!r}")
    if not weights or (final and schedule == "constant"):
        raise SettingsError("weights must be one or more, and final ones need a moving schedule")
