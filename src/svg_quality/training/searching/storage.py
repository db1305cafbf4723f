"""A study in its database: opened, read, and closed again.

With `search` the only module that imports Optuna. The database is never MLflow's: both
have a table of the name ``alembic_version``.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from svg_quality.errors import ModelError, SettingsError, StorageError
from svg_quality.training.searching.space import SPACE
from svg_quality.training.searching.study import StudyPlan, StudyResult, TrialRow, TrialWatcher

FIGURES: Final = "figures"  # user attributes of a trial
REASON: Final = "reason"
QUEUED: Final = "fixed_params"  # Optuna's name for what a queued trial will choose
PLACES: Final = (TrialState.COMPLETE, TrialState.PRUNED)
NO_PLACE: Final = ("the study was full", "another trial made this choice")
_ABOUT: Final = "about"  # user attributes of a study
_LOOKS: Final = "test_looks"
_TRIES: Final = "tries"
_MAX_TRIES: Final = 3
_HEARTBEAT_S: Final = 30
_GRACE_S: Final = 120
_LOCK_S: Final = 60  # a SQLite file is waited for
_ATTEMPTS: Final = 5  # two processes may create the tables at once
_PAUSE_S: Final = 0.5


@contextlib.contextmanager
def opened_study(plan: StudyPlan, watcher: TrialWatcher | None = None) -> Iterator[optuna.Study]:
    """The study, made where it does not exist; its first trial queued where it never ran.

    Raises:
        StorageError: the storage does not answer.
        SettingsError: the study is of other data or settings, or the URL is none.
    """
    with _storage_errors(plan):
        storage = _storage(plan, watcher)
        try:
            study = optuna.create_study(
                study_name=plan.name,
                storage=storage,
                sampler=sampler(plan, 0),
                pruner=optuna.pruners.MedianPruner(
                    n_startup_trials=4, n_warmup_steps=max(1, plan.n_epochs // 3)
                ),
                load_if_exists=True,
            )
            _check_or_note(study, plan)
            if plan.first and not _has(study, plan.first):
                study.enqueue_trial(dict(plan.first))
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()


def n_finished(study: optuna.Study) -> int:
    """Finished and pruned trials of an opened study."""
    return len(study.get_trials(deepcopy=False, states=PLACES))


def count_test_look(plan: StudyPlan) -> int:
    """Note that somebody looks at the test split on behalf of the study; how often by now."""
    with opened_study(plan) as study:
        n_looks = int(study.user_attrs.get(_LOOKS, 0)) + 1
        study.set_user_attr(_LOOKS, n_looks)
    return n_looks


def read_study(plan: StudyPlan) -> StudyResult:
    """Every trial, the best one, and what mattered.

    Raises:
        ModelError: no trial finished.
    """
    with opened_study(plan) as study:
        rows = tuple(
            _row(trial)
            for trial in study.get_trials(deepcopy=False)
            if trial.state != TrialState.WAITING and trial.user_attrs.get(REASON) not in NO_PLACE
        )
        finished = [row for row in rows if row.value is not None]
        if not finished:
            raise ModelError(f"a study must have a finished trial, {plan.name} has none")
        best = min(finished, key=lambda row: (row.value, row.number))
        return StudyResult(rows, best, _importance(study, len(finished)))


def sampler(plan: StudyPlan, shift: int) -> optuna.samplers.TPESampler:
    """TPE; another shift of the seed, other choices."""
    n_random = max(3, min(10, plan.n_trials // 3))
    return optuna.samplers.TPESampler(seed=plan.seed + shift, n_startup_trials=n_random)


def try_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue the choice of a trial that was cut short, unless it was cut short again and again."""
    chosen = trial.params or trial.system_attrs.get(QUEUED)
    n_tries = int(trial.user_attrs.get(_TRIES, 1))
    if chosen and n_tries < _MAX_TRIES:
        study.enqueue_trial(chosen, user_attrs={_TRIES: n_tries + 1})


def chose(trial: FrozenTrial, chosen: Mapping[str, Any]) -> bool:
    """Whether a trial made this choice, or is queued to make it."""
    return bool(trial.params == chosen or trial.system_attrs.get(QUEUED) == chosen)


class _NoDriverError(Exception):
    """The package that talks to this kind of database is not installed."""


def _storage(plan: StudyPlan, watcher: TrialWatcher | None) -> RDBStorage:
    """The study's database; several attempts, since two processes may create the tables at once."""

    def given_up(study: optuna.Study, trial: FrozenTrial) -> None:
        if watcher:
            watcher.lost(trial.user_attrs)
        try_again(study, trial)

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # a watcher tells it better
    is_file = plan.storage.startswith("sqlite")
    options = {"connect_args": {"timeout": _LOCK_S}} if is_file else {"pool_pre_ping": True}
    for attempt in range(_ATTEMPTS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            try:
                storage = RDBStorage(
                    plan.storage,
                    engine_kwargs=options,
                    heartbeat_interval=_HEARTBEAT_S,
                    grace_period=_GRACE_S,
                    heartbeat_stale_trial_callback=given_up,
                )
                if is_file:
                    event.listen(storage.engine, "connect", _log_ahead)
                    storage.engine.dispose()  # what was opened before
                return storage
            except ImportError as error:
                raise _NoDriverError(str(error)) from error
            except SQLAlchemyError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE_S)
    raise StorageError(f"a study's storage must open, {plan.address} does not")


def _log_ahead(connection: Any, _: Any) -> None:
    """Readers then do not wait for writers, nor each of a trial's 30 writes for the disk.

    A process that is killed loses nothing by it; a power cut may cost the last writes.
    """
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


@contextlib.contextmanager
def _storage_errors(plan: StudyPlan) -> Iterator[None]:
    try:
        yield
    except ArgumentError as error:
        raise SettingsError(
            f"storage must be a database's URL, such as sqlite:///FILE or "
            f"postgresql+psycopg://USER@HOST/DATABASE, got {plan.storage!r}"
        ) from error
    except (SQLAlchemyError, StorageInternalError, _NoDriverError) as error:
        fact = " ".join(str(error.__cause__ or error).split())
        raise StorageError(f"a study's storage must answer, {plan.address} says: {fact}") from error


def _check_or_note(study: optuna.Study, plan: StudyPlan) -> None:
    """Trials of other data or settings are not comparable: they belong into another study."""
    about = dict(plan.about or {})
    known = study.user_attrs.get(_ABOUT)
    if known is None:
        study.set_user_attr(_ABOUT, about)
    elif known != about:
        other = min(k for k in {*known, *about} if known.get(k) != about.get(k))
        raise SettingsError(
            f"a study must go on with what it began with, and {other} of {plan.name} is "
            f"{known.get(other)!r}, not {about.get(other)!r}: name another --study"
        )


def _has(study: optuna.Study, chosen: Mapping[str, Any]) -> bool:
    """Whether a trial that counts, or waits, made this choice."""
    return any(
        chose(trial, chosen)
        for trial in study.get_trials(deepcopy=False)
        if trial.state != TrialState.FAIL
    )


def _row(trial: FrozenTrial) -> TrialRow:
    reported = trial.intermediate_values
    attributes = trial.user_attrs
    return TrialRow(
        number=trial.number,
        state=trial.state.name,
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        chosen=dict(trial.params),
        figures=attributes.get(FIGURES, {}),
        n_epochs=len(reported),
        last=reported[max(reported)] if reported else None,
        seconds=trial.duration.total_seconds() if trial.duration else None,
        attributes={k: v for k, v in attributes.items() if k not in (FIGURES, REASON)},
        reason=str(attributes.get(REASON, "")),
    )


def _importance(study: optuna.Study, n_finished: int) -> dict[str, float]:
    """PED-ANOVA (Watanabe et al. 2023) by Optuna; empty where too few trials finished."""
    if n_finished < len(SPACE) // 2:
        return {}
    try:
        found = optuna.importance.get_param_importances(study)
    except (RuntimeError, ValueError):  # all values alike
        return {}
    return {name: float(share) for name, share in found.items()}
