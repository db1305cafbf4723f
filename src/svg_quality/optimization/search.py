"""Method 2: a search of its own for every logo, by TPE on real conversions.

Optuna's tree-structured Parzen estimator [1]_ proposes sets, several at once (as many as there
are workers), and learns from what is measured; floor and ceiling are constraints. VTracer's
default is its first trial. The same seed and as many workers give the same trials. Each parameter
is modelled by itself: modelled together they soon propose the same few sets again and again.

References:
    .. [1] Watanabe (2023), Tree-Structured Parzen Estimator, arXiv:2304.11127
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.base import Answer, Attempt, conclude
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.dials import DIALS, SWITCHES, canonical, within_dials
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective

if TYPE_CHECKING:
    import optuna

    from svg_quality.prediction.predictor import Picture

_N_RANDOM: Final = 10  # trials before it learns
_SAME_AGAIN: Final = 20  # proposals in a row of known sets, after which it gives up
_ON_LOG_SCALE: Final = "layer_difference"  # 0 to 255, proposed as 1 to 256


class TpeSearch:
    """Method 2.

    Args:
        seed: of the proposals.
    """

    name = "search"
    default_budget = 60

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def optimize(
        self,
        logo: Logo,
        objective: Objective,
        conversions: Conversions,
        *,
        picture: Picture | None = None,
    ) -> Answer:
        """Convert until the budget is spent; the answer is the best of all."""
        began = perf_counter()
        study = _Study(objective, self.seed)
        study.begin(conversions.attempts)
        while conversions.left > 0:
            proposed = study.propose(min(conversions.left, conversions.pool.n_workers))
            if not proposed:
                break
            made = conversions.measure([(x, "tpe", None) for x in proposed])
            study.learn(made)
        return conclude(
            self.name, logo, objective, conversions, began=began, picture=picture,
            reason=f"The best of {conversions.spent} real conversions.",
            confidence="measured: every set tried was converted",
        )  # fmt: skip


class _Study:
    """Optuna's study of one logo; knows every set that was told to it."""

    def __init__(self, objective: Objective, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=_N_RANDOM, multivariate=False
        )
        self.study = optuna.create_study(sampler=sampler)
        self.objective = objective
        self.known: dict[Parameters, Attempt] = {}
        self.open: dict[Parameters, optuna.Trial] = {}

    def begin(self, attempts: Sequence[Attempt]) -> None:
        """Tell what was converted before, as far as it lies where it searches."""
        for attempt in attempts:
            if within_dials(attempt.parameters):
                self.study.enqueue_trial(_position(attempt.parameters))
                self.open[canonical(attempt.parameters)] = self._asked()[0]
                self.learn([attempt])

    def propose(self, n: int) -> list[Parameters]:
        """Up to ``n`` sets that were never told."""
        new: list[Parameters] = []
        same = 0
        while len(new) < n and same < _SAME_AGAIN:
            trial, parameters = self._asked()
            if parameters in self.known:
                self._tell(trial, self.known[parameters])
            elif parameters not in self.open:
                self.open[parameters] = trial
                new.append(parameters)
                continue
            same += 1
        return new

    def learn(self, attempts: Sequence[Attempt]) -> None:
        """Tell what was measured."""
        for attempt in attempts:
            parameters = canonical(attempt.parameters)
            self.known[parameters] = attempt
            self._tell(self.open.pop(parameters), attempt)

    def _asked(self) -> tuple[optuna.Trial, Parameters]:
        trial = self.study.ask()
        values: dict[str, Any] = {
            name: trial.suggest_categorical(name, choices) for name, choices in SWITCHES.items()
        }
        for name, (low, high) in DIALS.items():
            if name == _ON_LOG_SCALE:
                values[name] = trial.suggest_int(name, 1, int(high) + 1, log=True) - 1
            elif isinstance(low, int):
                values[name] = trial.suggest_int(name, low, int(high))
            else:
                values[name] = round(trial.suggest_float(name, low, high), 2)
        return trial, canonical(Parameters(**values))

    def _tell(self, trial: optuna.Trial, attempt: Attempt) -> None:
        import optuna

        if attempt.figures is None:
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        ssim, svg_bytes = attempt.figures
        if self.objective.min_ssim is not None:
            trial.set_constraint("floor", self.objective.min_ssim - ssim)
        if self.objective.max_bytes is not None:
            trial.set_constraint("ceiling", math.log(svg_bytes / self.objective.max_bytes))
        wanted = math.log(svg_bytes) if self.objective.kind == "smallest" else -ssim
        self.study.tell(trial, wanted)


def _position(parameters: Parameters) -> dict[str, Any]:
    """A set in the names and scales of `_Study._asked`."""
    values = {name: getattr(parameters, name) for name in (*SWITCHES, *DIALS)}
    return values | {_ON_LOG_SCALE: parameters.layer_difference + 1}
