"""The method `predictive`: choose among thousands of predictions, verify a few by conversion.

The model scores every candidate; the layers of the predicted front of quality and bytes are kept.
Of these the one that is expected to gain most is converted; what is measured corrects what the
model says of the others (`residual`), and the next is chosen. VTracer's default is measured
first, so its residual is the first that is known.

How sure the corrected prediction of the first choice is decides how many are verified: few where
its interval is narrow, more where it is wide. Where it is so wide that the model tells nothing, all
of the budget goes to `adaptive`. Where the logo is unlike the training data, or conversions came
out far from what was expected, the rest of the budget goes to `search`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.adaptive import Adaptive
from svg_quality.optimization.base import Answer, Attempt, Optimizer, best_of, conclude
from svg_quality.optimization.candidates import (
    Candidates,
    Sets,
    everyday_sets,
    promising,
    scored,
    sets_around,
)
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.gain import Beliefs, expected_gain
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.residual import posterior
from svg_quality.optimization.residual_priors import LOG_BYTES_PRIOR, SSIM_PRIOR
from svg_quality.optimization.search import TpeSearch

if TYPE_CHECKING:
    from svg_quality.prediction.picture import Picture

N_SURE: Final = 4  # verified where the first choice's interval is narrow
N_UNSURE: Final = 12  # verified where it is wide
NARROW: Final = 0.02  # SSIM, half of the corrected 90% interval
USELESS: Final = 0.2  # the same, from which on `adaptive` finds more than the model does
TOO_FAR: Final = 2.5  # standard deviations, root mean square of what was verified
_OF_90_PERCENT: Final = 1.645  # standard deviations


class Predictive:
    """Method `predictive`.

    Args:
        n_sure, n_unsure: conversions that verify, where the model is sure and where it is not.
        propose: which sets to choose among; None for `everyday_sets`, and around the best.
    """

    name = "predictive"
    default_budget = 33

    def __init__(
        self,
        n_sure: int = N_SURE,
        n_unsure: int = N_UNSURE,
        propose: Callable[[Picture], Sets] | None = None,
    ) -> None:
        self.n_sure, self.n_unsure, self.propose = n_sure, n_unsure, propose

    def optimize(
        self,
        logo: Logo,
        objective: Objective,
        conversions: Conversions,
        *,
        picture: Picture | None,
    ) -> Answer:
        """Verify what is expected to gain most, one after the other."""
        began = perf_counter()
        if picture is None:
            return conclude(
                self.name, logo, objective, conversions, began=began, status="unavailable",
                confidence="VTracer's defaults, measured", reason="No model was asked.",
            )  # fmt: skip
        chosen = _Verification(objective, conversions, picture, self.propose)
        width = chosen.first_width()
        if width > USELESS:
            why = f"the model could only guess this logo's SSIM (±{USELESS:g} or worse)"
            said = f"measured; {_handed_over(Adaptive(), why, logo, objective, conversions)}"
        else:
            said = self._verified(chosen, width)
            if doubt := chosen.why_to_search():
                said += f"; {_handed_over(TpeSearch(), doubt, logo, objective, conversions)}"
        return conclude(
            self.name, logo, objective, conversions, began=began, picture=picture,
            confidence=said, reason=chosen.sentence,
        )  # fmt: skip

    def _verified(self, chosen: _Verification, width: float) -> str:
        """Verify few or more; gives what was done, and why."""
        narrow, unlike = width <= NARROW, chosen.picture.similarity.unlike
        wanted = self.n_sure if narrow and not unlike else self.n_unsure
        chosen.verify(wanted)
        sure = "sure" if narrow else "unsure"
        said = f"measured; the model was {sure} of its first choice (SSIM ±{width:.3f})"
        if narrow and unlike:
            said += ", but never saw such a logo"
        n = chosen.n_verified
        said += f", so {n} {'set was' if n == 1 else 'sets were'} converted to check it"
        if n < wanted and chosen.conversions.ended_by:
            said += f", all that the {chosen.conversions.ended_by} allowed"
        return said


def _handed_over(
    other: Optimizer, why: str, logo: Logo, objective: Objective, conversions: Conversions
) -> str:
    """Let another method spend what is left of the budget; gives how much that was, and why."""
    if conversions.ended_by:
        return f"{why}, and the {conversions.ended_by} left nothing for the method {other.name}"
    before = conversions.spent
    other.optimize(logo, objective, conversions, picture=None)
    n = conversions.spent - before
    return f"the method {other.name} tried {n} more {'set' if n == 1 else 'sets'}, because {why}"


@dataclass(slots=True, eq=False)
class _Verification:
    """The state of one logo: candidates, and how far off each measured one was."""

    objective: Objective
    conversions: Conversions
    picture: Picture
    propose: Callable[[Picture], Sets] | None
    candidates: Candidates = field(init=False)
    n_scored: int = field(init=False)
    off: list[float] = field(default_factory=list)  # standard deviations, of what was verified
    n_verified: int = 0

    def __post_init__(self) -> None:
        everything = scored(self.picture, (self.propose or everyday_sets)(self.picture))
        self.n_scored = len(everything.sets)
        self.candidates = everything if self.propose else promising(everything)
        self._take_in({one.parameters: one.origin for one in self.conversions.attempts})

    def first_width(self) -> float:
        """Half of the 90% interval of SSIM of what would be verified first."""
        beliefs = self._beliefs()
        return float(_OF_90_PERCENT * beliefs.ssim_sd[int(self._gains(beliefs).argmax())])

    def verify(self, n: int) -> None:
        """Convert up to ``n`` sets, the first few one by one, then as many as there are workers."""
        n = min(n, self.conversions.left)
        while self.n_verified < n:
            if self.propose is None:
                self._look_around()
            at_once = 1 if self.n_verified < N_SURE else self.conversions.pool.n_workers
            if not self._converted(min(at_once, n - self.n_verified)):
                return

    def why_to_search(self) -> str | None:
        """Why the model is not to be relied on; None where it is."""
        if self.picture.similarity.unlike:
            return "the logo is unlike those the model learned from"
        far = float(np.sqrt(np.mean(np.square(self.off)))) if self.off else 0.0
        if far > TOO_FAR:
            return f"sets came out far from what it expected ({far:.1f} standard deviations)"
        return None

    @property
    def sentence(self) -> str:
        """What was done."""
        return f"Of {self.n_scored:,} predicted sets {self.n_verified} were verified by conversion."

    def _converted(self, n: int) -> int:
        """Choose and convert ``n`` sets at once; gives how many were."""
        believed: dict[int, tuple[float, float]] = {}
        places: list[int] = []
        before = beliefs = self._beliefs()
        for _ in range(n):  # as if the chosen ones came out as expected
            gains = self._gains(beliefs)
            gains[places] = -np.inf
            if not np.isfinite(gains.max()):
                break
            places.append(int(gains.argmax()))
            expected = beliefs.ssim[places[-1]], beliefs.log_bytes[places[-1]]
            believed[places[-1]] = (float(expected[0]), float(expected[1]))
            beliefs = self._beliefs(believed) if len(places) < n else beliefs
        chosen = [
            (self.candidates.sets[i], self.candidates.origins[i], self.candidates.predicted(i))
            for i in places
        ]
        made = self.conversions.measure(chosen)
        for i, attempt in zip(places, made, strict=False):
            self.n_verified += 1
            if attempt.figures:
                error = attempt.figures[0] - before.ssim[i]
                self.off.append(float(error / before.ssim_sd[i]))
        return len(made)

    def _look_around(self) -> None:
        best = best_of(self.conversions.attempts, self.objective)
        if best is not None:
            self._take_in(sets_around(best.parameters))

    def _take_in(self, sets: Sets) -> None:
        known = self.candidates.place
        fresh = {one: origin for one, origin in sets.items() if one not in known}
        if fresh:
            self.candidates = self.candidates.with_more(scored(self.picture, fresh))

    def _measured(self) -> dict[int, tuple[float, float]]:
        """Place of each measured set, with its SSIM and log bytes."""
        return {
            self.candidates.place[one.parameters]: (one.figures[0], float(np.log(one.figures[1])))
            for one in self.conversions.attempts
            if one.figures
        }

    def _beliefs(self, believed: dict[int, tuple[float, float]] | None = None) -> Beliefs:
        """The predictions, corrected by what is measured (and by what is believed to be)."""
        here = self.candidates
        known = self._measured() | (believed or {})
        places = np.fromiter(known, int)
        ssim, log_bytes = np.array(list(known.values())).reshape(-1, 2).T
        off = ssim - here.scores.ssim[places]
        mean, sd = posterior(SSIM_PRIOR, here.of_ssim, here.of_ssim.at(places), off)
        off = log_bytes - here.log_bytes[places]
        log_mean, log_sd = posterior(
            LOG_BYTES_PRIOR, here.of_log_bytes, here.of_log_bytes.at(places), off
        )
        return Beliefs(here.scores.ssim + mean, sd, here.log_bytes + log_mean, log_sd)

    def _meeting(self) -> list[Attempt]:
        attempts = self.conversions.attempts
        return [one for one in attempts if one.figures and self.objective.meets(*one.figures)]

    def _gains(self, beliefs: Beliefs) -> np.ndarray:
        """Of every candidate; minus infinity of those that were converted."""
        meeting = self._meeting()
        best = best_of(meeting, self.objective)
        verified_one = any(one.parameters != Parameters() for one in meeting)
        caution = 2.0 if self.n_verified >= 2 and not verified_one else 1.0
        figures = best.figures if best else None
        gains = expected_gain(self.objective, beliefs, figures, caution)
        converted = [self.candidates.place[one.parameters] for one in self.conversions.attempts]
        gains[converted] = -np.inf
        return gains
