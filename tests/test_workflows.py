"""What GitHub would run, run here: the commands of the dataset workflow, in order."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
JOBS = yaml.safe_load((ROOT / ".github/workflows/dataset-pipeline.yml").read_text())["jobs"]


def test_the_jobs_are_those_of_the_runbook_in_order() -> None:
    assert list(JOBS) == [
        "verify-pipeline", "test-export", "manifest-check", "qa-report", "upload-artifacts",
    ]  # fmt: skip
    assert "needs" not in JOBS["verify-pipeline"]
    for earlier, later in zip(list(JOBS), list(JOBS)[1:], strict=False):
        assert later == "qa-report" or earlier in JOBS[later]["needs"]


@pytest.mark.slow
def test_the_commands_of_the_workflow_run_in_order(
    tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    """But for the installation and for `verify-pipeline`, which has a test of its own."""
    shutil.copy(ROOT / "MLproject", tmp_path)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    steps = [step.get("run", "") for job in JOBS.values() for step in job["steps"]]
    commands = [step for step in steps if ".venv/bin/svg-quality" in step]
    assert len(commands) == 6
    for command in commands[1:]:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=bare_environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    kept = {x["with"]["path"] for job in JOBS.values() for x in job["steps"]
            if x.get("uses", "").startswith("actions/upload-artifact")}  # fmt: skip
    for path in " ".join(kept).split():
        assert any((tmp_path / path).rglob("*")), path
