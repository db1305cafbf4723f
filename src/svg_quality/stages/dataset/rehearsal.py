"""A rehearsal of the whole product on a few logos: its components once, a line for each.

Left out are those that want more logos (`augment`, `finetune`) or look at the network alone, for
long (`validate`, `export-model`).

It runs in the working directory, which should be an empty one, and in the tracking store that
the environment names: `verify-pipeline` starts it as a process of its own, so that it meets
neither the project's data nor its store.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from urllib.request import Request, urlopen

from svg_quality.errors import SvgQualityError, TrackingError
from svg_quality.settings import Settings
from svg_quality.stages.console import say
from svg_quality.stages.dispatch import module_of, stage_of
from svg_quality.stages.pipeline import run_stage
from svg_quality.tracking.lookup import newest_finished

LOGOS: Final = "logos"
FAILED: Final = "FAILED"
_BACKUPS: Final = "backups"
_SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {  # small, and fair to so few logos
    "collect": {"logs": "data/conversions/log.jsonl", "images": LOGOS},
    "convert": {"logos": LOGOS, "jpeg_share": 0.0, "sets_per_image": 8},
    "inventory": {"n_recommended": 8},
    "clean": {"n_remeasured": 4},
    "dataset": {"name": "rehearsal", "version": "1.0.0", "n_folds": 3, "upload": False},
    "export": {"upload": False},
    "qa": {"n_remeasured": 4},
    "extract": {"weights": "random"},
    "analyse": {"n_components": 2, "n_repeats": 1},
    # One logo is left to calibrate on: that is enough for an interval that holds half the time.
    "train": {"epochs": 2, "interval": 0.5, "hidden_dims": "16"},
    "search": {"n_trials": 2, "epochs": 1, "n_seeds": 1},
    "cross_validate": {"n_draws": 20},
    "compare": {"n_draws": 20},
    "promote": {"force": True, "n_draws": 20},  # one test logo proves nothing
    "ab_report": {"n_draws": 20},
    "monitor": {"n_draws": 20},
    "verify": {"release": "data/releases/rehearsal/1.0.0"},
    "backup": {"target": _BACKUPS},
    "optimize": {"output": "optimized.svg"},
}


@dataclass(frozen=True, slots=True)
class Part:
    """One component and how it went."""

    name: str
    seconds: float
    said: str  # its first line, or why it failed
    failed: bool


def rehearse() -> int:
    """Run every component in order; gives the exit code, 1 where one fails.

    A component that fails ends the rehearsal: those after it would only fail for its reason.
    """
    for part in _parts():
        verdict = FAILED if part.failed else "ok"
        say(f"{part.name:<14} {verdict:<6} {part.seconds:5.1f} s  {part.said}")
        if part.failed:
            return 1
    return 0


def _parts() -> Iterator[Part]:
    settings = Settings.model_validate(_SETTINGS)
    for name in ("convert", "collect", "inventory", "clean", "inspect", "dataset", "export", "qa",
                 "extract", "analyse", "train", "search", "cross-validate",
                 "evaluate", "promote"):  # fmt: skip
        yield _run(name, lambda name=name: _stage(name, settings))  # type: ignore[misc]
    yield _run("compare", lambda: _compare(settings))
    yield _run("predict", _predict)
    yield _run("rollback", lambda: _rollback(settings))
    yield _run("history", lambda: _command("history", settings))
    for name in ("optimize", "explain"):
        yield _run(name, lambda name=name: _on_one_logo(name, settings))  # type: ignore[misc]
    yield _run("serve", _serve)
    for name in ("ab-report", "monitor"):
        yield _run(name, lambda name=name: _stage(name, settings))  # type: ignore[misc]
    yield _run("backup", lambda: _stage("backup", settings))
    yield _run("restore", lambda: _restore(settings))
    yield _run("verify", lambda: _stage("verify", settings))  # of what was just brought back


def _stage(name: str, settings: Settings) -> None:
    run_stage(stage_of(name), settings)


def _compare(settings: Settings) -> None:
    """Predictions of two runs on the same split: those of one model, kept twice."""
    runs = " ".join(newest_finished(name).run_id for name in ("train", "evaluate"))
    compare = settings.compare.model_copy(update={"runs": runs})
    run_stage(stage_of("compare"), settings.model_copy(update={"compare": compare}))


def _predict() -> None:
    from svg_quality.prediction.predictor import QualityPredictor

    path = min(Path(LOGOS).iterdir())
    said = QualityPredictor().predict(path)
    say(f"predict    {path.name}: SSIM {said.ssim:.3f} ({said.ssim_low:.3f}-{said.ssim_high:.3f})")


def _command(name: str, settings: Settings) -> None:
    module_of(name).run(settings)


def _on_one_logo(name: str, settings: Settings) -> None:
    section = getattr(settings, name).model_copy(update={"logo": str(min(Path(LOGOS).iterdir()))})
    _command(name, settings.model_copy(update={name: section}))


def _rollback(settings: Settings) -> None:
    """A second version in Production for a moment."""
    again = settings.train.model_copy(update={"seed": settings.train.seed + 1})
    for name in ("train", "promote", "rollback"):
        _stage(name, settings.model_copy(update={"train": again}))


def _serve() -> None:
    """The service as a process, asked over HTTP by both versions, and told to stop."""
    command = [sys.executable, "-c", "from svg_quality.cli import main; raise SystemExit(main())"]
    options = ["serve", "--port", "0", "--challenger", "models:/svg-quality/2", "--share", "1"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = process.stdout or ()
            url = next((x.split()[1] for x in lines if x.startswith("Page:")), "")
            if not url:
                raise TrackingError("a service must say where it listens, this one did not")
            answered = _asked(url)
        finally:
            process.send_signal(signal.SIGTERM)
    said = json.loads(answered)
    say(f"serve      {url}: version {said['model_version']} answered")


def _asked(url: str) -> bytes:
    image = base64.b64encode(min(Path(LOGOS).iterdir()).read_bytes()).decode()
    for route in ("convert", "predict"):
        request = Request(
            f"{url}v1/{route}", json.dumps({"image": image}).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        with urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
    return content


def _restore(settings: Settings) -> None:
    shutil.rmtree(Path("data/releases"))
    source = str(max(Path(_BACKUPS).iterdir()))
    restore = settings.restore.model_copy(update={"source": source})
    run_stage(stage_of("restore"), settings.model_copy(update={"restore": restore}))


def _run(name: str, act: Callable[[], None]) -> Part:
    start, said, noise = perf_counter(), io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(noise):
            act()
    except SvgQualityError as error:
        return Part(name, perf_counter() - start, str(error), failed=True)
    lines = said.getvalue().splitlines()
    own = [line for line in lines if line.startswith(name)] or lines or [""]
    return Part(name, perf_counter() - start, own[0].removeprefix(name).strip(" :"), failed=False)


if __name__ == "__main__":
    sys.exit(rehearse())
