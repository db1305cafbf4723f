"""Runs inside a stage's run: a trial of a search, a fold of a cross-validation.

They are made through the client, not as MLflow's active run, so that any process can hold one:
a trial may run in a worker while the stage's run is open in another process.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from svg_quality.tracking import lookup
from svg_quality.tracking.identity import flatten
from svg_quality.tracking.processes import Owner
from svg_quality.tracking.runs import SETTINGS_PREFIX, StageRun
from svg_quality.tracking.store import open_store, tracking_errors
from svg_quality.tracking.termination import Terminated

Status = Literal["FINISHED", "KILLED", "FAILED"]
PARENT: Final = "mlflow.parentRunId"


def begin_child(
    parent: StageRun, name: str, settings: Mapping[str, Any], tags: Mapping[str, str]
) -> StageRun:
    """A run inside ``parent``, owned by this process.

    It has no tag ``stage``: no other stage takes it for its input.

    Args:
        parent: the stage's run; its client may be of another process.
        name: shown in the UI.
        settings: of the child, logged as ``settings.*``.
        tags: further ones.

    Raises:
        TrackingError: the store cannot be reached.
    """
    from mlflow.entities import Param

    client = open_store().client
    params = [Param(key, value) for key, value in flatten(settings, SETTINGS_PREFIX).items()]
    with tracking_errors(f"{name} must start inside run {parent.run_id}"):
        made = client.create_run(
            parent.experiment_id,
            run_name=name,
            tags={PARENT: parent.run_id, **lookup.owner_tags(Owner.current()), **tags},
        )
        client.log_batch(made.info.run_id, params=params)
    return dataclasses.replace(parent, run_id=made.info.run_id, client=client)


def end_child(run: StageRun, status: Status, error: str = "") -> None:
    """End it; what went wrong becomes the tag ``error``."""
    if error:
        run.set_tags({lookup.ERROR: error[:1000]})
    with tracking_errors(f"run {run.run_id} must end"):
        run.client.set_terminated(run.run_id, status)


@contextlib.contextmanager
def child_run(
    parent: StageRun, name: str, settings: Mapping[str, Any], tags: Mapping[str, str]
) -> Iterator[StageRun]:
    """The same for a piece of work that one block does; ends as `stage_run`'s runs do."""
    run = begin_child(parent, name, settings, tags)
    try:
        yield run
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | Terminated)
        # The store may be what failed: then the error of the body matters, not this one.
        with contextlib.suppress(LookupError):
            end_child(run, "KILLED" if stopped else "FAILED", f"{type(error).__name__}: {error}")
        raise
    end_child(run, "FINISHED")


def end_left_behind(run_id: str, error: str) -> None:
    """End, as KILLED, a run whose process is gone, if it has not ended."""
    client = open_store().client
    with tracking_errors(f"run {run_id} must end"):
        if client.get_run(run_id).info.status == "RUNNING":
            client.set_tag(run_id, lookup.ERROR, error)
            client.set_terminated(run_id, "KILLED")
