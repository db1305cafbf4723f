"""`qa`: a release against thresholds of quality, safety, privacy and bias."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pandas as pd

from svg_quality.conversion.workers import worker_count
from svg_quality.dataset.assurance.qa_checks import Section
from svg_quality.dataset.assurance.quality_assurance import (
    QaReport,
    assure_quality,
    limit_text,
    read_thresholds,
    write_qa,
)
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.errors import CheckError, TrackingError
from svg_quality.settings import QaSettings, Settings
from svg_quality.stages.console import progress, say
from svg_quality.stages.dataset.dataset import DATASET
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.identity import file_digest
from svg_quality.tracking.lookup import newest_finished

METRICS: Final = "evaluation/metrics.json"  # artifact of `train` and of `evaluate`
MIN_ROWS: Final = 30  # of a logo type, below which its error is left out
SET_ASIDE: Final = "set_aside.parquet"


def _qa(context: StageContext) -> None:
    settings: QaSettings = context.settings
    thresholds = read_thresholds(Path(settings.thresholds) if settings.thresholds else None)
    release = read_release(context.source.output_path)
    context.run.log_dataset(release.name, release.digest, release.path, "quality assurance")
    errors, model = newest_errors()
    aside = release.path / SET_ASIDE
    report = assure_quality(
        release.conversions,
        release.images,
        LogoLibrary(context.data / "logos"),
        thresholds,
        n_remeasured=settings.n_remeasured,
        n_workers=worker_count(settings.n_workers),
        seed=settings.seed,
        errors_by_type=errors,
        set_aside=pd.read_parquet(aside) if aside.is_file() else None,
        model=model,
        track=progress,
    )
    page = _keep(context, report, release)
    for section in report.sections:
        say(f"qa         {section.name:<8} {_sentence(section)}")
    say(f"qa         {release.name} {release.version}: {page}")
    if not report.passed:
        raise CheckError(
            f"a release must keep every threshold, {release.name} {release.version} misses"
            f" {len(report.failed)}: {', '.join(report.failed)} (the rows are in {page})"
        )


def newest_errors() -> tuple[dict[str, float] | None, str]:
    """Mean absolute SSIM error by logo type of the newest evaluated model, and which it is.

    Types of fewer than ``MIN_ROWS`` evaluated rows are left out. None where there is no model.
    """
    try:
        run = newest_finished("evaluate", "train")
        metrics: dict[str, Any] = json.loads(run.artifact(METRICS).read_text(encoding="utf-8"))
    except TrackingError:
        return None, ""
    lines = metrics.get("groups", {}).get("Logo type", [])
    errors = {
        str(line["name"]): float(line["full"]["mae"])
        for line in lines
        if line["full"]["n"] >= MIN_ROWS
    }
    return errors, f"as run {run.run_id} of `{run.stage}` found"


def _keep(context: StageContext, report: QaReport, release: Release) -> Path:
    """Write the report, keep it and its figures with the run; gives the page's path."""
    title = f"Quality of {release.name} {release.version}"
    written = write_qa(report, context.reports / context.run.run_id, title)
    for path in written.values():
        context.run.log_artifact(path)
    context.run.log_metrics(
        {
            "passed": float(report.passed),
            "failed": len(report.failed),
            **{
                f"{section.name}.{check.name}": check.value
                for section in report.sections
                for check in section.checks
                if check.value is not None
            },
        }
    )
    context.run.set_tags({"qa.verdict": "pass" if report.passed else "fail"})
    context.run.set_output(file_digest(written["metrics"]), written["metrics"])
    return written["html_report"]


def _sentence(section: Section) -> str:
    """Its verdict, and what missed a limit or could not be taken."""
    by_outcome = {
        outcome: [check for check in section.checks if check.outcome == outcome]
        for outcome in ("fail", "warn", "not measured")
    }
    missed = [
        f"{check.name} {check.value:.4g} ({limit_text(check)})"
        for check in by_outcome["fail"] + by_outcome["warn"]
        if check.value is not None
    ]
    unknown = [check.name for check in by_outcome["not measured"]]
    said = [f"{section.outcome}: {', '.join(missed) or f'{len(section.checks)} checks'}"]
    return "; ".join([*said, *([f"not measured: {', '.join(unknown)}"] if unknown else [])])


def _own_digests(settings: Settings) -> dict[str, str]:
    path = settings.qa.thresholds
    text = Path(path).read_bytes() if path and Path(path).is_file() else b""
    return {"thresholds": hashlib.sha256(text).hexdigest()}


QA = Stage(
    name="qa",
    after=(DATASET,),
    code=("conversion", "dataset", "stages/dataset/qa.py"),
    act=_qa,
    own_digests=_own_digests,
)
