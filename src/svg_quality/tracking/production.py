"""Who is in Production: the registry and the ledger, changed together under one lock.

The registry says who is there, the ledger how they came there. Whoever looks first brings the
two together: a version in Production without a line of its own (promoted in MLflow's own UI, or
by a process that was killed between the two) gets a line that says just that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from svg_quality.errors import TrackingError
from svg_quality.tracking.ledger import (
    FILE_NAME,
    Candidate,
    Entry,
    Event,
    Ledger,
    line_of_production,
)
from svg_quality.tracking.locations import local_path
from svg_quality.tracking.registry import (
    MODEL,
    PRODUCTION,
    put_in_production,
    registry_lock,
)
from svg_quality.tracking.resolve import (
    BUNDLE,
    ModelVersion,
    versions_from_client,
    versions_from_sqlite,
)
from svg_quality.tracking.store import (
    apply_environment,
    database_file,
    open_store,
    project_root,
    tracking_errors,
    tracking_uri,
)

FOUND: Final = (
    "found without a line: promoted elsewhere (MLflow's own UI, another project), or by a"
    " command that was killed before it wrote one"
)
NOBODY: Final = "found without anybody in Production: taken out elsewhere"
_MANIFEST: Final = "bundle.json"  # of `svg_quality.prediction.bundle`, which stands above
_SEAL: Final = "promotions.seal"  # tag of the registered model
_TAGS: Final = (
    "SELECT key, value FROM registered_model_tags WHERE name = ? AND workspace = 'default'"
)
_PASSWORD: Final = re.compile(r"(?<=://)[^/]*@")  # one with an @ in it, too


@dataclass(frozen=True, slots=True)
class Production:
    """Registry and ledger as they agreed when the lock was taken."""

    registry: str  # as the ledger names it
    versions: Sequence[ModelVersion]
    champion: ModelVersion | None
    entries: Sequence[Entry]  # of this registry, oldest first
    fault: str  # of the ledger: the first place where it was tampered with, or empty

    @property
    def line(self) -> list[Entry]:
        """Who was there one after the other, as far as it was not rolled back."""
        return line_of_production(self.entries)

    def version(self, number: int) -> ModelVersion:
        """The version of this number.

        Raises:
            TrackingError: there is none.
        """
        for one in self.versions:
            if one.version == number:
                return one
        listed = ", ".join(str(one.version) for one in self.versions) or "none"
        raise TrackingError(
            f"a version of {MODEL} must exist to be promoted, got {number}; there is {listed}"
        )


def ledger_path() -> Path:
    """The project's ledger. It stays with the project where the tracking server is elsewhere."""
    return project_root() / "mlruns" / FILE_NAME


def candidate(version: ModelVersion) -> Candidate:
    """A version as the ledger names it."""
    folder = local_path(version.location)
    manifest = folder / "artifacts" / BUNDLE / _MANIFEST if folder else None
    digest = None
    if manifest and manifest.is_file():
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    return Candidate(version.version, version.run_id, digest)


@contextlib.contextmanager
def production() -> Iterator[Production]:
    """Hold the lock; the ledger knows who is in Production once this is entered.

    A broken ledger is added to all the same: in an emergency a rollback must work.

    Raises:
        TrackingError: the registry does not answer, or the lock does not come free.
    """
    uri = _uri()
    database = database_file(uri)
    if database and not database.is_file():  # no registry yet: looking must not leave a lock there
        yield _read(uri)
        return
    with registry_lock(uri):
        yield _reconciled(uri)


def move(now: Production, version: ModelVersion, event: Event, **line: Any) -> ModelVersion:
    """Put a version into Production and write the line; inside `production`.

    Args:
        now: what `production` gave.
        version: to be there.
        event: why it is.
        line: of `Entry`: ``reason``, ``gates``, ``rules``, ``run``.

    Raises:
        TrackingError: the registry refuses.
    """
    moved = put_in_production(open_store(), version.version)
    write(now, version, event, **line)
    return moved


def write(now: Production, version: ModelVersion, event: Event, **line: Any) -> None:
    """Write a line of what was done or refused; inside `production`."""
    before = candidate(now.champion) if now.champion else None
    _append(Entry(event, now.registry, candidate(version), before, **line), now.fault)


def _append(entry: Entry, fault: str) -> None:
    uri = _uri()
    seal = Ledger(ledger_path()).append(entry)
    if fault:  # a new seal would hide that lines were taken off
        return
    with tracking_errors(f"the registry {entry.registry} must take the seal of the ledger"):
        _client(uri).set_registered_model_tag(MODEL, _seal_name(uri), str(seal))


def _reconciled(uri: str) -> Production:
    now = _read(uri)
    known = now.line[-1].version if now.line else None
    actual = candidate(now.champion) if now.champion else None
    if not now.versions or (actual.is_same(known) if actual else known is None):
        return now
    _append(Entry("found", now.registry, actual, known, FOUND if actual else NOBODY), now.fault)
    return _read(uri)


def _read(uri: str) -> Production:
    name = registry_name(uri)
    versions = _versions(uri)
    reading = Ledger(ledger_path()).read(_tags(uri).get(_seal_name(uri), ""))
    staged = [one for one in versions if one.stage == PRODUCTION]
    champion = max(staged, key=lambda one: one.version, default=None)
    return Production(name, versions, champion, reading.of(name), reading.fault)


def _versions(uri: str) -> list[ModelVersion]:
    database = database_file(uri)
    if database and not database.is_file():
        return []
    found = versions_from_sqlite(database, MODEL) if database else None
    return versions_from_client(uri, MODEL) if found is None else found


def _tags(uri: str) -> Mapping[str, str]:
    """Of the registered model; without the import of MLflow where that can be."""
    database = database_file(uri)
    if database and not database.is_file():
        return {}
    if database and versions_from_sqlite(database, MODEL) is not None:
        address = f"{database.as_uri()}?mode=ro"
        with (
            contextlib.suppress(sqlite3.Error),  # busy: MLflow waits for longer
            contextlib.closing(sqlite3.connect(address, uri=True)) as db,
        ):
            return dict(db.execute(_TAGS, (MODEL,)).fetchall())
    with tracking_errors(f"the registry {registry_name(uri)} must answer"):
        found = _client(uri).search_registered_models(f"name = '{MODEL}'")
        return dict(found[0].tags) if found else {}


def _client(uri: str) -> Any:
    from mlflow import MlflowClient

    apply_environment(project_root())
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _uri() -> str:
    return os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri()


def registry_name(uri: str) -> str:
    """A registry as the ledger names it: without a password, and the project's own by its place."""
    database = database_file(uri)
    if database and database.is_relative_to(project_root()):
        return database.relative_to(project_root()).as_posix()
    return _PASSWORD.sub("", uri)


def _seal_name(uri: str) -> str:
    """One seal for each ledger that promotes in a registry."""
    if registry_name(uri) != uri and database_file(uri):
        return _SEAL
    place = f"{socket.gethostname()}:{project_root()}"
    return f"{_SEAL}.{hashlib.sha256(place.encode()).hexdigest()[:12]}"
