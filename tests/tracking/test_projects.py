"""`mlflow run . -e train` and `mlflow ui`, exactly so, with pip alone; and nothing elsewhere."""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from svg_quality.errors import SettingsError
from svg_quality.tracking import projects
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.projects import (
    STAND_IN,
    ProjectContext,
    ProjectExperiment,
    ProjectParameter,
    project_entry_points,
)
from svg_quality.tracking.store import open_store

MLFLOW = Path(sys.executable).parent / "mlflow"
CONDA = STAND_IN / "bin" / "conda"
SYSTEM_PATH = "/usr/bin:/bin"  # no conda, and no activated virtual environment
STAGE = """
import sys
from svg_quality.tracking.identity import Work
from svg_quality.tracking.runs import stage_run
with stage_run(Work(sys.argv[1], {"epochs": int(sys.argv[2])})) as run:
    run.set_tags({"python": sys.executable})
    if sys.argv[2] == "13":
        raise SystemExit("thirteen epochs are not allowed")
"""


@pytest.fixture
def without_conda(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:
    monkeypatch.setenv("PATH", SYSTEM_PATH)


def mlflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(MLFLOW), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def conda(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(CONDA), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# The hook


def test_in_a_checkout_the_environment_is_prepared(
    empty_project: Path, without_conda: None
) -> None:
    ProjectContext()
    assert os.environ["MLFLOW_CONDA_HOME"] == str(STAND_IN)
    assert str(MLFLOW.parent) in os.environ["SVG_QUALITY_PYTHON_PATH"].split(os.pathsep)
    uri = f"sqlite:///{empty_project}/mlruns/mlflow.db"
    assert os.environ["MLFLOW_TRACKING_URI"] == os.environ["MLFLOW_BACKEND_STORE_URI"] == uri
    assert os.environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == f"{empty_project}/mlruns/artifacts"
    assert "MLFLOW_EXPERIMENT_NAME" not in os.environ  # `mlflow run --experiment-id` refuses both
    assert not (empty_project / "mlruns").exists()


def test_elsewhere_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_conda: None
) -> None:
    (tmp_path / "MLproject").write_text("name: another\n")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    context = ProjectContext()
    assert dict(os.environ) == before
    assert (context.in_context(), context.tags()) == (False, {})
    assert not ProjectExperiment().in_context()


def test_a_working_directory_that_is_gone_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_conda: None
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    before = dict(os.environ)
    ProjectContext()
    assert dict(os.environ) == before
    assert not ProjectExperiment().in_context()


@pytest.mark.parametrize("name", ["MLFLOW_CONDA_HOME", "CONDA_EXE", "MLFLOW_CONDA_CREATE_ENV_CMD"])
def test_the_users_conda_is_left_alone(
    empty_project: Path, without_conda: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/opt/conda")
    ProjectContext()
    assert os.environ.get("MLFLOW_CONDA_HOME") == ("/opt/conda" if "HOME" in name else None)
    assert os.environ[name] == "/opt/conda"


def test_a_conda_on_the_path_is_left_alone(
    empty_project: Path, without_conda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = empty_project / "conda"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{empty_project}:{SYSTEM_PATH}")
    ProjectContext()
    assert "MLFLOW_CONDA_HOME" not in os.environ


def test_what_the_user_set_stays(
    empty_project: Path, without_conda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "sqlite:////elsewhere.db")
    ProjectContext()
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://tracking:5000"
    assert os.environ["MLFLOW_BACKEND_STORE_URI"] == "sqlite:////elsewhere.db"
    assert "MLFLOW_DEFAULT_ARTIFACT_ROOT" not in os.environ


def test_a_folder_bash_would_split_is_given_relatively_or_not_at_all(
    empty_project: Path, without_conda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = empty_project / ".venv" / "conda"
    (inside / "bin").mkdir(parents=True)
    (inside / "bin" / "conda").write_text("#!/bin/sh\n")
    (inside / "bin" / "conda").chmod(0o755)
    monkeypatch.setattr(projects, "STAND_IN", inside)
    ProjectContext()
    assert os.environ.pop("MLFLOW_CONDA_HOME") == ".venv/conda"
    (empty_project / "below").mkdir()
    monkeypatch.chdir(empty_project / "below")
    ProjectContext()
    assert "MLFLOW_CONDA_HOME" not in os.environ


def test_the_hook_imports_nothing_heavy() -> None:
    program = (
        "import sys, svg_quality.tracking.projects as p; p.ProjectContext();"
        "print({'mlflow', 'yaml', 'numpy', 'torch', 'sqlalchemy', 'filelock'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_the_experiment_of_a_checkout_is_ours(project: Path) -> None:
    provider = ProjectExperiment()
    assert provider.in_context()
    assert provider.get_experiment_id() == open_store().experiment_id


# The stand-in for conda, called the way mlflow/utils/conda.py does


def test_the_stand_in_answers_mlflow(empty_project: Path) -> None:
    assert conda("--help").returncode == 0
    assert json.loads(conda("env", "list", "--json").stdout) == {"envs": []}
    created = conda("env", "create", "-n", "mlflow-1", "--file", str(empty_project / "conda.yaml"))
    assert (created.returncode, created.stdout, created.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("env create -n x --file {}/conda.yaml", "stand-in serves its own MLproject only"),
        ("env create -n x", "stand-in serves its own MLproject only"),
        ("create -n x python", "stand-in cannot do `conda create -n x python`"),
        ("install -n x numpy", "stand-in cannot do `conda install"),
    ],
)
def test_the_stand_in_promises_nothing_else(tmp_path: Path, command: str, message: str) -> None:
    (tmp_path / "MLproject").write_text("name: another\n")
    refused = conda(*shlex.split(command.format(tmp_path)))
    assert refused.returncode == 1
    assert message in refused.stderr


def test_activation_puts_our_python_first() -> None:
    script = (
        f"source {CONDA.parent}/../etc/profile.d/conda.sh && conda activate mlflow-1 1>&2"
        ' && echo "$PATH $SVG_QUALITY_ENV_MANAGER"'
    )
    variables = {"PATH": SYSTEM_PATH, "SVG_QUALITY_PYTHON_PATH": "/a b/bin:/c"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=variables)
    assert done.stdout == f"/a b/bin:/c:{SYSTEM_PATH} local\n"


# MLproject


def test_entry_points_are_read(empty_project: Path) -> None:
    assert project_entry_points(empty_project) == {
        "train": {
            "epochs": ProjectParameter("float", 2),
            "note": ProjectParameter("string", ""),
            "release": ProjectParameter("string", None),
        }
    }


@pytest.mark.parametrize("text", [None, "", "name: svg-quality", "{", "entry_points: [a]"])
def test_a_broken_mlproject_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "MLproject").write_text(text)
    with pytest.raises(SettingsError, match="MLproject must declare entry points, got"):
        project_entry_points(tmp_path)


# The real commands


@pytest.mark.slow
def test_mlflow_run_works_without_a_flag(empty_project: Path, without_conda: None) -> None:
    (empty_project / "stage.py").write_text(STAGE)
    done = mlflow("run", ".", "-e", "train", "-P", "epochs=3", "-P", "release=r")
    assert done.returncode == 0, done.stderr
    run = newest_finished("train")  # in the experiment of the checkout, in its store
    assert run.params["settings.epochs"] == "3"
    assert run.tags["env.manager"] == run.tags["mlflow.project.env"] == "local"
    assert run.tags["python"] == sys.executable
    assert run.artifact("settings.json").is_relative_to(empty_project / "mlruns" / "artifacts")
    assert sorted(path.name for path in empty_project.iterdir()) == [
        "MLproject",
        "conda.yaml",
        "mlruns",
        "stage.py",
    ]

    failed = mlflow("run", ".", "-e", "train", "-P", "epochs=13", "-P", "release=r")
    assert failed.returncode == 1
    store = open_store()
    statuses = [run.info.status for run in store.client.search_runs([store.experiment_id])]
    assert sorted(statuses) == ["FAILED", "FINISHED"]

    elsewhere = mlflow(
        "run", ".", "-e", "train", "-P", "epochs=3", "-P", "release=r", "--experiment-id", "0"
    )
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert len(store.client.search_runs(["0"])) == 1


@pytest.mark.slow
def test_mlflow_ui_shows_the_same_store_even_when_it_comes_first(
    empty_project: Path, without_conda: None
) -> None:
    (empty_project / "mlruns").mkdir()  # as in a checkout, where it holds a .gitkeep
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (empty_project / "mlruns" / "ui.log").open("w") as log:
        command = [str(MLFLOW), "ui", "--port", str(port), "--workers", "1"]
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            ask(port, "experiments/search", {"max_results": 10})
            stage = [sys.executable, "-c", STAGE, "train", "4"]
            subprocess.run(stage, check=True, capture_output=True)
            run_id = newest_finished("train").run_id
            found = ask(port, "runs/search", {"experiment_ids": [open_store().experiment_id]})
            assert [run["info"]["run_id"] for run in found["runs"]] == [run_id]
            url = f"http://127.0.0.1:{port}/get-artifact?path=settings.json&run_uuid={run_id}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert json.load(answer) == {"epochs": 4}
        finally:
            os.killpg(server.pid, 15)
            server.wait(timeout=30)


def ask(port: int, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """The server's answer, once it is up."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/2.0/mlflow/{what}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
