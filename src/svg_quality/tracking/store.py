"""Where runs, artifacts and models are kept, and the one way to open that place.

Everything lies under ``<root>/mlruns`` of the repository, whatever the working directory is,
unless the user named another store in ``MLFLOW_TRACKING_URI``. This module is imported by the
hook that MLflow loads at start and by every prediction: MLflow itself is imported only inside
`open_store`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from svg_quality.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT: Final = "svg-quality"
LOCK_SECONDS: Final = 120.0  # creating the tables takes 5-10 s on a slow disk

_OUR_PROJECT: Final = re.compile(rb"^name: *[\"']?svg-quality[\"']? *(#.*)?\r?$", re.MULTILINE)
_SQLITE: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Store:
    """An open store: tables exist, the experiment exists."""

    uri: str
    experiment_id: str
    client: MlflowClient


def find_project(start: Path) -> Path | None:
    """The nearest folder at or above ``start`` with an MLproject, if that one is ours.

    Raises:
        OSError: an MLproject is there and cannot be read.
    """
    for folder in (start, *start.parents):
        project = folder / "MLproject"
        if project.is_file():
            return folder if _OUR_PROJECT.search(project.read_bytes()) else None
    return None


def project_root(start: Path | None = None) -> Path:
    """The repository around ``start`` (default: the working directory), else ``start`` itself."""
    start = (start or Path.cwd()).resolve()
    return find_project(start) or start


def default_tracking_uri(root: Path) -> str:
    """The store of the repository at ``root`` (an absolute path)."""
    return f"{_SQLITE}{root / 'mlruns' / 'mlflow.db'}"


def artifact_root(root: Path) -> Path:
    """Where the repository's own experiment keeps its artifacts."""
    return root / "mlruns" / "artifacts"


def tracking_uri(root: Path | None = None) -> str:
    """The store to use: the user's ``MLFLOW_TRACKING_URI``, else the repository's own."""
    return os.environ.get("MLFLOW_TRACKING_URI") or default_tracking_uri(root or project_root())


def database_file(uri: str) -> Path | None:
    """The file of a local SQLite store; None for any other store."""
    if not uri.startswith(_SQLITE) or "?" in uri or len(uri) == len(_SQLITE):
        return None
    return Path(uri.removeprefix(_SQLITE)).absolute()


def environment(root: Path) -> dict[str, str]:
    """What MLflow must find in its environment to work as this project wants.

    ``MLFLOW_BACKEND_STORE_URI`` and ``MLFLOW_DEFAULT_ARTIFACT_ROOT`` are the two variables that
    ``mlflow ui`` reads; it ignores ``MLFLOW_TRACKING_URI``.
    """
    uri = tracking_uri(root)
    values = {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # the stages show their own progress
    }
    if uri == default_tracking_uri(root):
        values["MLFLOW_BACKEND_STORE_URI"] = uri
        values["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = str(artifact_root(root))
    return values


def apply_environment(root: Path) -> None:
    """Set what `environment` says, except where the user set something. Idempotent."""
    for name, value in environment(root).items():
        os.environ.setdefault(name, value)


def open_store() -> Store:
    """Open the store, and create its tables and our experiment where they are missing.

    Two processes that create one SQLite file at once corrupt it for good, so a file lock is held
    until the experiment exists. ``MLFLOW_EXPERIMENT_ID`` and ``MLFLOW_EXPERIMENT_NAME`` win.

    Raises:
        TrackingError: the store cannot be reached, is of another MLflow, or stays locked.
    """
    root = project_root()
    apply_environment(root)
    import mlflow

    uri = mlflow.get_tracking_uri()
    with tracking_errors(f"the tracking store {uri} must open"), file_lock(uri, root, "store"):
        database = database_file(uri)
        if database and not database.exists():
            _create_database(database, root)
        client = mlflow.MlflowClient(tracking_uri=uri)
        return Store(uri, _experiment_id(client, uri, root), client)


def existing_store() -> Store | None:
    """The store for one who only looks: None, and nothing is made, where its file is missing.

    Raises:
        TrackingError: as `open_store`.
    """
    database = database_file(tracking_uri())
    return None if database and not database.exists() else open_store()


@contextlib.contextmanager
def file_lock(uri: str, root: Path, purpose: str) -> Iterator[None]:
    """Hold the lock that everybody on this machine takes for ``purpose`` on this store.

    Beside a SQLite file; for a store elsewhere under ``<root>/mlruns``, where it only keeps
    out other processes of the same checkout.

    Raises:
        TrackingError: somebody else holds it for more than `LOCK_SECONDS`.
    """
    from filelock import FileLock, Timeout

    database = database_file(uri)
    folder = database.parent if database else root / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{database.name if database else 'mlflow'}.{purpose}.lock"
    try:
        lock = FileLock(path, timeout=LOCK_SECONDS)
        lock.acquire()
    except Timeout:
        raise TrackingError(
            f"the lock {path} must come free within {LOCK_SECONDS:g} s, and another process"
            " still holds it"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def tracking_errors(rule: str) -> Iterator[None]:
    """Turn MLflow's and the database's errors into a TrackingError: ``rule``, then the fact."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        fact = " ".join(str(error).split())
        raise TrackingError(f"{rule}, and MLflow says: {fact}") from error


def _experiment_id(client: MlflowClient, uri: str, root: Path) -> str:
    if chosen := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return chosen
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # A server knows where its artifacts belong; for a file we must say, or MLflow would
        # write a path relative to whatever the working directory is at that moment.
        location = str(artifact_root(root)) if database_file(uri) else None
        created: str = client.create_experiment(name, artifact_location=location)
        return created
    if experiment.lifecycle_stage == "deleted":
        raise TrackingError(
            f"experiment {name} must be active, and it is deleted: run"
            f" `mlflow experiments restore --experiment-id {experiment.experiment_id}`"
        )
    found: str = experiment.experiment_id
    return found


def _create_database(database: Path, root: Path) -> None:
    """A new database under its final name only once it is whole, so that a kill leaves none.

    Made from the root, because MLflow notes the working directory as the place of the artifacts
    of its experiment ``Default``; and without its two INFO lines about tables.
    """
    import mlflow

    unfinished = database.with_name(f".{database.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    logger = logging.getLogger("mlflow.store.db.utils")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with contextlib.chdir(root):
            client = mlflow.MlflowClient(tracking_uri=f"{_SQLITE}{unfinished}")
            client.search_experiments(max_results=1)
    finally:
        logger.setLevel(level)
    unfinished.rename(database)
