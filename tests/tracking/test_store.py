"""Where the store is, and that it opens whole: alone, at once from many processes, or not."""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from svg_quality.errors import TrackingError
from svg_quality.tracking import store
from svg_quality.tracking.store import (
    EXPERIMENT,
    database_file,
    default_tracking_uri,
    environment,
    file_lock,
    find_project,
    open_store,
    project_root,
    tracking_uri,
)

OPEN = "from svg_quality.tracking.store import open_store; print(open_store().experiment_id)"


def test_the_root_is_found_from_any_folder_below(empty_project: Path) -> None:
    below = empty_project / "a" / "b"
    below.mkdir(parents=True)
    assert project_root(below) == project_root() == empty_project
    assert tracking_uri() == f"sqlite:///{empty_project}/mlruns/mlflow.db"


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("name: svg-quality", True),
        ('name: "svg-quality"  # the product', True),
        ("name: svg-quality-fork", False),
        ("# name: svg-quality", False),
        ("name: other", False),
    ],
)
def test_only_an_mlproject_that_names_us_counts(tmp_path: Path, line: str, ours: bool) -> None:
    (tmp_path / "MLproject").write_text(f"{line}\nentry_points: {{}}\n")
    assert (find_project(tmp_path) == tmp_path) is ours


def test_another_project_inside_ours_is_not_ours(empty_project: Path) -> None:
    inner = empty_project / "vendor"
    inner.mkdir()
    (inner / "MLproject").write_text("name: another\n")
    assert find_project(inner) is None
    assert project_root(inner) == inner


def test_the_users_store_wins(empty_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert tracking_uri() == "http://tracking:5000"
    values = environment(empty_project)
    assert "MLFLOW_BACKEND_STORE_URI" not in values
    assert values["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("sqlite:////work/mlruns/mlflow.db", Path("/work/mlruns/mlflow.db")),
        ("sqlite:////work/a b/mlflow.db", Path("/work/a b/mlflow.db")),
        ("sqlite:///", None),
        ("sqlite:////work/x.db?mode=ro", None),
        ("postgresql://host/db", None),
        ("http://host", None),
    ],
)
def test_the_file_of_a_store(uri: str, file: Path | None) -> None:
    assert database_file(uri) == file


def test_opening_makes_our_experiment_once(project: Path) -> None:
    first, second = open_store(), open_store()
    assert first.experiment_id == second.experiment_id
    experiment = first.client.get_experiment(first.experiment_id)
    assert experiment.name == EXPERIMENT
    assert experiment.artifact_location == f"{project}/mlruns/artifacts"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_users_experiment_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    opened = open_store()
    assert opened.client.get_experiment(opened.experiment_id).name == "mine"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    assert open_store().experiment_id == "0"


def test_a_deleted_experiment_is_named_with_its_remedy(project: Path) -> None:
    opened = open_store()
    opened.client.delete_experiment(opened.experiment_id)
    with pytest.raises(TrackingError, match="mlflow experiments restore --experiment-id 1"):
        open_store()


def test_a_file_that_is_no_database_is_refused(empty_project: Path) -> None:
    (empty_project / "mlruns").mkdir()
    (empty_project / "mlruns" / "mlflow.db").write_text("not a database, but long enough " * 9)
    with pytest.raises(TrackingError, match=r"mlflow\.db must open, and MLflow says"):
        open_store()


def test_a_lock_that_stays_taken_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.2)
    uri = default_tracking_uri(project)
    with (
        file_lock(uri, project, "store"),
        pytest.raises(TrackingError, match=r"must come free within 0\.2 s"),
    ):
        open_store()


@pytest.mark.slow
def test_many_first_touches_at_once_leave_a_whole_and_silent_store(
    empty_project: Path, shell: Callable[[str], subprocess.Popen[str]]
) -> None:
    (empty_project / "mlruns").mkdir()
    leftover = empty_project / "mlruns" / ".mlflow.db.unfinished"  # of a creation that was killed
    leftover.write_text("half a database")
    processes = [shell(OPEN) for _ in range(4)]
    answers = [process.communicate(timeout=240) for process in processes]
    assert answers == [("1\n", "")] * 4
    with sqlite3.connect(empty_project / "mlruns" / "mlflow.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute("SELECT name, artifact_location FROM experiments").fetchall()
    assert sorted(rows) == [
        ("Default", f"{empty_project}/mlruns/0"),
        (EXPERIMENT, f"{empty_project}/mlruns/artifacts"),
    ]
    assert not leftover.exists()
