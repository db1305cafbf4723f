"""`verify-pipeline`: four logos through every component, in a temporary directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from svg_quality.conversion.images import WORKING_SIZE
from svg_quality.dataset.logos import LogoFile, choose_logos, discover_logos
from svg_quality.dataset.survey import logo_image
from svg_quality.errors import CheckError, DatasetError, ImageError
from svg_quality.settings import VerifyPipelineSettings
from svg_quality.stages.console import say
from svg_quality.stages.dataset.rehearsal import FAILED, LOGOS
from svg_quality.stages.pipeline import Stage, StageContext

_N_LOGOS: Final = 4
_SEED: Final = 42


def _verify(context: StageContext) -> None:
    settings: VerifyPipelineSettings = context.settings
    candidates = choose_logos(discover_logos(settings.logos), frozenset(), 4 * _N_LOGOS, _SEED)
    logos = list(islice(filter(_can_be_converted, candidates), _N_LOGOS))
    if len(logos) < _N_LOGOS:
        raise DatasetError(f"a rehearsal needs {_N_LOGOS} logos, {settings.logos} has {len(logos)}")
    start, lines = perf_counter(), []
    with TemporaryDirectory(prefix="svg-quality-") as scratch:
        folder = Path(scratch) / LOGOS
        folder.mkdir()
        for number, logo in enumerate(logos):
            shutil.copy(logo.path, folder / f"{number}-{logo.path.name}")
        for line in _rehearsal(Path(scratch)):
            say(line)
            lines.append(line)
    failed = [line for line in lines if FAILED in line]
    seconds = perf_counter() - start
    context.run.log_metrics({"components_ok": len(lines) - len(failed), "seconds": seconds})
    context.run.log_json(lines, "components.json")
    if failed:
        raise CheckError(f"every component must work on {_N_LOGOS} logos; {failed[0]}")
    context.run.set_output("verified")
    say(f"verify-pipeline: all {len(lines)} components work, {seconds:.0f} s")


def _can_be_converted(logo: LogoFile) -> bool:
    try:
        logo_image(logo, WORKING_SIZE)
    except ImageError:
        return False
    return True


def _rehearsal(folder: Path) -> Iterator[str]:
    """Its lines, as they come; it has the folder and a store there to itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    own = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlruns/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    line = ""
    with (
        (folder / "stderr.txt").open("w+") as noise,
        subprocess.Popen(
            [sys.executable, "-m", "svg_quality.stages.dataset.rehearsal"],
            cwd=folder, env=kept | own, stdout=subprocess.PIPE, stderr=noise, text=True,
        ) as process,
    ):  # fmt: skip
        for line in process.stdout or ():
            yield line.rstrip()
        if process.wait() != 0 and FAILED not in line:  # it died without a word
            noise.seek(0)
            yield f"rehearsal  {FAILED} {(noise.read().strip().splitlines() or ['no reason'])[-1]}"


VERIFY_PIPELINE = Stage(
    name="verify-pipeline",
    after=(),
    code=("stages/dataset/rehearsal.py", "stages/dataset/verify_pipeline.py"),
    act=_verify,
)
