"""One study on a real PostgreSQL server, which is installed from Debian's packages and started."""

import getpass
import multiprocessing
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import psycopg
import pytest
import yaml

from svg_quality.cli import main
from svg_quality.settings import TrainSettings
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.store import open_store
from svg_quality.training.searching.search import run_trials
from svg_quality.training.searching.space import chosen_by
from svg_quality.training.searching.storage import read_study
from svg_quality.training.searching.study import Report, StudyPlan

pytestmark = pytest.mark.slow
OWNER = "postgres"  # Debian's user for the server, which refuses to run as root


def server_programs() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``, installed where missing."""

    def found() -> list[Path]:
        return sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))

    if not found() and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
            subprocess.run(["apt-get", *command], env=environment, timeout=600, **quiet)
    if not found():
        pytest.skip("PostgreSQL is not installed, and Debian's package could not be")
    return found()[-1].parent


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of an empty database; the server is stopped at the end."""
    programs = server_programs()
    is_root = os.geteuid() == 0
    if is_root:
        try:
            owner = pwd.getpwnam(OWNER)
        except KeyError:
            pytest.skip(f"a PostgreSQL server must not run as root, and there is no user {OWNER}")
    folder = Path(tempfile.mkdtemp(prefix="svg-quality-postgresql-"))
    if is_root:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    before = ["runuser", "-u", OWNER, "--"] if is_root else []

    def run(*command: str | Path) -> None:
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            subprocess.run(
                [*before, *command], check=True, timeout=120, stdout=log, stderr=log, cwd="/"
            )

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    try:
        run(programs / "initdb", "-D", data, "-U", "searcher", "-A", "trust", "--no-sync")
        options = f"-p {port} -h 127.0.0.1 -k {folder} -F"
        run(programs / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
        address = f"postgresql://searcher@127.0.0.1:{port}"
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE studies")
        yield address.replace("postgresql", "postgresql+psycopg") + "/studies"
    finally:
        if (data / "postmaster.pid").exists():
            run(programs / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")
        shutil.rmtree(folder)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


class Silent:
    """A watcher of which only the process id is of interest."""

    def began(self, number: int, chosen: Mapping[str, Any]) -> Mapping[str, str]:
        return {"pid": str(os.getpid()), "by": getpass.getuser()}

    def epoch(self, number: int, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def ended(self, number: int, state: str, figures: Mapping[str, float], reason: str) -> None: ...

    def is_lost(self, attributes: Mapping[str, Any]) -> bool:
        return False

    def lost(self, attributes: Mapping[str, Any]) -> None: ...

    def end_if_asked(self) -> None: ...


def evaluate(chosen: Mapping[str, Any], report: Report) -> dict[str, float]:
    for epoch in (1, 2):
        report(epoch, {"val_ssim_mae": chosen["learning_rate"]})
    return {"everyday_ssim_mae": chosen["learning_rate"]}


def _work(plan: StudyPlan, worker: int) -> None:
    run_trials(plan, evaluate, Silent(), worker)


def test_workers_begin_and_fill_one_study_together(server: str) -> None:
    """Nobody made the tables before: all of them try at once."""
    plan = StudyPlan("crowd", server, 24, 2, first=chosen_by(TrainSettings()))
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_work, args=(plan, number)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(200)
    assert [worker.exitcode for worker in workers] == [0, 0]
    trials = read_study(plan).trials
    done = [row for row in trials if row.state in ("COMPLETE", "PRUNED")]
    assert len(done) == 24
    assert len({str(row.chosen) for row in done}) == 24
    assert len({row.number for row in done}) == 24
    assert len({row.attributes["pid"] for row in done}) == 2


def test_the_stage_uses_it_with_two_workers(
    server: str,
    new_extracted: Callable[[], Path],
    enter: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = new_extracted()
    enter(project, monkeypatch)
    settings = {
        "train": {"epochs": 2, "hidden_dims": "128", "n_members": 1},
        "search": {"n_trials": 5, "epochs": 2, "n_seeds": 1, "n_workers": 2, "storage": server},
    }
    (project / "small.yaml").write_text(yaml.safe_dump(settings))
    assert main(["search", "--config", "small.yaml"]) == 0
    storage = optuna.storages.RDBStorage(server)
    trials = optuna.load_study(study_name="svg-quality", storage=storage).trials
    storage.remove_session()
    storage.engine.dispose()
    done = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(done) == 5
    assert not (project / "data" / "optuna").exists()
    client, search = open_store().client, newest_finished("search")
    assert search.tags["optuna.storage"] == server
    for trial in done:
        run = client.get_run(trial.user_attrs["mlflow_run_id"])
        assert run.data.tags["optuna.trial"] == str(trial.number)
        assert run.data.tags["mlflow.parentRunId"] == search.run_id
        assert run.info.status == ("FINISHED" if trial.state.name == "COMPLETE" else "KILLED")
