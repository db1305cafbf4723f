"""Searching with Optuna: a study that several processes, and several calls, work on together.

A study has `n_trials` finished or pruned trials and never more: a worker takes a place before it
begins, counted by trial number, which the storage gives out one at a time. A trial whose process
died is failed and its choice tried again; so is one that was stopped. Failed trials fill no place.

The value of a trial is what `evaluate` returns for it; what it is pruned by is what it reports
each epoch. Knows nothing of MLflow: what happens goes out through a `TrialWatcher`.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from typing import Any, Final

import optuna
from optuna.exceptions import TrialPruned
from optuna.trial import Trial, TrialState

from svg_quality.errors import ModelError
from svg_quality.training.searching.space import SPACE, Numbers
from svg_quality.training.searching.storage import (
    FIGURES,
    NO_PLACE,
    PLACES,
    QUEUED,
    REASON,
    chose,
    n_finished,
    opened_study,
    sampler,
    try_again,
)
from svg_quality.training.searching.study import (
    OBJECTIVE,
    PRUNED_BY,
    Evaluate,
    State,
    StudyPlan,
    TrialWatcher,
)

MAX_FAILURES: Final = 5  # in a row, in one worker
_POLL_S: Final = 0.5


def run_trials(plan: StudyPlan, evaluate: Evaluate, watcher: TrialWatcher, worker: int = 0) -> None:
    """Work on the study until it has its trials, or the time is over.

    Args:
        plan: of the study.
        evaluate: trains with a choice of `SPACE`, reports each epoch's metrics, and gives the
            figures, `OBJECTIVE` among them; a ModelError fails the trial.
        watcher: hears of each trial.
        worker: 0, 1, ...: of several that work on it at once, so that they choose differently.

    Raises:
        ModelError: `MAX_FAILURES` trials failed one after the other.
        StorageError, SettingsError: as `opened_study`.
    """
    with opened_study(plan, watcher) as study:
        n_known = len(study.get_trials(deepcopy=False))
        study.sampler = sampler(plan, 1000 * worker + n_known)
        job = _Job(plan, evaluate, watcher)
        end = time.monotonic() + plan.timeout_s if plan.timeout_s else float("inf")
        while time.monotonic() < end and n_finished(study) < plan.n_trials:
            watcher.end_if_asked()
            _give_up_lost(study, watcher)
            if _n_taken(study) < plan.n_trials:
                study.optimize(job, n_trials=1, catch=(ModelError, _NoPlaceError))
                job.check_failures()
            else:  # the last places are taken, but their trials may yet be lost
                time.sleep(_POLL_S)


class _NoPlaceError(Exception):
    """A trial is one too many."""


class _Job:
    """The objective: one trial from its choice to its end."""

    def __init__(self, plan: StudyPlan, evaluate: Evaluate, watcher: TrialWatcher) -> None:
        self.plan, self.evaluate, self.watcher = plan, evaluate, watcher
        self.n_failures, self.last_failure = 0, ""

    def __call__(self, trial: Trial) -> float:
        self._take_place(trial)

        def report(epoch: int, metrics: dict[str, float]) -> None:
            self.watcher.epoch(trial.number, epoch, metrics)
            trial.report(metrics[PRUNED_BY], epoch)
            self.watcher.end_if_asked()
            if trial.should_prune():
                raise TrialPruned(f"after epoch {epoch}, worse than the median of the others")

        with self._ended_honestly(trial):
            chosen = _choose(trial)
            for name, value in self.watcher.began(trial.number, chosen).items():
                trial.set_user_attr(name, value)
            figures = dict(self.evaluate(chosen, report))
            trial.set_user_attr(FIGURES, figures)
            self.watcher.ended(trial.number, "COMPLETE", figures, "")
        self.n_failures = 0
        return figures[OBJECTIVE]

    def check_failures(self) -> None:
        """Give up where nothing but failures come."""
        if self.n_failures >= MAX_FAILURES:
            raise ModelError(
                f"trials must not fail all the time, and {MAX_FAILURES} in a row did, the last "
                f"one so: {self.last_failure}"
            )

    def _take_place(self, trial: Trial) -> None:
        """Numbers are given out one at a time, so that those before this one are all known."""
        known = trial.study.get_trials(deepcopy=False)
        before = [x for x in known if x.number < trial.number and x.state != TrialState.FAIL]
        n_done = sum(x.state in PLACES for x in known)
        queued = known[trial.number].system_attrs.get(QUEUED)
        if max(len(before), n_done) >= self.plan.n_trials:
            reason = NO_PLACE[0]
        elif queued and any(chose(x, queued) for x in before):
            reason = NO_PLACE[1]  # two searches that began together queued the same first trial
        else:
            return
        trial.set_user_attr(REASON, reason)
        raise _NoPlaceError(reason)

    @contextlib.contextmanager
    def _ended_honestly(self, trial: Trial) -> Iterator[None]:
        try:
            yield
        except TrialPruned as pruned:
            self.n_failures = 0
            self._end(trial, "PRUNED", str(pruned))
            raise
        except (KeyboardInterrupt, SystemExit) as stop:
            self._end(trial, "KILLED", f"stopped by {type(stop).__name__}")
            try_again(trial.study, trial.study.get_trials(deepcopy=False)[trial.number])
            if isinstance(stop, SystemExit):  # of the other one Optuna takes care itself
                trial.study.tell(trial, state=TrialState.FAIL)
            raise
        except Exception as error:
            self.n_failures, self.last_failure = self.n_failures + 1, str(error)
            self._end(trial, "FAIL", f"{type(error).__name__}: {error}")
            raise

    def _end(self, trial: Trial, state: State, reason: str) -> None:
        trial.set_user_attr(REASON, reason[:1000])
        self.watcher.ended(trial.number, state, {}, reason)


def _choose(trial: Trial) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name, limits in SPACE.items():
        if not isinstance(limits, Numbers):
            chosen[name] = trial.suggest_categorical(name, limits.choices)
        elif limits.step:
            chosen[name] = trial.suggest_int(
                name, int(limits.low), int(limits.high), step=limits.step
            )
        else:
            chosen[name] = trial.suggest_float(name, limits.low, limits.high, log=limits.log)
    return chosen


def _n_taken(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=(*PLACES, TrialState.RUNNING)))


def _give_up_lost(study: optuna.Study, watcher: TrialWatcher) -> None:
    """Fail the running trials whose process is gone, and queue their choices again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if watcher.is_lost(trial.user_attrs):
            with contextlib.suppress(ValueError):  # another worker was faster
                study.tell(trial.number, state=TrialState.FAIL)
                watcher.lost(trial.user_attrs)
                try_again(study, trial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
