"""Whether a picture is worth vectorising: does any setting reach the floor within the ceiling?

A model scores thousands of settings. Where among those of a size within the ceiling not even the
upper end of a predicted interval reaches the floor, the advice is not to vectorise (a photograph,
as a rule); a few real conversions of the best candidates go with it, and overrule it where they
reach what was predicted to be out of reach.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.base import Attempt, Predicted

if TYPE_CHECKING:
    from svg_quality.prediction.bundle import Scores
    from svg_quality.prediction.picture import Picture

N_SETS: Final = 4096
_FULL_SHARE: Final = 0.25  # of the sets: also what nobody uses, for "no setting" has to mean none
_SEED: Final = 20260101

Verdict = Literal["vectorise", "do_not_vectorise", "unsure"]


@dataclass(frozen=True, slots=True)
class Worth:
    """A verdict and what speaks for it."""

    verdict: Verdict
    floor: float  # SSIM
    ceiling: int  # bytes
    n_sets: int  # scored
    interval: float  # coverage that the predicted ends promise
    evidence: tuple[tuple[Parameters, Predicted], ...]  # the best candidates, to be converted
    measured: tuple[Attempt, ...] = ()  # their conversions, and others that were at hand

    @property
    def best(self) -> Predicted:
        """The highest SSIM predicted for a size within the ceiling, else the smallest SVG."""
        return self.evidence[0][1]

    @property
    def smallest(self) -> Attempt | None:
        """The smallest conversion that reaches the floor within the ceiling."""
        reaching = [x for x in self.measured if _reaches(x, self.floor, self.ceiling)]
        return min(reaching, key=lambda x: (x.figures or (0, 0))[1], default=None)

    @property
    def nearest(self) -> Attempt | None:
        """The conversion with the highest SSIM within the ceiling, else the smallest one."""
        known = [(x, figures) for x in self.measured if (figures := x.figures)]
        within = [(x, figures) for x, figures in known if figures[1] <= self.ceiling]
        if within:
            return max(within, key=lambda pair: pair[1][0])[0]
        return min(known, key=lambda pair: pair[1][1])[0] if known else None

    @property
    def sentence(self) -> str:
        """The verdict with its evidence."""
        wanted = f"SSIM {self.floor:g} within {self.ceiling:,} bytes"
        smallest, nearest = self.smallest, self.nearest
        if smallest and smallest.figures:
            ssim, svg_bytes = smallest.figures
            share = f"{svg_bytes / self.ceiling:.0%} of the ceiling"
            return (
                f"Worth vectorising: {wanted} is reached with {svg_bytes:,} bytes ({share}) and"
                f" SSIM {ssim:.4f}, converted for real."
            )
        said = {
            "vectorise": f"Worth vectorising, by prediction: of {self.n_sets:,} settings at least"
            f" one is predicted to reach {wanted}",
            "unsure": f"Not sure: of {self.n_sets:,} settings some may reach {wanted}",
            "do_not_vectorise": f"Do not vectorise: of {self.n_sets:,} settings none reaches"
            f" {wanted}, even at the upper end of its {self.interval:.0%} interval",
        }[self.verdict]
        best = self.best
        said += (
            f". Best predicted: SSIM {best.ssim:.3f} (up to {best.ssim_high:.3f}) with about"
            f" {best.svg_bytes:,.0f} bytes"
        )
        if nearest and nearest.figures:
            ssim, svg_bytes = nearest.figures
            said += f"; best converted for real: SSIM {ssim:.4f} with {svg_bytes:,} bytes"
        return f"{said}."

    def as_dict(self) -> dict[str, Any]:
        """Plain values, JSON-able."""
        return {
            "verdict": self.verdict,
            "reason": self.sentence,
            "floor": self.floor,
            "ceiling": self.ceiling,
            "n_sets": self.n_sets,
            "interval": self.interval,
            "best_predicted": dataclasses.asdict(self.best),
            "measured": [attempt.as_dict() for attempt in self.measured],
        }


def worth_vectorising(
    picture: Picture,
    floor: float,
    ceiling: int,
    sets: Sequence[Parameters] | None = None,
) -> Worth:
    """Score thousands of settings against a floor and a ceiling.

    Args:
        picture: from `QualityPredictor.picture`.
        floor: lowest SSIM worth having.
        ceiling: largest SVG worth having, bytes; the logo file's own size is a sensible one.
        sets: to be scored; where none are given, ``N_SETS`` of the whole declared ranges.
    """
    scored = sets or candidate_sets()
    scores = picture.score(scored)
    within = scores.svg_bytes <= ceiling
    possible, likely = within & (scores.ssim_high >= floor), within & (scores.ssim >= floor)
    verdict: Verdict = "do_not_vectorise"
    if possible.any():
        verdict = "vectorise" if likely.any() else "unsure"
    places = _evidence(scores, floor, ceiling, likely if likely.any() else possible)
    return Worth(
        verdict=verdict,
        floor=floor,
        ceiling=ceiling,
        n_sets=len(scored),
        interval=picture.interval,
        evidence=tuple((scored[i], Predicted.of(scores, i)) for i in places),
    )


def settled(worth: Worth, attempts: Iterable[Attempt]) -> Worth:
    """The same with real conversions: one that reaches the floor decides for vectorising.

    A prediction that the floor is reached is not enough where no conversion reached it.
    """
    measured = tuple(attempt for attempt in attempts if attempt.figures)
    told = dataclasses.replace(worth, measured=(*worth.measured, *measured))
    if told.smallest:
        return dataclasses.replace(told, verdict="vectorise")
    if told.verdict == "vectorise" and measured:
        return dataclasses.replace(told, verdict="unsure")
    return told


def candidate_sets(n_sets: int = N_SETS) -> list[Parameters]:
    """Sets that cover what VTracer accepts, most of them where people work; always the same."""
    from svg_quality.conversion.sampling import sobol_sets  # scipy is slow to import

    n_full = round(n_sets * _FULL_SHARE)
    return [
        *sobol_sets(n_sets - n_full, "everyday", _SEED),
        *sobol_sets(n_full, "full", _SEED + 1),
    ]


def _evidence(scores: Scores, floor: float, ceiling: int, hopeful: np.ndarray) -> list[int]:
    """Places of a few sets worth converting, the first with the best prediction.

    Where nothing is hopeful: the best of what takes all of the ceiling, and half, and a quarter of
    it, for sizes of a picture unlike all others are predicted badly.
    """
    if not (scores.svg_bytes <= ceiling).any():
        return [int(np.argmin(scores.svg_bytes))]
    places = {_highest(scores.ssim, scores.svg_bytes <= ceiling): None}
    if hopeful.any():
        sure = hopeful & (scores.ssim_low >= floor)
        for among in (hopeful, sure):
            if among.any():
                places[_highest(-scores.svg_bytes, among)] = None
        return list(places)
    places[_highest(scores.ssim_high, scores.svg_bytes <= ceiling)] = None
    for share in (2, 4):
        among = scores.svg_bytes <= ceiling / share
        if among.any():
            places[_highest(scores.ssim, among)] = None
    return list(places)


def _highest(values: np.ndarray, among: np.ndarray) -> int:
    return int(np.argmax(np.where(among, values, -np.inf)))


def _reaches(attempt: Attempt, floor: float, ceiling: int) -> bool:
    figures = attempt.figures
    return figures is not None and figures[0] >= floor and figures[1] <= ceiling
