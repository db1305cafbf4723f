"""One stage, one MLflow run: opening it, writing into it, ending it honestly.

A run is opened in three ways, and looks the same afterwards: in a plain shell, by ``mlflow run``
(which makes the run itself and names it in ``MLFLOW_RUN_ID``), and nested inside ``main``.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from svg_quality.tracking import lookup
from svg_quality.tracking.identity import Work, flatten, git_state
from svg_quality.tracking.processes import Owner
from svg_quality.tracking.store import open_store, project_root, tracking_errors
from svg_quality.tracking.termination import Terminated, sigterm_as_exception

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

SETTINGS_PREFIX: Final = "settings"  # MLproject's own parameters are logged without a prefix
MAX_DIGEST: Final = 36  # characters; MLflow refuses longer digests of a dataset
_BATCH_METRICS: Final = 1000  # MLflow's limits per call
_BATCH_PARAMS: Final = 100


@dataclass(frozen=True, slots=True)
class StageRun:
    """An open run. Everything written goes to the store at once."""

    run_id: str
    experiment_id: str
    work: Work
    client: MlflowClient

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Numbers of one moment, in one call: each call costs 3-24 ms on SQLite."""
        self.log_history([metrics], first_step=step)

    def log_history(self, history: Sequence[Mapping[str, float]], first_step: int = 0) -> None:
        """Numbers of many moments (an entry an epoch); entry ``i`` gets step ``first_step + i``."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [
            Metric(name, float(value), now, first_step + i)
            for i, metrics in enumerate(history)
            for name, value in metrics.items()
        ]
        with tracking_errors(f"run {self.run_id} must take its metrics"):
            for start in range(0, len(rows), _BATCH_METRICS):
                self.client.log_batch(self.run_id, metrics=rows[start : start + _BATCH_METRICS])

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Keep a copy of a file, or of a folder with everything in it, with the run.

        Args:
            path: a file keeps its name; a folder's *content* goes into ``folder``.
            folder: inside the run's artifacts; the top when None.
        """
        with tracking_errors(f"run {self.run_id} must take {path}"):
            if path.is_dir():
                self.client.log_artifacts(self.run_id, str(path), folder)
            else:
                self.client.log_artifact(self.run_id, str(path), folder)

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Keep a table as a Parquet artifact ``name``, without its index."""
        with TemporaryDirectory(prefix="svg-quality-") as folder:
            path = Path(folder) / name
            table.to_parquet(path, index=False)
            self.log_artifact(path)

    def log_json(self, value: Any, name: str) -> None:
        """Keep a value as an artifact ``name``, such as ``metrics.json``."""
        with tracking_errors(f"run {self.run_id} must take {name}"):
            self.client.log_text(self.run_id, json.dumps(value, indent=2, default=str), name)

    def log_dataset(self, name: str, digest: str, source: Path | str, context: str) -> None:
        """Name the data that was used, as MLflow's own "dataset used".

        Args:
            name: shown in the UI.
            digest: of the content; MLflow keeps the first 36 characters, a tag the whole.
            source: path or URL.
            context: ``training``, ``evaluation``, ...
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name=name,
            digest=digest[:MAX_DIGEST],
            source_type="local",
            source=json.dumps({"uri": str(source)}),
        )
        tags = [InputTag(key="mlflow.data.context", value=context)]
        with tracking_errors(f"run {self.run_id} must take the dataset {name}"):
            self.client.log_inputs(self.run_id, datasets=[DatasetInput(dataset, tags)])
        self.set_tags({f"dataset.{name}.digest": digest})

    def set_output(self, digest: str, path: Path | str | None = None) -> None:
        """Say what the stage made: the digest that the next stage's fingerprint is built on.

        Args:
            digest: of the content.
            path: where it lies, when that is not among the run's artifacts.
        """
        tags = {lookup.OUTPUT_DIGEST: digest}
        self.set_tags(tags if path is None else {**tags, lookup.OUTPUT_PATH: str(path)})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Tags, in one call."""
        from mlflow.entities import RunTag

        with tracking_errors(f"run {self.run_id} must take its tags"):
            self.client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in tags.items()])


@contextlib.contextmanager
def stage_run(work: Work, nested: bool = False) -> Iterator[StageRun]:
    """Do a piece of work inside an MLflow run.

    The run ends FINISHED when the body returns, KILLED on SIGTERM or Ctrl-C, and FAILED, with
    the error as a tag, on everything else; the exception goes on. Runs that a dead process of
    this host left behind are ended first.

    Args:
        work: what is done; its settings are logged as ``settings.*`` and as ``settings.json``.
        nested: inside the run that is open now, as its child.

    Raises:
        TrackingError: the store cannot be opened or written.
    """
    import mlflow

    store = open_store()
    if not nested:
        lookup.sweep_stale(store, keep=os.environ.get("MLFLOW_RUN_ID"))
    with tracking_errors(f"a run of `{work.stage}` must start"):
        active = mlflow.start_run(
            experiment_id=None if os.environ.get("MLFLOW_RUN_ID") else store.experiment_id,
            run_name=work.stage,
            nested=nested,
            tags=_tags(work),
        )
    run = StageRun(active.info.run_id, active.info.experiment_id, work, store.client)
    with _ended_honestly(run), sigterm_as_exception():
        _log_settings(run)
        yield run


@contextlib.contextmanager
def _ended_honestly(run: StageRun) -> Iterator[None]:
    import mlflow

    try:
        yield
    except BaseException as error:
        status = _status_of(error)
        if status != "FINISHED":
            fact = f"{type(error).__name__}: {error}"
            # The store may be what failed: then the error of the body matters, not this one.
            with contextlib.suppress(LookupError):
                run.set_tags({lookup.ERROR: fact[:1000]})
        with contextlib.suppress(LookupError), tracking_errors(f"run {run.run_id} must end"):
            mlflow.end_run(status)
        raise
    with tracking_errors(f"run {run.run_id} must end"):
        mlflow.end_run("FINISHED")


def _status_of(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt | Terminated):
        return "KILLED"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "FINISHED"
    return "FAILED"


def _tags(work: Work) -> dict[str, str]:
    tags = {
        lookup.STAGE: work.stage,
        lookup.FINGERPRINT: work.fingerprint,
        "code.digest": work.code,
        **lookup.owner_tags(Owner.current()),
        **{f"input.{name}": run_id for name, run_id in work.inputs.items()},
        **{f"input.{name}.digest": digest for name, digest in work.digests.items()},
    }
    git = git_state(project_root())
    if git:
        tags |= {"mlflow.source.git.commit": git.commit, "git.dirty": str(git.dirty).lower()}
    manager = os.environ.get("SVG_QUALITY_ENV_MANAGER")
    if manager:  # our stand-in for conda was used, and MLflow wrote "conda"
        tags |= {"env.manager": manager, "mlflow.project.env": manager}
    return tags


def _log_settings(run: StageRun) -> None:
    from mlflow.entities import Param

    flat = flatten(run.work.settings, SETTINGS_PREFIX)
    params = [Param(name, value) for name, value in flat.items()]
    with tracking_errors(f"run {run.run_id} must take its settings"):
        for start in range(0, len(params), _BATCH_PARAMS):
            run.client.log_batch(run.run_id, params=params[start : start + _BATCH_PARAMS])
    run.log_json(dict(run.work.settings), "settings.json")
