"""`monitor`: whether the model in Production is asked what it knows, and is as right as it was.

Drift of inputs or of errors is a finding: the command then ends with exit code 1, as `qa` does,
so that a scheduler can act on it. Too little to tell is no finding.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svg_quality.errors import CheckError, TrackingError
from svg_quality.settings import Settings
from svg_quality.settings.using import MonitorSettings
from svg_quality.stages.console import say
from svg_quality.stages.learning.assess import ARTIFACTS
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.lookup import finished_run
from svg_quality.tracking.resolve import ResolvedModel, resolve

if TYPE_CHECKING:
    import pandas as pd

    from svg_quality.evaluation.live.monitor_page import Monitored
    from svg_quality.serving.outcomes import ServedPictures


def _monitor(context: StageContext) -> None:
    from svg_quality.evaluation.live.monitor_page import monitor_lines, write_monitor

    everything: Settings = context.everything
    told, pictures = _monitored(context, _registered(everything.predictor.model))
    folder = context.reports / context.run.run_id
    written = write_monitor(told, pictures.reference, pictures.served, folder)
    for path in written.values():
        context.run.log_artifact(path, "monitor")
    context.run.log_metrics(_metrics(told))
    context.run.set_tags(
        {"monitor.version": told.version, "monitor.inputs": told.inputs.verdict,
         "monitor.errors": told.errors.verdict}
    )  # fmt: skip
    for line in monitor_lines(told):
        say(f"monitor    {line}")
    for note in told.notes:
        say(f"monitor    note: {note}")
    say(f"monitor    page: {written['html_report']}")
    _check(told, written["html_report"])


def _monitored(context: StageContext, model: ResolvedModel) -> tuple[Monitored, ServedPictures]:
    from svg_quality.evaluation.live.drift import input_drift
    from svg_quality.evaluation.live.errors import live_errors
    from svg_quality.evaluation.live.joining import KEY_NAMES
    from svg_quality.evaluation.live.monitor_page import Monitored
    from svg_quality.prediction.bundle import Bundle
    from svg_quality.serving.outcomes import learned_by, served_outcomes, served_pictures
    from svg_quality.serving.prediction_log import PredictionLog

    settings: MonitorSettings = context.settings
    everything: Settings = context.everything
    version = f"{model.name} {model.version}"
    since = datetime.now(UTC) - timedelta(days=settings.days) if settings.days else None
    max_distance = everything.dataset.max_distance
    joined, _ = served_outcomes(context.data, max_distance, since)
    learned = learned_by(version, context.data)
    mine = joined.rows[joined.rows["version"] == version]
    mine = mine.drop_duplicates(list(KEY_NAMES))  # a champion answers in two roles
    log, reference = PredictionLog(context.data), Bundle(model.path).reference
    pictures = served_pictures(log, version, reference, learned, max_distance, since)
    told = Monitored(
        version=version,
        days=settings.days,
        inputs=input_drift(pictures.reference, pictures.served, pictures.unlike),
        errors=live_errors(mine, _test_predictions(model), settings.n_draws),
        counts=replace(joined, rows=mine).counts,
        notes=[learned.note] if learned.note else [],
        n_draws=settings.n_draws,
    )
    return told, pictures


def _registered(model: str) -> ResolvedModel:
    found = resolve(model)
    if found.version is None or found.run_id is None:
        raise TrackingError(
            f"`monitor` needs a registered version, for its run holds the test split; {model} is"
            " a folder"
        )
    return found


def _test_predictions(model: ResolvedModel) -> pd.DataFrame:
    """What this version said of its test split, kept with its run."""
    from svg_quality.evaluation.comparing.predictions import FILE_NAME, read_predictions

    run = finished_run(str(model.run_id))
    return read_predictions(run.artifact(f"{ARTIFACTS}/{FILE_NAME}")).rows


def _metrics(told: Monitored) -> dict[str, float]:
    found: dict[str, Any] = {
        "inputs.drifted_numbers": len(told.inputs.drifted),
        "inputs.max_psi": max((line.psi for line in told.inputs.numbers), default=None),
        "inputs.unlike_share": told.inputs.unlike.share if told.inputs.unlike else None,
        "errors.n_conversions": told.errors.n,
        "errors.n_logos": told.errors.n_groups,
        "errors.bias": told.errors.bias,
        "errors.coverage": told.errors.coverage.found.value if told.errors.coverage else None,
    }
    for line in told.errors.beside:
        name = line.name.replace(" ", "_").lower()
        found |= {f"errors.{name}.mae": line.live, f"errors.{name}.test_mae": line.test}
    return {name: float(value) for name, value in found.items() if value is not None}


def _check(told: Monitored, page: Path) -> None:
    if told.drifted:
        what = [
            f"{name}: {part.reason}"
            for name, part in (("inputs", told.inputs), ("errors", told.errors))
            if part.verdict == "drift"
        ]
        raise CheckError(
            f"inputs and errors must be as in training, those of {told.version} drifted:"
            f" {'; '.join(what)} (more is in {page})"
        )


MONITOR = Stage(
    name="monitor",
    after=(),
    code=("evaluation", "serving/outcomes.py", "stages/using/monitor.py"),
    act=_monitor,
)
