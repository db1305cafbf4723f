"""The sets that `Predictive` chooses among, and what the model says of each.

Thousands: VTracer's presets, Sobol points of the everyday region, what the training logos most
like this one were converted with and came out well, each curve with fewer decimals, and, once
something is measured, everything around the best.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Final

import numpy as np

from svg_quality.conversion.parameters import PRESETS, Parameters
from svg_quality.optimization.adaptive import N_HALVINGS, moves
from svg_quality.optimization.base import Predicted
from svg_quality.optimization.dials import canonical, within_dials
from svg_quality.optimization.front import front_layers, pareto_front
from svg_quality.optimization.residual import Points
from svg_quality.optimization.residual_priors import residual_inputs
from svg_quality.prediction.bundle import Scores
from svg_quality.prediction.picture import Picture

N_SOBOL: Final = 2048
N_KEPT: Final = 768  # of all that are scored, the layers of the predicted front
FEWER_DECIMALS: Final = (0, 1)
_SEED: Final = 20261121

Sets = dict[Parameters, str]  # with where each comes from


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """``n`` sets of one picture, scored."""

    sets: tuple[Parameters, ...]
    origins: tuple[str, ...]
    scores: Scores
    of_ssim: Points  # as the process of SSIM's residuals sees them
    of_log_bytes: Points
    place: dict[Parameters, int] = field(init=False)  # where each set is

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", {one: i for i, one in enumerate(self.sets)})

    def at(self, places: Iterable[int]) -> Candidates:
        """Some of them."""
        chosen = np.fromiter(places, int)
        return Candidates(
            tuple(self.sets[i] for i in chosen),
            tuple(self.origins[i] for i in chosen),
            Scores(**{f.name: getattr(self.scores, f.name)[chosen] for f in fields(Scores)}),
            self.of_ssim.at(chosen),
            self.of_log_bytes.at(chosen),
        )

    def with_more(self, more: Candidates) -> Candidates:
        """These and others."""
        both = {
            f.name: np.concatenate([getattr(self.scores, f.name), getattr(more.scores, f.name)])
            for f in fields(Scores)
        }
        return Candidates(
            self.sets + more.sets,
            self.origins + more.origins,
            Scores(**both),
            _joined(self.of_ssim, more.of_ssim),
            _joined(self.of_log_bytes, more.of_log_bytes),
        )

    def predicted(self, i: int) -> Predicted:
        """What the model says of one."""
        return Predicted.of(self.scores, i)

    @property
    def log_bytes(self) -> np.ndarray:
        """Predicted, float64 ``(n,)``."""
        log_bytes: np.ndarray = np.log(self.scores.svg_bytes)
        return log_bytes


def scored(picture: Picture, sets: Sets) -> Candidates:
    """Ask the model of sets, in one call."""
    scores = picture.score(list(sets))
    log_bytes = np.log(scores.svg_bytes)
    inputs = residual_inputs(
        picture.descriptors, [canonical(one) for one in sets], scores.ssim, log_bytes
    )
    down = scores.ssim - scores.ssim_low  # the upper end is cut off at 1
    across = np.log(scores.bytes_high / scores.bytes_low) / 2
    return Candidates(
        tuple(sets), tuple(sets.values()), scores, Points(inputs, down), Points(inputs, across)
    )


def promising(candidates: Candidates) -> Candidates:
    """Those on the first layers of the predicted front of quality and bytes."""
    scores = candidates.scores
    return candidates.at(front_layers(scores.ssim, scores.svg_bytes, N_KEPT))


def everyday_sets(picture: Picture) -> Sets:
    """Everything worth scoring for a picture before anything of it is measured."""
    sets = dict.fromkeys(_of_neighbours(picture), "neighbour")
    for one in _sobol():
        sets.setdefault(one, "front")
    return sets


def sets_around(best: Parameters) -> Sets:
    """Every set one move away, with large steps and small ones."""
    around = (moved for n in range(N_HALVINGS + 1) for _, moved in moves(best, n))
    return dict.fromkeys(around, "refine")


def _of_neighbours(picture: Picture) -> Iterator[Parameters]:
    """What lies on the measured fronts of the training logos most like the picture."""
    for neighbour in picture.similarity.nearest:
        for i in pareto_front(neighbour.ssim, neighbour.svg_bytes):
            one = canonical(neighbour.parameters[i])
            if within_dials(one):
                yield one


@cache
def _sobol() -> Sequence[Parameters]:
    """Presets and Sobol points, each curve with fewer decimals too; the same for all pictures."""
    from svg_quality.conversion.sampling import sobol_sets  # scipy is slow to import

    drawn = [*PRESETS.values(), *sobol_sets(N_SOBOL, "everyday", _SEED)]
    usual = Parameters().path_precision
    plain = [canonical(replace(one, path_precision=usual)) for one in drawn]
    coarser = [canonical(replace(one, path_precision=n)) for one in plain for n in FEWER_DECIMALS]
    return tuple(dict.fromkeys([*plain, *coarser]))


def _joined(one: Points, other: Points) -> Points:
    return Points(
        np.concatenate([one.inputs, other.inputs]), np.concatenate([one.widths, other.widths])
    )
