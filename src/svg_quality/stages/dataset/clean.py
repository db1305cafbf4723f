"""`clean`: which conversions cannot be learned from, or look wrong; changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pandas as pd

from svg_quality.conversion.workers import worker_count
from svg_quality.dataset.cleaning.clean import NARROW, reasons
from svg_quality.dataset.cleaning.cleaning_report import summarise, write_cleaning_report
from svg_quality.dataset.cleaning.correspondence import (
    NEEDED,
    Correspondence,
    remeasure,
    sample_rows,
)
from svg_quality.dataset.cleaning.outliers import find_outliers
from svg_quality.dataset.library import LogoLibrary
from svg_quality.settings import CleanSettings
from svg_quality.stages.console import progress, say
from svg_quality.stages.dataset.augment import AUGMENT
from svg_quality.stages.dataset.collect import COLLECT
from svg_quality.stages.dataset.convert import CONVERT, TABLE
from svg_quality.stages.pipeline import Stage, StageContext

SET_ASIDE: Final = "set_aside.parquet"
_TO_CONVERT: Final = (*NEEDED, "vtracer_version", "renderer_version")


def _clean(context: StageContext) -> None:
    settings: CleanSettings = context.settings
    path = context.source.artifact(TABLE)
    frame = pd.read_parquet(path, columns=list(NARROW))
    why = reasons(frame)
    kept = frame[why.isna()]
    outliers = find_outliers(kept, settings.outlier_distance)
    checked = _remeasured(context, path, kept)
    summary = summarise(frame, why, outliers, settings.outlier_distance, checked)
    about = {
        "table": f"run {context.source.run_id} of {context.source.stage}",
        "table digest": context.source.output_digest,
        "this run": context.run.run_id,
    }
    written = write_cleaning_report(summary, about, context.reports / context.run.run_id)
    for file in written.values():
        context.run.log_artifact(file)
    _keep_set_aside(context, frame.assign(reason=why))
    context.run.log_dataset("conversions", context.source.output_digest, path, "cleaning")
    context.run.log_metrics(_metrics(summary))
    digest = hashlib.sha256(why.fillna("").str.cat(sep="\n").encode()).hexdigest()
    context.run.set_output(digest, written["metrics"])
    _tell(summary, written["html_report"])


def _remeasured(context: StageContext, path: Path, kept: pd.DataFrame) -> Correspondence | None:
    settings: CleanSettings = context.settings
    chosen = sample_rows(kept, settings.n_remeasured, settings.seed)["conversion_id"].tolist()
    if not chosen:
        return None
    only = [("conversion_id", "in", chosen)]
    rows = pd.read_parquet(path, columns=list(_TO_CONVERT), filters=only)

    def watch(outcomes: Iterable[Any], total: int) -> Iterable[Any]:
        return progress(outcomes, total, "measuring again")

    return Correspondence(
        remeasure(
            rows,
            LogoLibrary(context.data / "logos"),
            worker_count(settings.n_workers),
            context.everything.convert.timeout_s,
            watch,
        )
    )


def _keep_set_aside(context: StageContext, frame: pd.DataFrame) -> None:
    """Every row set aside, by id, with its reason; the page only counts them."""
    aside = frame.loc[frame["reason"].notna(), ["conversion_id", "image_id", "reason"]]
    context.run.log_table(aside, SET_ASIDE)


def _metrics(summary: dict[str, Any]) -> dict[str, float]:
    checked = summary["correspondence"] or {"rows": 0, "findings": []}
    metrics = {
        "rows": summary["rows"],
        "kept": summary["kept"],
        "set_aside": summary["set_aside"],
        "outliers": summary["outliers"]["rows"],
        "measured_again": checked["rows"],
        "measured_otherwise": len(checked["findings"]),
    }
    difference = checked.get("largest_ssim_difference")
    return metrics if difference is None else metrics | {"largest_ssim_difference": difference}


def _tell(summary: dict[str, Any], page: Path) -> None:
    say(
        f"clean      {summary['kept']:,} of {summary['rows']:,} conversions can be learned from,"
        f" {summary['set_aside']:,} set aside"
    )
    for entry in summary["reasons"]:
        say(f"           {entry['rows']:,}: {entry['reason']}")
    say(
        f"           {summary['outliers']['rows']:,} rows are extreme outliers of their type;"
        " they are kept"
    )
    checked = summary["correspondence"]
    if checked is not None and checked["findings"]:
        say(
            f"           WARNING: {len(checked['findings'])} of {checked['rows']} rows converted"
            f" again do not give what the table says; first: {checked['findings'][0]['finding']}"
        )
    elif checked is not None:
        say(f"           {checked['rows']} rows converted again give the same SSIM and bytes")
    say(f"           page: {page}; `dataset` sets the same rows aside by itself")


CLEAN = Stage(
    name="clean",
    after=(CONVERT, AUGMENT),
    accepts=(COLLECT,),
    code=("conversion", "dataset/cleaning", "stages/dataset/clean.py"),
    act=_clean,
)  # fmt: skip
