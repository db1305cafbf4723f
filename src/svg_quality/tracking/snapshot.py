"""The tracking database of a project, as a file: a consistent copy, and its way to another place.

MLflow writes absolute paths: of the artifacts of every experiment, run and model. A copy that is
put into another folder gets them rewritten. Only MLflow's SQLite store is a file; a server has
backups of its own.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from svg_quality.errors import TrackingError
from svg_quality.tracking.lookup import ERROR, OUTPUT_PATH, STAGE

_PATHS: Final = (  # columns of a place; a tag only where it is one
    ("experiments", "artifact_location", ""),
    ("runs", "artifact_uri", ""),
    ("logged_models", "artifact_location", ""),
    ("model_versions", "source", ""),
    ("model_versions", "storage_location", ""),
    ("tags", "value", f"AND key = '{OUTPUT_PATH}'"),
)
_OF_A_RUN: Final = ("params", "tags", "metrics", "latest_metrics")
_EXPERIMENT: Final = (  # of the row ``r``, by its name: the number may differ
    "(SELECT experiment_id FROM main.experiments WHERE name = (SELECT name FROM"
    " copy.experiments AS e WHERE e.experiment_id = r.experiment_id))"
)
_DATASET: Final = (  # the one that has the name and digest of the row's: it may be there already
    "CASE r.source_type WHEN 'DATASET' THEN (SELECT d.dataset_uuid FROM main.datasets AS d JOIN"
    " copy.datasets AS c ON d.name = c.name AND d.digest = c.digest WHERE c.dataset_uuid ="
    " r.source_id AND d.experiment_id = (SELECT m.experiment_id FROM main.experiments AS m JOIN"
    " copy.experiments AS e ON m.name = e.name WHERE e.experiment_id = c.experiment_id))"
    " ELSE r.source_id END"
)
_WAS_RUNNING: Final = "it was running when the backup was made"


def copy_database(database: Path, copy: Path) -> None:
    """A consistent copy, also while others write.

    Raises:
        TrackingError: there is no such database, or it stays locked.
    """
    with _errors(database, "copied"), _opened(database) as source, _opened(copy, new=True) as made:
        source.backup(made)


def relocate(database: Path, old: str, new: str) -> int:
    """Set right the paths of a database that was another project's; gives how many.

    Runs that were running when it was copied did not end there: they are ended, as KILLED.

    Args:
        database: a copy.
        old: root of the project it was in.
        new: root of the project it will be in.

    Raises:
        TrackingError: it is no MLflow database.
    """
    n_changed = 0
    with _errors(database, "moved"), _opened(database) as db, db:
        for table, column, condition in _PATHS:
            for before, after in ((old, new), (f"file://{old}", f"file://{new}")):
                n_changed += db.execute(
                    f"UPDATE {table} SET {column} = :after || substr({column}, :length + 1)"
                    f" WHERE ({column} = :before OR substr({column}, 1, :length + 1) = :folder)"
                    f" {condition}",
                    {"before": before, "after": after, "length": len(before),
                     "folder": f"{before}/"},
                ).rowcount  # fmt: skip
        n_changed += db.execute(
            "UPDATE datasets SET dataset_source = replace(dataset_source, :before, :after)"
            " WHERE instr(dataset_source, :before)",
            {"before": f'"{old}/', "after": f'"{new}/'},
        ).rowcount
        running = [row[0] for row in db.execute("SELECT run_uuid FROM runs WHERE status='RUNNING'")]
        for run_id in running:
            db.execute(
                "UPDATE runs SET status = 'KILLED', end_time = start_time WHERE run_uuid = ?",
                [run_id],
            )
            db.execute("INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
                       [ERROR, _WAS_RUNNING, run_id])  # fmt: skip
    return n_changed


def holds_all(database: Path, copy: Path) -> bool:
    """Whether every run and model version of a copy is in a database.

    Raises:
        TrackingError: one of them is no MLflow database.
    """
    with _both(database, copy) as db:
        missing = db.execute(
            "SELECT (SELECT count(*) FROM copy.runs WHERE run_uuid NOT IN"
            " (SELECT run_uuid FROM main.runs)) + (SELECT count(*) FROM copy.model_versions AS one"
            " WHERE NOT EXISTS (SELECT 1 FROM main.model_versions AS other WHERE"
            " other.name = one.name AND other.version = one.version"
            " AND other.run_id IS one.run_id))"
        ).fetchone()[0]
    return bool(missing == 0)


def holds_only(database: Path, stage: str) -> bool:
    """Whether all runs of a database are of one stage, and it has no model.

    Raises:
        TrackingError: it is no MLflow database.
    """
    with _errors(database, "read"), _opened(database) as db:
        n_other = db.execute(
            "SELECT (SELECT count(*) FROM runs WHERE run_uuid NOT IN (SELECT run_uuid FROM tags"
            f" WHERE key = '{STAGE}' AND value = ?)) + (SELECT count(*) FROM registered_models)",
            [stage],
        ).fetchone()[0]
    return bool(n_other == 0)


def refuse_misfit(database: Path, copy: Path) -> None:
    """Stop where `replace_content` would; nothing is changed.

    Raises:
        TrackingError: they are of different versions of MLflow, or the copy lacks the experiment.
    """
    with _both(copy, database) as db:
        _refuse_misfit(db)


def replace_content(database: Path, copy: Path) -> None:
    """Give a database the content of a copy and, with it, the runs that it has itself.

    It stays the same file, and whoever has it open goes on: a run that is open stays open.

    Args:
        database: of which `holds_only` is true.
        copy: changed.

    Raises:
        TrackingError: they are of different versions of MLflow, or the copy lacks the experiment.
    """
    with _both(copy, database) as db, db:
        _refuse_misfit(db)
        _insert(db, "runs", {"experiment_id": _EXPERIMENT})
        for table in _OF_A_RUN:
            _insert(db, table, {})
        _insert(db, "datasets", {"experiment_id": _EXPERIMENT}, unless="OR IGNORE")
        _insert(db, "inputs", {"source_id": _DATASET})
        _insert(db, "input_tags", {})
    with _errors(database, "replaced"), _opened(copy) as source, _opened(database) as target:
        source.backup(target)


def _refuse_misfit(db: sqlite3.Connection) -> None:
    """Of a backup's database as ``main`` and a project's as ``copy``."""
    versions = [
        db.execute(f"SELECT version_num FROM {name}.alembic_version").fetchall()
        for name in ("main", "copy")
    ]
    if versions[0] != versions[1]:
        raise TrackingError(
            f"a backup's database must be of this MLflow's schema {versions[1]}, it is of"
            f" {versions[0]}: restore it with the MLflow that made it"
        )
    if db.execute(f"SELECT count(*) FROM copy.runs AS r WHERE {_EXPERIMENT} IS NULL").fetchone()[0]:
        raise TrackingError("a backup must have the experiment of this project, it has not")


def _insert(
    db: sqlite3.Connection, table: str, values: Mapping[str, str], unless: str = ""
) -> None:
    """Add the rows ``r`` of ``copy`` to ``main``; ``values`` are SQL, by column."""
    names = [row[1] for row in db.execute(f"PRAGMA copy.table_info({table})")]
    taken = ", ".join(values.get(name, f"r.{name}") for name in names)
    columns = ", ".join(names)
    db.execute(
        f"INSERT {unless} INTO main.{table} ({columns}) SELECT {taken} FROM copy.{table} AS r"
    )


@contextlib.contextmanager
def _both(main: Path, copy: Path) -> Iterator[sqlite3.Connection]:
    with _errors(main, "read"), _opened(main) as db:
        db.execute("ATTACH DATABASE ? AS copy", [f"{copy.absolute().as_uri()}?mode=rw"])
        yield db


@contextlib.contextmanager
def _opened(database: Path, *, new: bool = False) -> Iterator[sqlite3.Connection]:
    mode = "rwc" if new else "rw"
    address = f"{database.absolute().as_uri()}?mode={mode}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as db:
        yield db


@contextlib.contextmanager
def _errors(database: Path, done: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TrackingError(
            f"a tracking database must be one to be {done}, {database}: {error}"
        ) from error
