"""A stage's run: what it holds, how it ends, and the three ways it is opened."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import Run

from svg_quality.errors import TrackingError
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import finished_run
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import open_store
from svg_quality.tracking.termination import Terminated

Shell = Callable[..., subprocess.Popen[str]]

WORK = Work(
    "train", {"epochs": 5, "optimizer": {"lr": 0.1}}, {"extract": "run-1"}, {"extract": "d"}
)
HOLD = """
import sys
from svg_quality.tracking.identity import Work
from svg_quality.tracking.runs import stage_run
with stage_run(Work("main", {})), stage_run(Work("train", {}), nested=True) as run:
    print(run.run_id, flush=True)
    sys.stdin.readline()
"""


def read(run_id: str) -> Run:
    return open_store().client.get_run(run_id)


def only_run() -> Run:
    store = open_store()
    (run,) = store.client.search_runs([store.experiment_id])
    return run


def test_a_run_says_what_was_done_and_by_whom(project: Path) -> None:
    with stage_run(WORK) as run:
        assert read(run.run_id).info.status == "RUNNING"
    done = read(run.run_id)
    assert (done.info.status, done.info.run_name) == ("FINISHED", "train")
    assert done.data.params == {"settings.epochs": "5", "settings.optimizer.lr": "0.1"}
    expected = {
        "stage": "train",
        "fingerprint": WORK.fingerprint,
        "input.extract": "run-1",
        "input.extract.digest": "d",
        "owner.pid": str(os.getpid()),
    }
    assert expected.items() <= done.data.tags.items()
    assert "env.manager" not in done.data.tags  # our stand-in for conda was not used


def test_what_is_logged_can_be_read(project: Path) -> None:
    page = project / "page.html"
    page.write_text("<p>")
    folder = project / "plots"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.txt").write_text("a")
    with stage_run(WORK) as run:
        run.log_history([{"loss": 1.0, "mae": 0.5}, {"loss": 0.25}])
        run.log_metrics({"mae": 0.125}, step=7)
        run.log_artifact(page)
        run.log_artifact(folder, "plots")
        run.log_json({"ssim": 0.9}, "metrics.json")
        run.log_dataset("release", "0123456789" * 7, project / "data", "training")
        run.set_output("out-digest", project / "data")
    client = open_store().client
    history = [(m.step, m.value) for m in client.get_metric_history(run.run_id, "loss")]
    assert sorted(history) == [(0, 1.0), (1, 0.25)]
    found = finished_run(run.run_id)
    assert found.metrics["mae"] == 0.125
    assert found.artifact("page.html").read_text() == "<p>"
    assert found.artifact("plots/deep/a.txt").read_text() == "a"
    assert found.artifact("settings.json").is_relative_to(project / "mlruns" / "artifacts")
    assert (found.output_digest, found.output_path) == ("out-digest", project / "data")
    (used,) = read(run.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("release", ("0123456789" * 7)[:36])
    assert found.tags["dataset.release.digest"] == "0123456789" * 7


def test_more_than_a_batch_of_settings_and_numbers_is_kept(project: Path) -> None:
    settings = {f"s{i}": i for i in range(230)}
    with stage_run(Work("train", settings)) as run:
        run.log_history([{"loss": float(i)} for i in range(2300)])
    assert len(read(run.run_id).data.params) == 230
    assert len(open_store().client.get_metric_history(run.run_id, "loss")) == 2300


def test_a_very_long_setting_does_not_stop_a_run(project: Path) -> None:
    names = ["x" * 100] * 100
    with stage_run(Work("train", {"names": names})) as run:
        pass
    assert '"' + "x" * 100 in finished_run(run.run_id).artifact("settings.json").read_text()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no such backbone"), "FAILED"),
        (SystemExit(3), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(0), "FINISHED"),
    ],
)
def test_a_run_ends_as_its_body_does(project: Path, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), stage_run(WORK):
        raise error
    run = only_run()
    assert run.info.status == status
    assert ("error" in run.data.tags) is (status != "FINISHED")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_failed_child_fails_its_parent_and_says_why(project: Path) -> None:
    def body() -> None:
        with stage_run(Work("main", {})), stage_run(WORK, nested=True):
            raise ValueError("no such backbone")

    with pytest.raises(ValueError, match="no such backbone"):
        body()
    store = open_store()
    runs = {run.data.tags["stage"]: run for run in store.client.search_runs([store.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {
        "main": "FAILED",
        "train": "FAILED",
    }
    assert runs["train"].data.tags["error"] == "ValueError: no such backbone"
    assert runs["train"].data.tags["mlflow.parentRunId"] == runs["main"].info.run_id


def test_the_run_that_mlflow_run_made_is_used(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    made = store.client.create_run(store.experiment_id).info.run_id
    store.client.log_param(made, "epochs", "'5'")  # as MLflow writes it: quoted for the shell
    monkeypatch.setenv("MLFLOW_RUN_ID", made)
    monkeypatch.setenv("SVG_QUALITY_ENV_MANAGER", "local")  # conda/etc/profile.d/conda.sh
    with stage_run(WORK) as run, stage_run(Work("inner", {}), nested=True) as child:
        assert run.run_id == made != child.run_id
    tags = read(made).data.tags
    assert (tags["env.manager"], tags["mlflow.project.env"]) == ("local", "local")
    assert read(made).info.status == "FINISHED"
    assert read(made).data.params["settings.epochs"] == "5"


def test_a_run_id_of_another_store_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    with pytest.raises(TrackingError, match="a run of `train` must start"), stage_run(WORK):
        pass


class SignalWhileFreed:
    """Python drops what the handler raises there."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("rest_s", [0.0, 30.0])
def test_a_sigterm_inside_a_finalizer_is_not_lost(project: Path, rest_s: float) -> None:
    def body() -> None:
        with stage_run(WORK):
            SignalWhileFreed()
            time.sleep(rest_s)

    start = time.perf_counter()
    with pytest.raises(Terminated):
        body()
    assert time.perf_counter() - start < 25
    assert only_run().info.status == "KILLED"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.slow
def test_sigterm_ends_the_run_and_its_parent_as_killed(project: Path, shell: Shell) -> None:
    process = shell(HOLD)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert read(run_id).info.status == "KILLED"
    assert read(read(run_id).data.tags["mlflow.parentRunId"]).info.status == "KILLED"
