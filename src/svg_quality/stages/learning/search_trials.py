"""The trials of a search as MLflow runs, in this process or in several workers at once."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Final

from svg_quality.errors import ModelError, SvgQualityError
from svg_quality.tracking.child_runs import begin_child, end_child, end_left_behind
from svg_quality.tracking.processes import Owner
from svg_quality.tracking.runs import StageRun
from svg_quality.tracking.termination import Terminated, sigterm_held

if TYPE_CHECKING:
    import numpy as np

    from svg_quality.settings import TrainSettings
    from svg_quality.training.rows import Rows
    from svg_quality.training.searching.study import Report, State, StudyPlan

RUN_ID: Final = "mlflow_run_id"  # user attribute of a trial
STUDY_TAG: Final = "optuna.study"
TRIAL_TAG: Final = "optuna.trial"
STORAGE_TAG: Final = "optuna.storage"
VALUE_TAG: Final = "optuna.state"
_OWNER: Final = ("owner_host", "owner_pid", "owner_started")  # user attributes likewise
_STATUS: Final = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "KILLED": "KILLED", "FAIL": "FAILED"}
_POLL_S: Final = 1.0
_STOP_S: Final = 60.0  # for a worker to end its epoch, and then its trial honestly


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Everything a worker needs; can be sent to another process."""

    plan: StudyPlan
    base: TrainSettings  # what the search leaves alone
    train: Rows
    validation: Rows
    everyday: np.ndarray  # bool (n_validation,)
    parent: StageRun  # its client belongs to the process that opened it

    def evaluate(self, chosen: Mapping[str, Any], report: Report) -> dict[str, float]:
        """Train with a choice; the figures on validation rows, of the best epoch's weights."""
        from svg_quality.training.searching.space import settings_of

        figures, _ = fit_and_measure(self, settings_of(chosen, self.base), report)
        return figures


def fit_and_measure(
    trials: Trials, settings: TrainSettings, report: Report | None = None
) -> tuple[dict[str, float], Any]:
    """One training; gives its figures on validation rows, and the head."""
    from svg_quality.stages.learning.recipe import recipe_of
    from svg_quality.training.recipe import fit_head

    head, fitted = fit_head(trials.train, trials.validation, recipe_of(settings), on_epoch=report)
    figures = measured(head, trials.validation, trials.everyday)
    return figures | {"training_time": float(fitted["training_time"])}, head


def measured(head: Any, rows: Rows, everyday: np.ndarray) -> dict[str, float]:
    """Figures of a head on rows: MAE and R2 of both targets, in both regions."""
    from svg_quality.evaluation.metrics import score
    from svg_quality.training.trainer import predict_rows

    said = predict_rows(head, rows)
    figures: dict[str, float] = {}
    for prefix, mask in (("everyday_", everyday), ("", slice(None))):
        for target in ("ssim", "log_bytes"):
            found = score(getattr(rows, target)[mask], getattr(said, target).numpy()[mask])
            figures |= {
                f"{prefix}{target}_{name}": float(value)
                for name in ("mae", "r2")
                if (value := found[name]) is not None
            }
    return figures


class TrialRuns:
    """A `TrialWatcher`: each trial is a run inside the search's run, linked both ways.

    Args:
        trials: what they are about.
        end_if_asked: called between trials and after each epoch; a trial it ends is KILLED.
        on_end: called when one ended that counts.
    """

    def __init__(
        self,
        trials: Trials,
        end_if_asked: Callable[[], None],
        on_end: Callable[[], object] = lambda: None,
    ) -> None:
        self.trials, self.end_if_asked, self.on_end = trials, end_if_asked, on_end
        self._open: dict[int, StageRun] = {}
        self._history: list[dict[str, float]] = []

    def began(self, number: int, chosen: Mapping[str, Any]) -> Mapping[str, str]:
        """Open the run; the trial is told its id, and who runs it."""
        plan = self.trials.plan
        run = begin_child(
            self.trials.parent,
            f"trial {number}",
            chosen,
            {STUDY_TAG: plan.name, TRIAL_TAG: str(number), STORAGE_TAG: plan.address},
        )
        self._open[number], self._history = run, []
        owner = Owner.current()
        ids = (owner.host, str(owner.pid), owner.started)
        return {RUN_ID: run.run_id, **dict(zip(_OWNER, ids, strict=True))}

    def epoch(self, number: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """Kept until the trial ends."""
        self._history.append(dict(metrics))

    def ended(self, number: int, state: State, figures: Mapping[str, float], reason: str) -> None:
        """Log and end the run: pruned and stopped ones KILLED, failed ones FAILED."""
        run = self._open.pop(number, None)
        if run is None:  # it could not be opened
            return
        run.log_history(self._history, first_step=1)
        run.log_metrics(figures)
        run.set_tags({VALUE_TAG: state})
        end_child(run, _STATUS[state], reason)  # type: ignore[arg-type]
        if state in ("COMPLETE", "PRUNED"):
            self.on_end()

    def is_lost(self, attributes: Mapping[str, Any]) -> bool:
        """Whether the process that ran the trial ended on this host."""
        if not all(name in attributes for name in _OWNER):
            return False
        host, pid, started = (str(attributes[name]) for name in _OWNER)
        return Owner(host, int(pid), started).is_dead()

    def lost(self, attributes: Mapping[str, Any]) -> None:
        """End the run that nobody will end."""
        if run_id := attributes.get(RUN_ID):
            end_left_behind(str(run_id), "its process died without ending it")


def work_here(trials: Trials, on_end: Callable[[], object]) -> None:
    """Run trials in this process until the study has its number; told of each that counts."""
    from svg_quality.training.searching.search import run_trials

    with sigterm_held() as end_if_asked:
        run_trials(trials.plan, trials.evaluate, TrialRuns(trials, end_if_asked, on_end))


def work_in_processes(trials: Trials, n_workers: int, on_progress: Callable[[int], object]) -> None:
    """The same in several processes; they end with this one, however it ends.

    Args:
        trials: sent to each.
        n_workers: processes.
        on_progress: told, every second, how many trials the study has.

    Raises:
        ModelError: every worker failed; what each said is on stderr.
    """
    from svg_quality.training.searching.storage import n_finished, opened_study

    with opened_study(trials.plan) as study:
        with _workers(trials, n_workers) as workers:
            while any(worker.is_alive() for worker in workers):
                on_progress(n_finished(study))
                time.sleep(_POLL_S)
        on_progress(n_finished(study))
    codes = [worker.exitcode for worker in workers]
    if all(codes):
        raise ModelError(f"workers must end well, and all failed, with the exit codes {codes}")


@contextmanager
def _workers(trials: Trials, n_workers: int) -> Iterator[list[BaseProcess]]:
    spawn = multiprocessing.get_context("spawn")  # a fork would share MLflow's connections
    workers: list[BaseProcess] = [
        spawn.Process(target=_worker, args=(trials, number), name=f"search-{number}")
        for number in range(n_workers)
    ]
    try:
        with sigterm_held():  # none is started that nobody ends
            for worker in workers:
                worker.start()
        yield workers
    finally:
        started = [worker for worker in workers if worker.pid is not None]
        for worker in started:
            if worker.is_alive():
                worker.terminate()
        for worker in started:
            worker.join(_STOP_S)
            if worker.is_alive():
                worker.kill()
                worker.join()


def _worker(trials: Trials, number: int) -> None:
    from svg_quality.training.searching.search import run_trials

    parent = os.getppid()

    try:
        with sigterm_held() as end_if_asked:

            def end_alone_too() -> None:
                end_if_asked()
                if os.getppid() != parent:  # the search was killed, and could not end its workers
                    raise Terminated

            run_trials(trials.plan, trials.evaluate, TrialRuns(trials, end_alone_too), number)
    except SvgQualityError as error:
        sys.stderr.write(f"svg-quality: worker {number}: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # the search says it
        sys.exit(130)
