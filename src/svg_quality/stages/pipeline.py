"""How stages follow each other: each takes the finished run of the one before it.

`main` chains them as nested runs and uses a finished one again when entry point, settings, input
digests and code digest all match. A stage started alone takes the newest finished run of the
stage before; where there is none, that stage is run first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from svg_quality.errors import TrackingError
from svg_quality.settings import Settings, section_name
from svg_quality.stages.console import say
from svg_quality.tracking.identity import Work, code_digest
from svg_quality.tracking.lookup import FinishedRun, find_reusable, finished_run, input_run
from svg_quality.tracking.runs import StageRun, stage_run
from svg_quality.tracking.store import project_root

_RUN_ID: Final = "MLFLOW_RUN_ID"


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a stage works with."""

    run: StageRun
    settings: Any  # the stage's own section
    inputs: tuple[FinishedRun, ...]  # the run of the stage before, where there is one
    root: Path  # of the project
    everything: Settings  # of all stages, for one that runs others

    @property
    def source(self) -> FinishedRun:
        """The run of the stage before."""
        return self.inputs[0]

    @property
    def data(self) -> Path:
        """Where releases, features and the logo library are."""
        return self.root / "data"

    @property
    def reports(self) -> Path:
        """Where pages for people are."""
        return self.root / "reports"


def output_exists(run: FinishedRun) -> bool:
    """Whether what the run made outside its artifacts is still there."""
    try:
        return run.output_path.exists()
    except TrackingError:  # it made nothing there
        return True


@dataclass(frozen=True, slots=True)
class Stage:
    """One entry point of the pipeline."""

    name: str
    after: tuple[Stage, ...]  # whose output it takes; the first is run where none ever was
    code: tuple[str, ...]  # files and packages its result depends on
    act: Callable[[StageContext], None]
    own_digests: Callable[[Settings], Mapping[str, str]] = lambda settings: {}
    still_holds: Callable[[FinishedRun], bool] = output_exists  # else it is done again
    accepts: tuple[Stage, ...] = ()  # whose output it takes too, but only of a run that is named


def run_stage(
    stage: Stage, settings: Settings, input_run_id: str | None = None, *, nested: bool = False
) -> FinishedRun:
    """Run a stage now, the stages before it too where they never ran.

    Args:
        stage: which.
        settings: of all stages.
        input_run_id: run of the stage before; None for its newest finished one.
        nested: inside the open run of `main`.

    Raises:
        TrackingError: the named run does not exist, did not finish or is of another stage.
    """
    source = _source(stage, settings, input_run_id)
    work = _work(stage, settings, source)
    with stage_run(work, nested=nested) as run:
        inputs = (source,) if source else ()
        stage.act(StageContext(run, _section(stage, settings), inputs, project_root(), settings))
    return finished_run(run.run_id)


def reuse_or_run(stage: Stage, settings: Settings, source: FinishedRun | None) -> FinishedRun:
    """The finished run that did exactly this work, else a new nested one."""
    found = find_reusable(_work(stage, settings, source).fingerprint)
    if found is not None and stage.still_holds(found):
        say(f"{stage.name:<10} nothing changed: run {found.run_id} is used again")
        return found
    return run_stage(stage, settings, source.run_id if source else None, nested=True)


def _source(stage: Stage, settings: Settings, run_id: str | None) -> FinishedRun | None:
    if not stage.after:
        return None
    before = [other.name for other in stage.after]
    if run_id:
        named = [*before, *(other.name for other in stage.accepts)]
        return input_run(named, run_id, needed_by=stage.name)
    try:
        found = input_run(before, None, needed_by=stage.name)
        if len(before) > 1:
            say(f"           takes the newest table, of {found.stage} run {found.run_id}")
        return found
    except TrackingError:
        say(f"{stage.name:<10} has no finished `{before[0]}` run yet: that stage runs first")
        with _not_inside_this_run():
            return run_stage(stage.after[0], settings)


@contextmanager
def _not_inside_this_run() -> Iterator[None]:
    """`mlflow run` names the run of the stage asked for; the stages before it get their own."""
    held = os.environ.pop(_RUN_ID, None)
    try:
        yield
    finally:
        if held is not None:
            os.environ[_RUN_ID] = held


def _work(stage: Stage, settings: Settings, source: FinishedRun | None) -> Work:
    inputs = {source.stage: source.run_id} if source else {}
    digests = {source.stage: source.output_digest} if source else {}
    return Work(
        stage=stage.name,
        settings=_section(stage, settings).model_dump(),
        inputs=inputs,
        digests={**digests, **stage.own_digests(settings)},
        code=code_digest(stage.code),
    )


def _section(stage: Stage, settings: Settings) -> Any:
    return getattr(settings, section_name(stage.name))
