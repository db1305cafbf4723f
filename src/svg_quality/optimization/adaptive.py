"""Method 3: coarse to fine around the best.

First a spread of a few sets over what matters most: polygons or curves, how many colours, how
much is filtered. Then rounds around the best so far: every dial that VTracer reads is turned up
and down by a step (and every switch thrown, once), and what helped is then done all at once.
A round that finds nothing better halves the steps; at the smallest steps it ends. This is the
pattern search of Hooke and Jeeves [1]_, all moves of a round converted side by side.

References:
    .. [1] Hooke, Jeeves (1961), "Direct search" solution of numerical and statistical problems,
       JACM 8(2), doi:10.1145/321062.321069
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.base import Answer, Attempt, best_of, conclude
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.dials import DIALS, SWITCHES, canonical, live
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.rules import without_effect

if TYPE_CHECKING:
    from svg_quality.prediction.predictor import Picture

COARSE: Final = (  # each adds most to those before it, on 80 validation logos of 93 sets each
    Parameters(mode="polygon"),
    Parameters(mode="polygon", color_precision=3, filter_speckle=8, layer_difference=48),
    Parameters(mode="polygon", color_precision=7, filter_speckle=8, layer_difference=48),
    Parameters(path_precision=1),
    Parameters(mode="polygon", color_precision=8, filter_speckle=8),
    Parameters(mode="polygon", colormode="binary", filter_speckle=2),
    Parameters(mode="polygon", color_precision=4, filter_speckle=12, layer_difference=112),
)
STEPS: Final = {  # the first; layer_difference is turned on a logarithmic scale
    "filter_speckle": 4.0, "color_precision": 2.0, "layer_difference": 4.0,
    "corner_threshold": 40.0, "length_threshold": 2.0, "splice_threshold": 40.0,
    "path_precision": 1.0,
}  # fmt: skip
N_HALVINGS: Final = 3


class Adaptive:
    """Method 3."""

    name = "adaptive"
    default_budget = 40

    def optimize(
        self,
        logo: Logo,
        objective: Objective,
        conversions: Conversions,
        *,
        picture: Picture | None = None,
    ) -> Answer:
        """Convert until the steps are smallest or the budget is spent."""
        began = perf_counter()
        _try(conversions, COARSE, "coarse")
        n_halved = 0
        while n_halved <= N_HALVINGS and conversions.left > 0:
            best = best_of(conversions.attempts, objective)
            if best is None:
                break
            if not _round(conversions, objective, best, n_halved):
                n_halved += 1
        fully = "to the smallest steps" if n_halved > N_HALVINGS else "until the budget was spent"
        if conversions.out_of_time:
            fully = "as far as the time allowed"
        if not any(attempt.figures for attempt in conversions.attempts):
            fully = "no further, since all of them failed"
        return conclude(
            self.name, logo, objective, conversions, began=began, picture=picture,
            reason=f"The best of {conversions.spent} real conversions, refined {fully}.",
            confidence="measured: every set tried was converted",
        )  # fmt: skip


def _round(conversions: Conversions, objective: Objective, best: Attempt, n_halved: int) -> bool:
    """Move around the best, then along all that helped; whether anything did."""
    around = list(moves(best.parameters, n_halved))
    _try(conversions, [moved for _, moved in around], "refine")
    found = {attempt.parameters: attempt for attempt in conversions.attempts}
    helped: dict[str, Attempt] = {}
    for name, moved in around:
        attempt = found.get(moved)
        if attempt is None or best_of([best, attempt], objective) is best:
            continue
        helped[name] = best_of([helped.get(name, attempt), attempt], objective) or attempt
    if len(helped) > 1:
        together = {name: getattr(moved.parameters, name) for name, moved in helped.items()}
        _try(conversions, [canonical(replace(best.parameters, **together))], "refine")
    return bool(helped)


def moves(around: Parameters, n_halved: int) -> Iterator[tuple[str, Parameters]]:
    """Every set one move away, with the name of what is moved; in the everyday region.

    Args:
        around: from where.
        n_halved: how often the steps were halved; switches are thrown only while they were not.
    """
    for name in live(around):
        for step in (STEPS[name] / 2**n_halved, -STEPS[name] / 2**n_halved):
            turned: dict[str, Any] = {name: _turned(name, getattr(around, name), step)}
            if turned[name] != getattr(around, name):
                yield name, canonical(replace(around, **turned))
    if n_halved == 0:
        for name, (one, other) in SWITCHES.items():
            if without_effect(name, around) is None:
                thrown: dict[str, Any] = {name: other if getattr(around, name) == one else one}
                yield name, canonical(replace(around, **thrown))


def _turned(name: str, value: float, step: float) -> float:
    """The value a step on, within the dial's ends; whole numbers move by one at least."""
    low, high = DIALS[name]
    if name == "layer_difference":
        sign = 1 if step > 0 else -1
        factor = float(STEPS[name] ** (step / STEPS[name]))
        turned = value + sign * max(abs((value + 1) * (factor - 1)), 1.0)
    elif isinstance(low, int):
        turned = value + (max(step, 1.0) if step > 0 else min(step, -1.0))
    else:
        turned = round(value + step, 2)
    turned = min(max(turned, low), high)
    return round(turned) if isinstance(low, int) else turned


def _try(conversions: Conversions, sets: Sequence[Parameters], origin: str) -> None:
    conversions.measure([(parameters, origin, None) for parameters in sets])
