"""Laws of a study: its number of trials, pruning, resuming, and several workers at once."""

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from svg_quality.errors import ModelError, SettingsError, StorageError
from svg_quality.settings import TrainSettings
from svg_quality.tracking.termination import Terminated, sigterm_held
from svg_quality.training.searching.search import MAX_FAILURES, run_trials
from svg_quality.training.searching.space import SPACE, chosen_by
from svg_quality.training.searching.storage import (
    count_test_look,
    n_finished,
    opened_study,
    read_study,
)
from svg_quality.training.searching.study import Report, StudyPlan

DEFAULTS = chosen_by(TrainSettings())


class Heard:
    """A watcher that writes down what it hears."""

    def __init__(self) -> None:
        self.began_with: dict[int, dict[str, Any]] = {}
        self.epochs: list[tuple[int, int]] = []
        self.ends: dict[int, str] = {}
        self.given_up: list[str] = []
        self.gone: set[str] = set()

    def began(self, number: int, chosen: Mapping[str, Any]) -> Mapping[str, str]:
        self.began_with[number] = dict(chosen)
        return {"mark": f"run {number}", "pid": str(os.getpid())}

    def epoch(self, number: int, epoch: int, metrics: Mapping[str, float]) -> None:
        self.epochs.append((number, epoch))

    def ended(self, number: int, state: str, figures: Mapping[str, float], reason: str) -> None:
        self.ends[number] = state

    def is_lost(self, attributes: Mapping[str, Any]) -> bool:
        return attributes.get("pid") in self.gone

    def lost(self, attributes: Mapping[str, Any]) -> None:
        self.given_up.append(str(attributes["mark"]))

    def end_if_asked(self) -> None:
        pass


class Interrupted(Heard):
    """SIGTERM comes while it writes down that a second trial got somewhere."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self.moment = moment

    def began(self, number: int, chosen: Mapping[str, Any]) -> Mapping[str, str]:
        self._come("began", number)
        return super().began(number, chosen)

    def epoch(self, number: int, epoch: int, metrics: Mapping[str, float]) -> None:
        self._come("epoch", number)
        super().epoch(number, epoch, metrics)

    def ended(self, number: int, state: str, figures: Mapping[str, float], reason: str) -> None:
        self._come("ended", number)
        super().ended(number, state, figures, reason)

    def _come(self, moment: str, number: int) -> None:
        if (moment, number) == (self.moment, 1):
            signal.raise_signal(signal.SIGTERM)


def plan_at(folder: Path, n_trials: int = 6, **changes: Any) -> StudyPlan:
    plan = StudyPlan(
        name="study",
        storage=f"sqlite:///{folder}/study.db",
        n_trials=n_trials,
        n_epochs=3,
        first=DEFAULTS,
        about={"data": "a"},
    )
    return replace(plan, **changes)


def count(plan: StudyPlan) -> int:
    with opened_study(plan) as study:
        return n_finished(study)


def distance(chosen: Mapping[str, Any]) -> float:
    """Least at a learning rate of 0.01 and a dropout rate of 0.2."""
    return abs(chosen["learning_rate"] - 0.01) * 10 + abs(chosen["dropout_rate"] - 0.2)


def evaluate(chosen: Mapping[str, Any], report: Report) -> dict[str, float]:
    for epoch in (1, 2, 3):
        report(epoch, {"val_ssim_mae": distance(chosen)})
    return {"everyday_ssim_mae": distance(chosen), "other": 1.0}


def test_the_first_trial_chooses_what_it_was_told(tmp_path: Path) -> None:
    heard = Heard()
    run_trials(plan_at(tmp_path, 1), evaluate, heard)
    assert heard.began_with[0] == DEFAULTS
    assert read_study(plan_at(tmp_path)).best.chosen == DEFAULTS


def test_every_choice_lies_in_the_space(tmp_path: Path) -> None:
    heard = Heard()
    run_trials(plan_at(tmp_path, 8), evaluate, heard)
    for chosen in heard.began_with.values():
        assert list(chosen) == list(SPACE)
        assert all(chosen[name] in limits for name, limits in SPACE.items())
    assert len({str(chosen) for chosen in heard.began_with.values()}) == 8


def test_a_second_call_goes_on_to_the_number_and_never_past_it(tmp_path: Path) -> None:
    run_trials(plan_at(tmp_path, 4), evaluate, Heard())
    heard = Heard()
    run_trials(plan_at(tmp_path, 6), evaluate, heard)
    assert sorted(heard.ends) == [4, 5]
    again = Heard()
    run_trials(plan_at(tmp_path, 6), evaluate, again)
    run_trials(plan_at(tmp_path, 2), evaluate, again)
    assert not again.ends
    assert count(plan_at(tmp_path)) == 6


@pytest.mark.slow
def test_what_is_pruned_counts_and_was_told(tmp_path: Path) -> None:
    heard, n_trials = Heard(), 12
    run_trials(plan_at(tmp_path, n_trials), evaluate, heard)
    result = read_study(plan_at(tmp_path, n_trials))
    pruned = [row for row in result.trials if row.state == "PRUNED"]
    assert pruned
    assert len(result.trials) == n_trials
    assert all(heard.ends[row.number] == "PRUNED" and row.value is None for row in pruned)
    assert all("worse than the median" in row.reason and row.n_epochs < 3 for row in pruned)
    finished = [row.value for row in result.trials if row.value is not None]
    assert result.best.value == min(finished)
    assert result.best.figures == {"everyday_ssim_mae": result.best.value, "other": 1.0}
    assert result.best.attributes["mark"] == f"run {result.best.number}"


@pytest.mark.slow
def test_importance_names_what_matters(tmp_path: Path) -> None:
    plan = plan_at(tmp_path, 30, first=None)
    quick = lambda chosen, report: {"everyday_ssim_mae": chosen["dropout_rate"]}  # noqa: E731
    run_trials(plan, quick, Heard())
    importance = read_study(plan).importance
    assert max(importance, key=lambda name: importance[name]) == "dropout_rate"
    assert sum(importance.values()) == pytest.approx(1)


def test_a_failed_trial_fills_no_place(tmp_path: Path) -> None:
    heard = Heard()

    def sometimes(chosen: Mapping[str, Any], report: Report) -> dict[str, float]:
        if len(heard.ends) == 1:
            raise ModelError("the loss must be finite")
        return evaluate(chosen, report)

    run_trials(plan_at(tmp_path, 3), sometimes, heard)
    assert [heard.ends[k] for k in range(4)] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    failed = read_study(plan_at(tmp_path)).trials[1]
    assert (failed.state, failed.reason) == ("FAIL", "ModelError: the loss must be finite")


def test_a_search_that_only_fails_ends(tmp_path: Path) -> None:
    def never(chosen: Mapping[str, Any], report: Report) -> dict[str, float]:
        raise ModelError("the loss must be finite")

    heard = Heard()
    with pytest.raises(ModelError, match=r"must not fail all the time, and 5 in a row did.*finite"):
        run_trials(plan_at(tmp_path), never, heard)
    assert len(heard.ends) == MAX_FAILURES
    with pytest.raises(ModelError, match="study must have a finished trial, study has none"):
        read_study(plan_at(tmp_path))


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143)])
def test_a_stopped_trial_is_tried_again(tmp_path: Path, stop: BaseException) -> None:
    def stopped(chosen: Mapping[str, Any], report: Report) -> dict[str, float]:
        raise stop

    heard = Heard()
    with pytest.raises(type(stop)):
        run_trials(plan_at(tmp_path, 2), stopped, heard)
    assert heard.ends == {0: "KILLED"}
    later = Heard()
    run_trials(plan_at(tmp_path, 2), evaluate, later)
    assert later.began_with[1] == DEFAULTS
    assert read_study(plan_at(tmp_path)).trials[0].state == "FAIL"
    assert count(plan_at(tmp_path)) == 2


@pytest.mark.parametrize("moment", ["began", "epoch", "ended"])
def test_a_trial_that_began_ends_whenever_sigterm_comes(tmp_path: Path, moment: str) -> None:
    plan = plan_at(tmp_path, 4)
    heard = Interrupted(moment)

    def search() -> None:
        with sigterm_held() as heard.end_if_asked:  # type: ignore[method-assign]
            run_trials(plan, evaluate, heard)

    with pytest.raises(Terminated):
        search()
    last = "COMPLETE" if moment == "ended" else "KILLED"
    assert heard.ends == {0: "COMPLETE", 1: last}
    assert heard.began_with.keys() == heard.ends.keys()
    assert {row.state for row in read_study(plan).trials} <= {"COMPLETE", "FAIL"}


def test_timeout_starts_no_further_trial(tmp_path: Path) -> None:
    def slow(chosen: Mapping[str, Any], report: Report) -> dict[str, float]:
        time.sleep(0.3)
        return evaluate(chosen, report)

    heard = Heard()
    run_trials(plan_at(tmp_path, 50, timeout_s=0.2), slow, heard)
    assert len(heard.ends) == 1


def test_other_data_need_another_study(tmp_path: Path) -> None:
    run_trials(plan_at(tmp_path, 1), evaluate, Heard())
    with pytest.raises(SettingsError, match=r"and data of study is 'a', not 'b': name another"):
        count(plan_at(tmp_path, about={"data": "b"}))


def test_refusals_hide_the_password() -> None:
    plan = StudyPlan("s", "postgresql+psycopg://me:secret@127.0.0.1:1/none", 1, 1)
    with pytest.raises(StorageError, match=r"me:\*\*\*@127.0.0.1:1/none says") as refused:
        count(plan)
    assert "secret" not in str(refused.value)
    with pytest.raises(SettingsError, match=r"storage must be a database's URL.*got 'nowhere'"):
        count(StudyPlan("s", "nowhere", 1, 1))


def test_looks_at_the_test_split_are_counted(tmp_path: Path) -> None:
    run_trials(plan_at(tmp_path, 1), evaluate, Heard())
    assert [count_test_look(plan_at(tmp_path)) for _ in range(2)] == [1, 2]


def _work(plan: StudyPlan, worker: int) -> None:
    run_trials(plan, evaluate, Heard(), worker)


def _hang(plan: StudyPlan, worker: int) -> None:
    run_trials(plan, lambda chosen, report: time.sleep(600), Heard(), worker)


@pytest.mark.slow
def test_workers_share_a_study_in_one_file(tmp_path: Path) -> None:
    plan = plan_at(tmp_path, 15)
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_work, args=(plan, k)) for k in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(180)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    trials = read_study(plan).trials
    assert sum(row.state in ("COMPLETE", "PRUNED") for row in trials) == 15
    assert len({str(row.chosen) for row in trials}) == len(trials)
    assert len({row.attributes["pid"] for row in trials}) > 1


@pytest.mark.slow
def test_the_trial_of_a_killed_process_is_tried_again(tmp_path: Path) -> None:
    plan = plan_at(tmp_path, 2)
    worker = multiprocessing.get_context("spawn").Process(target=_hang, args=(plan, 0))
    worker.start()
    deadline = time.monotonic() + 60
    with opened_study(plan) as study:
        while not any(trial.user_attrs.get("pid") for trial in study.trials):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join(20)
    heard = Heard()
    heard.gone = {str(worker.pid)}
    run_trials(plan, evaluate, heard)
    assert heard.given_up == ["run 0"]
    assert heard.began_with[1] == DEFAULTS
    assert [row.state for row in read_study(plan).trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert count(plan) == 2
