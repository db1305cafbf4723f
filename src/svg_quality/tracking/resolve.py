"""From a model's name to its bundle on this disk, without importing MLflow where possible.

``import mlflow`` takes two of the three seconds a whole prediction may take. So for a local
SQLite store of the known layout the answer is read from MLflow's tables; for every other store,
and for a layout this module does not know, MLflow is asked. A test compares both answers.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from svg_quality.errors import TrackingError
from svg_quality.tracking.locations import local_path
from svg_quality.tracking.store import (
    apply_environment,
    database_file,
    project_root,
    tracking_errors,
    tracking_uri,
)

BUNDLE: Final = "bundle"  # the name of the bundle among a model's artifacts
STAGES: Final = ("None", "Staging", "Production", "Archived")

# MLflow 3.17: the revision of its migrations, and the columns that are read here.
KNOWN_REVISIONS: Final = frozenset({"dc11669786a5"})
_BUSY_SECONDS: Final = 5.0
_URI: Final = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<selector>[^/@]+))")


@dataclass(frozen=True, slots=True)
class ModelReference:
    """What a ``models:/`` address asks for: exactly one of the three."""

    name: str
    version: int | None = None
    stage: str | None = None  # one of `STAGES`, or "latest"
    alias: str | None = None

    def __str__(self) -> str:
        """The address."""
        if self.alias:
            return f"models:/{self.name}@{self.alias}"
        return f"models:/{self.name}/{self.version or self.stage}"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version as the registry knows it."""

    name: str
    version: int
    stage: str
    aliases: tuple[str, ...]  # sorted
    run_id: str | None
    location: str  # of the model's files


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A bundle that lies on this disk, and where it came from.

    ``version``, ``stage`` and ``run_id`` are None for a folder that the registry did not name.
    """

    name: str
    version: str | None
    stage: str | None
    aliases: tuple[str, ...]
    run_id: str | None
    path: Path  # of the bundle's folder


def resolve(model: str) -> ResolvedModel:
    """Find a bundle.

    Args:
        model: ``models:/svg-quality/Production``, ``models:/svg-quality/5``,
            ``models:/svg-quality@production``, or the path of a folder: a bundle's, or that of a
            whole MLflow model around one.

    Raises:
        TrackingError: there is no such store, model, version or folder.
    """
    if not model.startswith("models:"):
        return _from_folder(Path(model))
    reference = parse(model)
    found = find_version(reference)
    folder = local_path(found.location) or _downloaded(found)
    return ResolvedModel(
        name=found.name,
        version=str(found.version),
        stage=found.stage,
        aliases=found.aliases,
        run_id=found.run_id,
        path=_bundle_in(folder, f"{reference} (version {found.version})"),
    )


def parse(model: str) -> ModelReference:
    """The parts of a ``models:/`` address.

    Raises:
        TrackingError: it is not one.

    Example:
        >>> parse("models:/svg-quality/production")
        ModelReference(name='svg-quality', version=None, stage='Production', alias=None)
    """
    match = _URI.fullmatch(model)
    if match is None:
        raise TrackingError(
            f"a model must be models:/NAME/STAGE, models:/NAME/VERSION, models:/NAME@ALIAS"
            f" or a folder, got {model}"
        )
    name, alias, selector = match["name"], match["alias"], match["selector"]
    if alias:
        return ModelReference(name, alias=alias)
    if selector.isascii() and selector.isdigit():
        return ModelReference(name, version=int(selector))
    for stage in (*STAGES, "latest"):
        if selector.casefold() == stage.casefold():
            return ModelReference(name, stage=stage)
    raise TrackingError(f"a stage must be one of {', '.join(STAGES)} or latest, got {selector}")


def find_version(reference: ModelReference) -> ModelVersion:
    """Which version an address means now; the highest one where a stage holds several.

    Raises:
        TrackingError: none.
    """
    uri = os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri()
    database = database_file(uri)
    if database and not database.is_file():
        raise TrackingError(
            f"{reference} needs a tracking store, and {database} does not exist:"
            " run `mlflow run . -e main` first"
        )
    versions = versions_from_sqlite(database, reference.name) if database else None
    if versions is None:
        versions = versions_from_client(uri, reference.name)
    return _chosen(reference, versions)


def _chosen(reference: ModelReference, versions: list[ModelVersion]) -> ModelVersion:
    if not versions:
        raise TrackingError(
            f"{reference} needs a registered version, and the registry has none of"
            f" {reference.name}: run `mlflow run . -e train` first"
        )
    fitting = [version for version in versions if _fits(reference, version)]
    if not fitting:
        listed = ", ".join(f"{v.version} ({v.stage})" for v in versions[-5:])
        raise TrackingError(
            f"{reference} must name a registered version, and there are only {listed}:"
            " run `svg-quality promote` to put one in Production"
        )
    return max(fitting, key=lambda version: version.version)


def _fits(reference: ModelReference, version: ModelVersion) -> bool:
    if reference.alias:
        return reference.alias in version.aliases
    if reference.version is not None:
        return reference.version == version.version
    return reference.stage in (version.stage, "latest")


def versions_from_sqlite(database: Path, name: str) -> list[ModelVersion] | None:
    """All versions of a model, lowest first, read from MLflow's tables; the file is not written.

    Returns:
        None where the answer must come from MLflow: an unknown layout, workspaces in use, or a
        file that is busy or no database.
    """
    if os.environ.get("MLFLOW_WORKSPACE") or os.environ.get("MLFLOW_ENABLE_WORKSPACES"):
        return None
    address = f"{database.as_uri()}?mode=ro"
    try:
        with contextlib.closing(
            sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)
        ) as connection:
            revisions = {row[0] for row in connection.execute("SELECT * FROM alembic_version")}
            if not revisions or not revisions <= KNOWN_REVISIONS:
                return None
            return _read_versions(connection, name)
    except sqlite3.Error:
        return None


def _read_versions(connection: sqlite3.Connection, name: str) -> list[ModelVersion]:
    aliases: dict[int, list[str]] = {}
    for alias, version in connection.execute(
        "SELECT alias, version FROM registered_model_aliases"
        " WHERE name = ? AND workspace = 'default' ORDER BY alias",
        (name,),
    ):
        aliases.setdefault(version, []).append(alias)
    # A model logged by MLflow 3 is registered as models:/m-..., and that table has its place.
    rows = connection.execute(
        "SELECT v.version, v.current_stage, v.run_id,"
        " COALESCE(m.artifact_location, NULLIF(v.storage_location, ''), v.source)"
        " FROM model_versions v LEFT JOIN logged_models m"
        " ON COALESCE(NULLIF(v.storage_location, ''), v.source) = 'models:/' || m.model_id"
        " WHERE v.name = ? AND v.workspace = 'default'"
        " AND v.current_stage != 'Deleted_Internal' ORDER BY v.version",
        (name,),
    )
    return [
        ModelVersion(name, version, stage, tuple(aliases.get(version, ())), run_id, location)
        for version, stage, run_id, location in rows
    ]


def versions_from_client(uri: str, name: str) -> list[ModelVersion]:
    """The same, by MLflow itself. It costs the import of MLflow.

    Raises:
        TrackingError: the registry cannot be reached.
    """
    from mlflow import MlflowClient

    apply_environment(project_root())
    client = MlflowClient(registry_uri=uri)
    versions: list[ModelVersion] = []
    with tracking_errors(f"the registry {uri} must answer"):
        for found in client.search_model_versions(f"name = '{name}'", max_results=10_000):
            # A search does not say which aliases a version has, a look-up does.
            one = client.get_model_version(name, str(found.version))
            location = client.get_model_version_download_uri(name, str(found.version))
            if location.startswith("models:/m-"):
                model_id = location.removeprefix("models:/")
                location = client.get_logged_model(model_id).artifact_location or location
            versions.append(
                ModelVersion(
                    name,
                    int(one.version),
                    one.current_stage or "None",
                    tuple(sorted(one.aliases)),
                    one.run_id or None,
                    location,
                )
            )
    return sorted(versions, key=lambda version: version.version)


def _downloaded(version: ModelVersion) -> Path:
    """A copy of a remote model under ``mlruns``, made once: what lies at a location stays."""
    import mlflow

    key = hashlib.sha256(version.location.encode()).hexdigest()[:16]
    target = project_root() / "mlruns" / "downloads" / version.name / key
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        tracking_errors(f"version {version.version} of {version.name} must download"),
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
    ):
        whole = mlflow.artifacts.download_artifacts(
            artifact_uri=version.location, dst_path=f"{folder}/model"
        )
        with contextlib.suppress(OSError):  # another process was faster, with the same files
            Path(whole).rename(target)
    return target


def _from_folder(folder: Path) -> ResolvedModel:
    if not folder.is_dir():
        raise TrackingError(f"a model must be an existing folder or models:/..., got {folder}")
    path = folder.resolve()
    inner = path / "artifacts" / BUNDLE
    return ResolvedModel(
        name=path.name,
        version=None,
        stage=None,
        aliases=(),
        run_id=None,
        path=inner if inner.is_dir() else path,
    )


def _bundle_in(folder: Path, what: str) -> Path:
    bundle = folder / "artifacts" / BUNDLE
    if not bundle.is_dir():
        raise TrackingError(f"{what} must have its bundle on disk, and {bundle} does not exist")
    return bundle
