"""Finding runs: the newest finished one, one to re-use, and those that a dead process left."""

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from svg_quality.errors import TrackingError
from svg_quality.tracking import lookup
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import (
    find_reusable,
    finished_run,
    input_run,
    newest_finished,
    sweep_stale,
)
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import open_store

Shell = Callable[..., subprocess.Popen[str]]

HOLD = """
import sys
from svg_quality.tracking.identity import Work
from svg_quality.tracking.runs import stage_run
with stage_run(Work("main", {})), stage_run(Work("train", {}), nested=True):
    print(flush=True)
    sys.stdin.readline()
"""


def finish(stage: str, **settings: object) -> str:
    with stage_run(Work(stage, settings)) as run:
        run.set_output(f"digest of {stage}")
    return run.run_id


def test_the_newest_finished_run_is_found(project: Path) -> None:
    finish("extract")
    time.sleep(0.002)  # MLflow's clock has milliseconds
    last = finish("extract", seed=2)
    with pytest.raises(ValueError, match="stop"), stage_run(Work("extract", {})):
        raise ValueError("stop")
    finish("train")
    assert newest_finished("extract").run_id == last
    assert newest_finished("extract").output_digest == "digest of extract"
    assert newest_finished("extract").params == {"settings.seed": "2"}


def test_a_missing_input_is_named_with_its_remedy(project: Path) -> None:
    rule = (
        "^`train` needs a finished `extract` run, and experiment svg-quality has none: run"
        " `svg-quality extract` or `mlflow run . -e main` first$"
    )
    with pytest.raises(TrackingError, match=rule):
        newest_finished("extract", needed_by="train")


def test_the_same_work_is_found_again_only_when_finished(project: Path) -> None:
    work = Work("train", {"epochs": 3}, digests={"extract": "d"}, code="c")
    assert find_reusable(work.fingerprint) is None
    with pytest.raises(ValueError, match="stop"), stage_run(work):
        raise ValueError("stop")
    assert find_reusable(work.fingerprint) is None
    with stage_run(work) as run:
        assert find_reusable(work.fingerprint) is None
    found = find_reusable(work.fingerprint)
    assert found is not None
    assert (found.run_id, found.fingerprint) == (run.run_id, work.fingerprint)
    shutil.rmtree(project / "mlruns" / "artifacts")
    assert find_reusable(work.fingerprint) is None


def test_the_users_input_is_checked(project: Path) -> None:
    extract, train = finish("extract"), finish("train")
    assert input_run(["extract"], extract, "train").run_id == extract
    assert input_run(["extract"], None, "train").run_id == extract
    with pytest.raises(TrackingError, match=f"needs a run of `extract`, and {train} is one of"):
        input_run(["extract"], train, "train")
    with pytest.raises(TrackingError, match=f"run {'0' * 32} must exist"):
        finished_run("0" * 32)
    with stage_run(Work("main", {})) as run, pytest.raises(TrackingError, match="is RUNNING"):
        finished_run(run.run_id)


def test_what_a_run_does_not_have_is_refused(project: Path) -> None:
    with stage_run(Work("train", {})) as run:
        pass
    found = finished_run(run.run_id)
    with pytest.raises(TrackingError, match=r"must have the artifact model\.onnx, and .* does not"):
        found.artifact("model.onnx")
    with pytest.raises(TrackingError, match=r"must have the tag output\.digest, and has none"):
        _ = found.output_digest


def test_artifacts_of_another_kind_of_store_are_downloaded(project: Path) -> None:
    run = finished_run(finish("train", epochs=3))
    remote = lookup.FinishedRun(
        run.run_id, run.stage, run.tags, run.params, run.metrics, f"runs:/{run.run_id}", run.ended
    )
    copy = remote.artifact("settings.json")
    assert copy != run.artifact("settings.json")
    assert copy.read_text() == run.artifact("settings.json").read_text()


def test_runs_of_live_and_of_foreign_processes_are_left_alone(project: Path) -> None:
    store = open_store()
    foreign = {"owner.host": "elsewhere", "owner.pid": "1", "owner.started": "x"}
    abroad = store.client.create_run(store.experiment_id, tags=foreign).info.run_id
    by_hand = store.client.create_run(store.experiment_id, start_time=1).info.run_id
    with stage_run(Work("main", {})):
        assert sweep_stale() == []
    for run_id in (abroad, by_hand):
        assert store.client.get_run(run_id).info.status == "RUNNING"


def test_a_run_that_mlflow_run_left_before_its_stage_began_is_swept(
    project: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    store = open_store()
    tags = {"mlflow.project.entryPoint": "train"}
    old, young = 1, int(time.time() * 1000)

    def create(start: int) -> str:
        made: str = store.client.create_run(store.experiment_id, start, tags).info.run_id
        return made

    dead, new, live, named = create(old), create(young), create(old), create(old)
    monkeypatch.setenv("MLFLOW_RUN_ID", live)
    process = shell("print(flush=True); input()")
    assert process.stdout is not None
    process.stdout.readline()
    assert sweep_stale(keep=named) == [dead]
    status = {run_id: store.client.get_run(run_id).info.status for run_id in (dead, new, live)}
    assert status == {dead: "KILLED", new: "RUNNING", live: "RUNNING"}


@pytest.mark.slow
def test_runs_of_a_killed_process_are_ended_by_the_next_stage(project: Path, shell: Shell) -> None:
    process = shell(HOLD)
    assert process.stdout is not None
    process.stdout.readline()
    store = open_store()
    held = store.client.search_runs([store.experiment_id])
    assert [run.info.status for run in held] == ["RUNNING", "RUNNING"]
    process.kill()
    process.wait()
    finish("extract")
    for run in held:
        ended = store.client.get_run(run.info.run_id)
        assert ended.info.status == "KILLED"
        assert ended.data.tags["error"] == "its process died without ending it"
    assert sweep_stale() == []
