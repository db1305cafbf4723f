"""A cross-validation as one self-contained page and one JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from svg_quality.evaluation.fold_scores import METRICS, MODEL, RIVAL
from svg_quality.evaluation.metrics import REGIONS
from svg_quality.evaluation.reporting.scoreboard import TARGETS
from svg_quality.pages.charts import Chart
from svg_quality.pages.lines import line_chart
from svg_quality.pages.report_files import write_report_files

_SYSTEMS: Final = {MODEL: "this model", RIVAL: "gradient boosting", "mean": "mean"}


def write_fold_page(
    scores: Mapping[str, Any], facts: Mapping[str, str], folder: Path
) -> dict[str, Path]:
    """Write ``cross_validation.html`` and ``.json``, see `write_report_files`.

    Args:
        scores: of `score_folds`.
        facts: what was measured on what, by heading.
        folder: made where it does not exist.
    """
    return write_report_files(
        folder, "cross_validation", {"facts": facts, **scores},
        "svg_quality.evaluation", "cross_validation.html.j2",
        scores=scores,
        facts=facts,
        regions=REGIONS,
        targets=TARGETS,
        systems=_SYSTEMS,
        metrics=METRICS,
        charts=[_by_fold(scores, region) for region in ("everyday", "full")],
        model=MODEL,
        rival=RIVAL,
    )  # fmt: skip


def _by_fold(scores: Mapping[str, Any], region: str) -> Chart:
    """MAE of SSIM of each fold; a fold without rows in the region is a gap."""
    folds = sorted(scores["folds"])
    known = [
        fold for fold in folds if scores["folds"][fold][MODEL][region]["ssim"]["mae"] is not None
    ] or folds[:0]
    series = {
        _SYSTEMS[system]: (
            [fold + 1.0 for fold in known],
            [scores["folds"][fold][system][region]["ssim"]["mae"] for fold in known],
        )
        for system in (MODEL, RIVAL)
    }
    title = f"{REGIONS[region]}: MAE of SSIM by fold"
    description = "Lower is better; folds differ in their logos, and so for both alike."
    if not known:
        series = {"no rows": ([0.0], [0.0])}
    return line_chart(title, description, series, ("fold", "mean absolute error"))
