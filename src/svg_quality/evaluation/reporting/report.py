"""One evaluation as one self-contained HTML page and one strict JSON file.

The page needs no network and no second file: styles, charts and pictures are inside, and its
content security policy forbids anything else, so it also shows as an MLflow artifact.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from svg_quality.evaluation.comparing.predictions import write_predictions
from svg_quality.evaluation.metrics import REGIONS
from svg_quality.evaluation.regret import CHOOSERS, TOLERATED
from svg_quality.evaluation.reporting import breakdown, charts, gallery, hover
from svg_quality.evaluation.reporting.evaluation import EvaluationReport
from svg_quality.evaluation.reporting.figures import MS_PER_10000, curve_chart, figures_of
from svg_quality.evaluation.reporting.scoreboard import (
    METRICS,
    MODEL_NAME,
    TARGETS,
    score_table,
)
from svg_quality.evaluation.residuals import OUTLIER_SCORE
from svg_quality.model.uncertainty import LEVELS
from svg_quality.pages.environment import inline_script
from svg_quality.pages.pictures import MAX_SVG_BYTES
from svg_quality.pages.report_files import write_report_files
from svg_quality.pages.strict_json import embedded_json

FIGURE_LABELS: Final = {
    "ms_per_set_alone": "one parameter set, ms",
    MS_PER_10000: "10,000 parameter sets of one picture, ms",
    "n": "images",
    "d": "features of each",
    "mean": "mean",
    "deviation": "standard deviation",
    "zeros": "share of zeros",
    "constant": "features that never vary",
    "effective_dimensions": "effective dimensions (participation ratio)",
    "far_from_training": "share further than 5 deviations from training's mean",
}


def write_report(report: EvaluationReport, output_dir: Path) -> dict[str, Path]:
    """Write ``evaluation.html`` and ``metrics.json``; the cases of the gallery are converted again.

    Returns:
        The paths as ``html_report`` and ``metrics``, and ``predictions`` where the report has any.

    Raises:
        DatasetError: the rows are empty, lack a column, or hold a number that cannot be drawn.
    """
    report.check()
    rows = _prepared(report.rows)
    figures = figures_of(report, rows)
    written = write_report_files(
        output_dir, "evaluation", _summary(report, figures),
        "svg_quality.evaluation", "report.html.j2", json_stem="metrics",
        **_shown(report, rows, figures),
    )  # fmt: skip
    if report.predictions is not None:
        written["predictions"] = write_predictions(report.predictions, output_dir)
    return written


def _shown(
    report: EvaluationReport, rows: pd.DataFrame, figures: Mapping[str, Any]
) -> dict[str, Any]:
    drawn = charts.thinned(rows)
    script, script_hash = inline_script("svg_quality.evaluation", "hover.js")
    return dict(
        report=report,
        regions=REGIONS,
        metric_names=METRICS,
        score_tables={
            heading: score_table(report.metrics, report.baselines, name)
            for name, heading in TARGETS.items()
        },
        target_of={heading: name for name, heading in TARGETS.items()},
        plots=[charts.ssim_scatter(drawn), charts.error_scatter(drawn),
               charts.bytes_scatter(drawn)],
        histograms=[charts.ssim_error_histogram(rows), charts.bytes_error_histogram(rows)],
        styles=charts.STYLES,
        max_dots=charts.MAX_DOTS,
        hover_data=embedded_json(hover.hover_data(drawn, report.load_rgb)),
        script=script,
        script_hash=script_hash,
        galleries={
            name: gallery.show_cases(choose(rows, report.logo_column), report.load_rgb)
            for name, choose in (("worst", gallery.worst_cases), ("median", gallery.median_cases))
        },
        clear_difference=breakdown.CLEAR_DIFFERENCE,
        difference_gain=gallery.DIFFERENCE_GAIN,
        max_svg_bytes=MAX_SVG_BYTES,
        max_thumbnails=hover.MAX_THUMBNAILS,
        outlier_score=OUTLIER_SCORE,
        tolerated=TOLERATED,
        choosers=CHOOSERS,
        systems={MODEL_NAME: report.metrics, **report.baselines},
        figure_labels=FIGURE_LABELS,
        curve=curve_chart(figures["curves"]),
        levels_left_out=[f"{level:.0%}" for level in LEVELS
                         if report.levels and level not in report.levels],
        **figures,
    )  # fmt: skip


def _prepared(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.reset_index(drop=True)
    everyday = rows["everyday"].astype(bool)
    rows = rows.assign(everyday=everyday, everyday_colour=everyday & (rows["colormode"] == "color"))
    return rows.assign(region=charts.style_classes(rows))


def _summary(report: EvaluationReport, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": report.title,
        "context": report.context,
        "warnings": report.warnings,
        "metrics": report.metrics,
        "baselines": report.baselines,
        **figures,
    }
