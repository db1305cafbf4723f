"""Lineage of runs in a real store: to the beginning, each once, gaps told and not hidden."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from svg_quality.dataset.releases.config_lock import LockedInput
from svg_quality.stages.dataset.lineage import lineage
from svg_quality.tracking.identity import Work
from svg_quality.tracking.locations import local_path
from svg_quality.tracking.lookup import FinishedRun, finished_run
from svg_quality.tracking.runs import stage_run

Enter = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Path]) -> Path:
    return new_project()


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: one for all here, for making one takes long."""
    enter(project, monkeypatch)


def finished(stage: str, settings: dict[str, object], *inputs: FinishedRun) -> FinishedRun:
    """A finished run that was made of others."""
    work = Work(
        stage, settings,
        {run.stage: run.run_id for run in inputs},
        {run.stage: run.output_digest for run in inputs},
    )  # fmt: skip
    with stage_run(work) as run:
        run.set_output(f"digest of {stage}")
    return finished_run(run.run_id)


def locked(run: FinishedRun, settings: dict[str, object] | None) -> LockedInput:
    return LockedInput(run.stage, run.run_id, f"digest of {run.stage}", settings)


def test_it_goes_to_the_beginning_and_names_each_run_once() -> None:
    first = finished("convert", {"sets_per_image": 4})
    middle = finished("augment", {"target_samples": 33}, first)
    last = finished("collect", {"logs": "results"}, middle, first)
    assert lineage([last, middle]) == [
        locked(last, {"logs": "results"}),
        locked(middle, {"target_samples": 33}),
        locked(first, {"sets_per_image": 4}),
    ]


def test_what_was_deleted_since_is_named_without_its_settings() -> None:
    gone = FinishedRun("0" * 32, "convert", {"output.digest": "digest of convert"}, {}, {}, "", 0)
    middle = finished("augment", {"target_samples": 33}, gone)
    last = finished("collect", {}, middle)
    folder = local_path(middle.artifact_uri)
    assert folder is not None
    shutil.rmtree(folder)
    assert lineage([last]) == [locked(last, {}), locked(middle, None), locked(gone, None)]
