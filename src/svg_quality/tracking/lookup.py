"""Finding runs again: the newest of a stage, one that can be re-used, those left behind."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from svg_quality.errors import TrackingError
from svg_quality.tracking.locations import local_path
from svg_quality.tracking.processes import Owner, has_process_with
from svg_quality.tracking.store import (
    Store,
    database_file,
    existing_store,
    open_store,
    tracking_errors,
    tracking_uri,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

STAGE: Final = "stage"
FINGERPRINT: Final = "fingerprint"
OUTPUT_DIGEST: Final = "output.digest"
OUTPUT_PATH: Final = "output.path"
OWNER_HOST: Final = "owner.host"
OWNER_PID: Final = "owner.pid"
OWNER_STARTED: Final = "owner.started"
ERROR: Final = "error"

_PROJECT_ENTRY: Final = "mlflow.project.entryPoint"
# `mlflow run` makes its run before its process, and a real conda may install for minutes between.
# A run that was swept too early is not lost: its stage sets it RUNNING again when it begins.
_ORPHAN_SECONDS: Final = 600.0
_NEWEST_FIRST: Final = ["attributes.end_time DESC", "attributes.start_time DESC"]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that ended well, as the next stage sees it."""

    run_id: str
    stage: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]  # the last value of each
    artifact_uri: str
    ended: int  # ms since 1970

    @property
    def fingerprint(self) -> str:
        """Of the work it did."""
        return self.tags.get(FINGERPRINT, "")

    @property
    def output_digest(self) -> str:
        """Of what it made.

        Raises:
            TrackingError: the stage never said (`StageRun.set_output`).
        """
        return self._tag(OUTPUT_DIGEST)

    @property
    def output_path(self) -> Path:
        """Where what it made lies, if not among its artifacts. Raises TrackingError likewise."""
        return Path(self._tag(OUTPUT_PATH))

    def artifact(self, name: str) -> Path:
        """An artifact as a file or folder on this disk; copied only if the store is elsewhere.

        Raises:
            TrackingError: the run has no such artifact.
        """
        folder = local_path(self.artifact_uri)
        if folder is None:
            return self._download(name)
        path = folder / name
        if not path.exists():
            raise TrackingError(
                f"run {self.run_id} of `{self.stage}` must have the artifact {name},"
                f" and {path} does not exist"
            )
        return path

    def _download(self, name: str) -> Path:
        import mlflow

        uri = f"{self.artifact_uri.rstrip('/')}/{name}"
        target = tempfile.mkdtemp(prefix="svg-quality-")
        with tracking_errors(f"run {self.run_id} must have the artifact {name}"):
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=target))

    def _tag(self, name: str) -> str:
        if name not in self.tags:
            raise TrackingError(
                f"run {self.run_id} of `{self.stage}` must have the tag {name}, and has none"
            )
        return self.tags[name]


def newest_finished(*stages: str, needed_by: str | None = None) -> FinishedRun:
    """The run that finished last, of a stage or of several.

    Args:
        stages: entry points; the message names the first.
        needed_by: the stage that asks, for the message.

    Raises:
        TrackingError: there is none.
    """
    store = existing_store()
    newest = (_newest(store, f"tags.{STAGE} = '{stage}'") for stage in stages) if store else ()
    found = [run for run in newest if run]
    if not found:
        stage = stages[0]
        asks = f"`{needed_by}` needs" if needed_by else "this needs"
        where = f"experiment {_experiment_name(store)}" if store else _no_store()
        raise TrackingError(
            f"{asks} a finished `{stage}` run, and {where} has none:"
            f" run `svg-quality {stage}` or `mlflow run . -e main` first"
        )
    return max(found, key=lambda run: run.ended)


def find_reusable(fingerprint: str) -> FinishedRun | None:
    """The newest finished run that did exactly this work, if there is one.

    A run whose artifacts were deleted from this disk is not offered.
    """
    found = _newest(open_store(), f"tags.{FINGERPRINT} = '{fingerprint}'")
    folder = local_path(found.artifact_uri) if found else None
    return None if folder is not None and not folder.is_dir() else found


def finished_run(run_id: str) -> FinishedRun:
    """The run with this id.

    Raises:
        TrackingError: there is none, or it did not finish.
    """
    store = existing_store()
    if store is None:
        raise TrackingError(f"run {run_id} must exist, and {_no_store()} has no runs")
    with tracking_errors(f"run {run_id} must exist"):
        run = store.client.get_run(run_id)
    if run.info.status != "FINISHED":
        raise TrackingError(f"run {run_id} must be FINISHED, and is {run.info.status}")
    return _as_finished(run)


def input_run(stages: Sequence[str], run_id: str | None, needed_by: str) -> FinishedRun:
    """A stage's input: the run the user named, else the newest finished run of these stages.

    Raises:
        TrackingError: there is none, it did not finish, or it is of another stage.
    """
    if not run_id:
        return newest_finished(*stages, needed_by=needed_by)
    run = finished_run(run_id)
    if run.stage not in stages:
        raise TrackingError(
            f"`{needed_by}` needs a run of {' or '.join(f'`{x}`' for x in stages)}, and {run_id}"
            f" is one of `{run.stage}`"
        )
    return run


def sweep_stale(store: Store | None = None, keep: str | None = None) -> list[str]:
    """End, as KILLED, each RUNNING run whose process on this host is dead.

    A run that ``mlflow run`` made and whose stage never began has no owner yet. It is swept from
    a SQLite store when it is ten minutes old and no process carries its id in ``MLFLOW_RUN_ID``.

    Args:
        store: the open store; opened when None.
        keep: id of a run that is about to begin.

    Returns:
        The ids of the runs that were ended.
    """
    store = store or open_store()
    swept: list[str] = []
    with tracking_errors("runs left behind must be found and ended"):
        for run in _search(store, "attributes.status = 'RUNNING'"):
            if run.info.run_id != keep and _is_stale(run, store):
                store.client.set_tag(run.info.run_id, ERROR, "its process died without ending it")
                store.client.set_terminated(run.info.run_id, "KILLED")
                swept.append(run.info.run_id)
    return swept


def owner_tags(owner: Owner) -> dict[str, str]:
    """Who holds a run, as its tags say it."""
    return {OWNER_HOST: owner.host, OWNER_PID: str(owner.pid), OWNER_STARTED: owner.started}


def _is_stale(run: Run, store: Store) -> bool:
    tags = run.data.tags
    if OWNER_PID in tags:
        owner = Owner(tags.get(OWNER_HOST, ""), int(tags[OWNER_PID]), tags.get(OWNER_STARTED, ""))
        return owner.is_dead()
    age = time.time() - run.info.start_time / 1000
    if _PROJECT_ENTRY not in tags or database_file(store.uri) is None or age < _ORPHAN_SECONDS:
        return False
    return has_process_with("MLFLOW_RUN_ID", run.info.run_id) is False


def _newest(store: Store, condition: str) -> FinishedRun | None:
    with tracking_errors("finished runs must be found"):
        runs = store.client.search_runs(
            [store.experiment_id],
            filter_string=f"{condition} and attributes.status = 'FINISHED'",
            order_by=_NEWEST_FIRST,
            max_results=1,
        )
    return _as_finished(runs[0]) if runs else None


def _search(store: Store, condition: str) -> Iterator[Run]:
    token: str | None = None
    pages: list[Run] = []  # collected first: ending a run would shift the pages behind it
    while True:
        page = store.client.search_runs(
            [store.experiment_id], filter_string=condition, page_token=token
        )
        pages.extend(page)
        token = page.token
        if not token:
            return iter(pages)


def _as_finished(run: Run) -> FinishedRun:
    return FinishedRun(
        run_id=run.info.run_id,
        stage=run.data.tags.get(STAGE, ""),
        tags=run.data.tags,
        params=run.data.params,
        metrics=run.data.metrics,
        artifact_uri=run.info.artifact_uri,
        ended=run.info.end_time or 0,
    )


def _no_store() -> str:
    return f"{database_file(tracking_uri())}, which does not exist yet,"


def _experiment_name(store: Store) -> str:
    name: str = store.client.get_experiment(store.experiment_id).name
    return name
