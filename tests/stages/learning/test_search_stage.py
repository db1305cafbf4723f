"""`search` on a small project: links both ways, resuming, workers, and what is left at the end."""

import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml

from svg_quality.cli import main
from svg_quality.settings import load_settings
from svg_quality.stages.learning.search import verdict
from svg_quality.stages.learning.search_trials import _workers
from svg_quality.tracking.lookup import FinishedRun, newest_finished
from svg_quality.tracking.store import open_store
from svg_quality.training.searching.page import Repeated

BIN = Path(sys.executable).parent
SETTINGS = {
    "train": {"epochs": 3, "hidden_dims": "128", "n_members": 1, "batch_size": 128},
    "search": {"study": "small", "n_trials": 7, "epochs": 2, "n_seeds": 3},
}
SEARCH = ["search", "--config", "small.yaml"]


@pytest.fixture(scope="module")
def project(new_extracted: Callable[[], Path], enter: Callable[..., None]) -> Path:
    """Searched twice: three trials, then on to seven."""
    folder, patch = new_extracted(), pytest.MonkeyPatch()
    enter(folder, patch)
    (folder / "small.yaml").write_text(yaml.safe_dump(SETTINGS))
    assert main([*SEARCH, "--n-trials", "3", "--n-seeds", "1"]) == 0
    assert main(SEARCH) == 0
    patch.undo()
    return folder


@pytest.fixture
def finished(
    project: Path, enter: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> FinishedRun:
    enter(project, monkeypatch)
    return newest_finished("search")


def study_of(project: Path, name: str = "small") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{project}/data/optuna/{name}.db")


def states_of(project: Path, name: str) -> list[str]:
    """Of a study's trials; none before it exists."""
    try:
        return [trial.state.name for trial in study_of(project, name).trials]
    except KeyError:
        return []


def trial_runs(study: str) -> dict[str, Any]:
    """The runs of a study's trials, by id."""
    store = open_store()
    found = store.client.search_runs([store.experiment_id], f"tags.`optuna.study` = '{study}'")
    return {run.info.run_id: run for run in found if "optuna.trial" in run.data.tags}


@pytest.mark.slow
def test_the_study_has_its_number_and_no_more(finished: FinishedRun, project: Path) -> None:
    trials = study_of(project).trials
    assert [trial.state.name in ("COMPLETE", "PRUNED") for trial in trials] == [True] * 7
    assert trials[0].params["width"] == 128
    assert trials[0].params["learning_rate"] == 0.01


@pytest.mark.slow
def test_trials_and_runs_name_each_other(finished: FinishedRun, project: Path) -> None:
    study, runs = study_of(project), trial_runs("small")
    assert len(runs) == 7
    for trial in study.trials:
        run = runs[trial.user_attrs["mlflow_run_id"]]
        assert run.data.tags["optuna.trial"] == str(trial.number)
        assert run.data.tags["optuna.storage"].endswith("data/optuna/small.db")
        expected = {"COMPLETE": "FINISHED", "PRUNED": "KILLED"}[trial.state.name]
        assert run.info.status == expected
        assert run.data.params["settings.loss"] == trial.params["loss"]
        if trial.state.name == "COMPLETE":
            assert run.data.metrics["everyday_ssim_mae"] == pytest.approx(trial.value)
        parent = open_store().client.get_run(run.data.tags["mlflow.parentRunId"])
        assert parent.data.tags["stage"] == "search"


@pytest.mark.slow
def test_the_winner_is_trained_over_the_seeds_and_reported(
    finished: FinishedRun, project: Path
) -> None:
    study = study_of(project)
    said = json.loads(finished.artifact("search.json").read_text())
    assert said["study"]["best"]["number"] == study.best_trial.number
    assert said["winner"]["seeds"] == [42, 43, 44]
    values = said["winner"]["validation"]["everyday_ssim_mae"]
    assert len(values) == len(set(values)) == 3
    assert finished.metrics["winner.validation.everyday_ssim_mae.mean"] == pytest.approx(
        np.mean(values)
    )
    assert finished.metrics["winner.validation.everyday_ssim_mae.std"] == pytest.approx(
        np.std(values, ddof=1)
    )
    assert len(said["winner"]["test"]["everyday_ssim_mae"]) == 3
    if said["winner"]["settings"] != said["defaults"]["settings"]:
        assert said["defaults"]["test"] == {}
    assert said["n_test_looks"] == 2
    page = (project / "reports" / finished.run_id / "search.html").read_text()
    assert "looked at for this study 2 times" in page
    assert said["verdict"] in page


@pytest.mark.slow
def test_train_can_use_what_is_written(finished: FinishedRun, project: Path) -> None:
    path = project / "reports" / finished.run_id / "best.yaml"
    assert path.read_text() == finished.artifact("best.yaml").read_text()
    chosen = study_of(project).best_trial.params
    train = load_settings(path).train
    assert train.epochs == 3
    assert train.loss == chosen["loss"]
    assert train.learning_rate == chosen["learning_rate"]
    assert len(train.hidden_dims.split("-")) == chosen["depth"]
    said = json.loads(finished.artifact("search.json").read_text())
    assert said["command"] == f"svg-quality train --config reports/{finished.run_id}/best.yaml"


@pytest.mark.slow
def test_other_settings_of_train_need_another_study(
    finished: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SEARCH, "--epochs", "3"]) == 2
    assert "and epochs of small is 2, not 3: name another --study" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_share_a_study_and_a_kill_loses_none(
    finished: FinishedRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM in the middle: every run ended, no worker left; the next call fills the study."""
    asked = [str(BIN / "svg-quality"), *SEARCH, "--study", "shared", "--n-trials", "6",
             "--n-workers", "2", "--n-seeds", "1"]  # fmt: skip
    search = subprocess.Popen(asked, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 240
        while "COMPLETE" not in states_of(project, "shared"):
            assert time.monotonic() < deadline
            assert search.poll() is None
            time.sleep(0.2)
        search.send_signal(signal.SIGTERM)
        assert search.wait(120) == 143
    finally:
        search.kill()
        search.wait(20)
    assert "RUNNING" not in states_of(project, "shared")
    assert {run.info.status for run in trial_runs("shared").values()} <= {
        "FINISHED", "KILLED"
    }  # fmt: skip
    capsys.readouterr()
    assert main(asked[1:]) == 0
    assert "| 0/6 [" not in capsys.readouterr().err  # the bar goes on too
    trials = study_of(project, "shared").trials
    done = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(done) == 6
    runs = trial_runs("shared")
    assert all(trial.user_attrs["mlflow_run_id"] in runs for trial in done)
    assert len({trial.user_attrs["mlflow_run_id"] for trial in done}) == 6
    assert len({trial.user_attrs["owner_pid"] for trial in trials if trial.params}) > 1


def test_workers_that_cannot_start_say_why() -> None:
    unsendable: Any = lambda: None  # noqa: E731
    with (
        pytest.raises((AttributeError, pickle.PicklingError), match="pickle"),
        _workers(unsendable, 2),
    ):
        pass


@pytest.mark.slow
def test_the_dashboard_starts_on_the_study(finished: FinishedRun, project: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = subprocess.Popen(
        [BIN / "optuna-dashboard", f"sqlite:///{project}/data/optuna/small.db",
         "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            assert served.poll() is None
            try:
                address = f"http://127.0.0.1:{port}/api/studies"
                with urllib.request.urlopen(address, timeout=5) as answer:
                    studies = json.load(answer)["study_summaries"]
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.3)
    finally:
        os.killpg(served.pid, signal.SIGTERM)
        served.wait(20)
    assert [study["study_name"] for study in studies] == ["small"]


def repeated(name: str, *values: float) -> Repeated:
    return Repeated(name, {"loss": name}, (0, 1, 2), {"everyday_ssim_mae": values}, {})


@pytest.mark.parametrize(
    ("winner", "start", "said"),
    [
        ((0.010, 0.011, 0.012), (0.020, 0.021, 0.023), r"winner beats .* -0\.0103 over 3 seeds"),
        ((0.020, 0.021, 0.023), (0.010, 0.011, 0.012), r"winner is worse than .*\+0\.0103"),
        ((0.010, 0.020, 0.030), (0.012, 0.025, 0.021), r"no clear gain .*\+0\.0007"),
        ((0.010, 0.020), (0.012, 0.025), "too few seeds to tell"),
    ],
)
def test_verdicts(winner: tuple[float, ...], start: tuple[float, ...], said: str) -> None:
    assert re.search(said, verdict(repeated("a", *winner), repeated("b", *start)))


def test_no_verdict_on_the_same_settings() -> None:
    same = repeated("a", 0.1, 0.2, 0.3)
    assert verdict(same, same) == "No trial beat the settings the search began from."


def test_a_password_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.yaml").write_text("{}")
    url = "postgresql+psycopg://me:word@host/db"
    assert main(["search", "--config", "empty.yaml", "--storage", url]) == 2
    assert "a url must hold no password" in capsys.readouterr().err
