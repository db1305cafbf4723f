"""Commands that only read, started in a folder that is no project: they leave nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
NO_RUN = ["--input-run", "0" * 32, "--config", "demo.yaml"]
COMPARE = ["compare", "0" * 32, "1" * 32, "--config", "demo.yaml"]
LACKING = "mlflow.db, which does not exist yet, has no runs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A designer's: a logo, and the settings that stages do not start without."""
    logo = Image.new("RGB", (16, 16), "white")
    logo.paste("red", (4, 4, 12, 12))
    logo.save(tmp_path / "logo.png")
    shutil.copy(ROOT / "experiments" / "demo.yaml", tmp_path)
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    own = ("MLFLOW_", "SVG_QUALITY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return subprocess.Popen(
        [sys.executable, "-c", "from svg_quality.cli import main; raise SystemExit(main())",
         *arguments],
        cwd=folder, env=kept, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["history"], 0, "nobody was ever in Production"),
        (["predict", "logo.png"], 0, "needs a tracking store, and"),
        (["explain", "logo.png"], 2, "an explanation must have a model"),
        (["optimize", "logo.png", "--no-log"], 2, "no answer  No model was asked"),
        pytest.param(["evaluate", *NO_RUN], 2, LACKING, marks=pytest.mark.slow),
        pytest.param(COMPARE, 2, LACKING, marks=pytest.mark.slow),
    ],
)
def test_a_command_that_only_reads_leaves_nothing(
    folder: Path, arguments: list[str], code: int, said: str
) -> None:
    before = sorted(folder.iterdir())
    process = start(folder, *arguments)
    told, _ = process.communicate(timeout=120)
    assert (process.returncode, said in told) == (code, True), told
    assert sorted(folder.iterdir()) == before


@pytest.mark.slow
def test_serving_without_a_model_leaves_nothing(folder: Path) -> None:
    before = sorted(folder.iterdir())
    process = start(folder, "serve", "--port", "0")
    assert process.stdout is not None
    told = list(takewhile(lambda line: line != "Ctrl-C stops it.\n", process.stdout))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert any("predictions are unavailable" in line for line in told)
    assert sorted(folder.iterdir()) == before
