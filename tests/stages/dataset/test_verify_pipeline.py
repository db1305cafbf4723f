"""The rehearsal as an operator runs it: a line for each component, and a verdict."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from svg_quality.cli import STAGES, main
from svg_quality.dataset.logos import discover_logos
from svg_quality.settings import COMMANDS
from svg_quality.stages.dataset.rehearsal import Part, rehearse
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.store import open_store

COMPONENTS = {*STAGES, *COMMANDS, "predict"} - {
    "augment", "finetune",  # want more logos
    "validate", "export-model",  # look at the network alone, for long
    "verify-pipeline",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.alone
def test_every_component_has_its_line_within_90_seconds(
    tmp_path: Path, bare_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    done = subprocess.run(
        ["svg-quality", "verify-pipeline", "--config",
         Path(__file__).parents[3] / "experiments/demo.yaml"],
        env=bare_environment | {"MLFLOW_TRACKING_URI": os.environ["MLFLOW_TRACKING_URI"]},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.perf_counter() - start < 90
    lines = done.stdout.splitlines()
    named = [line.split()[0] for line in lines[:-1]]
    assert set(named) == COMPONENTS
    assert len(named) == len(set(named))
    assert all(re.match(r"\S+ +ok +\d+\.\d s  \S", line) for line in lines[:-1])
    assert lines[-1].startswith(f"verify-pipeline: all {len(COMPONENTS)} components work")
    assert newest_finished("verify-pipeline").metrics["components_ok"] == len(COMPONENTS)
    # It left nothing: neither data nor runs of its stages in the caller's store.
    assert not (tmp_path / "data").exists()
    store = open_store()
    stages = {run.data.tags["stage"] for run in store.client.search_runs([store.experiment_id])}
    assert stages == {"verify-pipeline"}


@pytest.mark.slow
def test_a_component_that_fails_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four times the same logo: there is nothing to split."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "same").mkdir()
    for number in range(4):
        shutil.copy(discover_logos("diagrams")[0].path, tmp_path / "same" / f"{number}.png")
    config = str(Path(__file__).parents[3] / "experiments/demo.yaml")
    assert main(["verify-pipeline", "--config", config, "--logos", "same"]) == 1
    said = capsys.readouterr()
    assert re.search(r"^dataset +FAILED .*a split needs at least 3", said.out, re.MULTILINE)
    assert "every component must work on 4 logos; dataset" in said.err
    assert "extract" not in said.out


def test_too_few_logos_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few").mkdir()
    shutil.copy(discover_logos("diagrams")[0].path, tmp_path / "few")
    config = str(Path(__file__).parents[3] / "experiments/demo.yaml")
    assert main(["verify-pipeline", "--config", config, "--logos", "few"]) == 2
    assert "a rehearsal needs 4 logos, few has 1" in capsys.readouterr().err


def test_the_rehearsal_ends_at_the_first_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [Part("a", 0.1, "done", False), Part("b", 0.2, "broke", True), Part("c", 0, "", False)]
    monkeypatch.setattr("svg_quality.stages.dataset.rehearsal._parts", lambda: iter(parts))
    assert rehearse() == 1
    assert capsys.readouterr().out.splitlines() == [
        "a              ok       0.1 s  done", "b              FAILED   0.2 s  broke",
    ]  # fmt: skip
