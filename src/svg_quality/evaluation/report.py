"""One evaluation as one self-contained HTML page and one strict JSON file.

The page needs no network and no second file: styles, charts and pictures are inside, and its
content security policy forbids anything else, so it also shows as an MLflow artifact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.images import load_image
from svg_quality.conversion.parameters import NAMES
from svg_quality.errors import DatasetError
from svg_quality.evaluation import breakdown, charts, gallery, hover
from svg_quality.evaluation.calibration import (
    CurvePoint,
    calibration_curve,
    coverage_table,
    ideal_worst_twentieth,
    under_covered,
)
from svg_quality.evaluation.metrics import REGIONS, cluster_bootstrap
from svg_quality.evaluation.predictions import Predictions, write_predictions
from svg_quality.evaluation.regret import CHOOSERS, TOLERATED, choice_intervals
from svg_quality.evaluation.residuals import OUTLIER_SCORE, correlation_p_values
from svg_quality.evaluation.scoreboard import (
    METRICS,
    MODEL_NAME,
    TARGETS,
    beside_baselines,
    score_table,
)
from svg_quality.evaluation.strict_json import embedded_json, strict_json
from svg_quality.evaluation.verdicts import judge
from svg_quality.model.uncertainty import LEVELS
from svg_quality.pages.charts import Chart
from svg_quality.pages.environment import environment
from svg_quality.pages.lines import line_chart
from svg_quality.pages.pictures import MAX_SVG_BYTES

HTML_NAME: Final = "evaluation.html"
JSON_NAME: Final = "metrics.json"
BREAKDOWNS: Final = {  # column: heading
    "logo_type": "Logo type",
    "format": "Format",
    "mode": "Mode",
    "colormode": "Colour mode",
    "color_precision": "Colour bits",
}
MIN_LOGOS_GRADED: Final = 5  # of a quality band: the share of fewer says little of other logos
MS_PER_10000: Final = "ms_per_10000_sets"
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
_NUMBERS: Final = (
    "ssim", "svg_bytes", "predicted_ssim", "ssim_low", "ssim_high", "predicted_svg_bytes"
)  # fmt: skip
REQUIRED: Final = ("image_id", "image_path", "source", "logo_type", "everyday", *NAMES, *_NUMBERS)


def load_logo(image_path: str) -> np.ndarray:
    """The image at a path as it is converted by default: uint8 ``(H, W, 3)``.

    Raises:
        ImageError: it cannot be read.
    """
    return load_image(Path(image_path)).rgb


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationReport:
    """Everything one page tells.

    Attributes:
        title: of the page.
        context: what was evaluated on what: model version, run, dataset, commit, versions.
        rows: one per conversion of the split, with the columns ``REQUIRED``.
        metrics: region -> target -> metric -> number, and region -> ``coverage`` and ``choice``
            -> numbers.
        baselines: by name, each in the shape of ``metrics``.
        warnings: what a reader must know first, such as random backbone weights.
        interval: promised coverage of ``ssim_low``..``ssim_high``, in (0, 1).
        logo_column: the column that tells logos apart; copies of a logo share its value.
        load_rgb: the image at a recorded path, uint8 ``(H, W, 3)``, at the recorded working size.
        timing: how long predictions took, ms; `MS_PER_10000` is graded.
        features: of `feature_statistics`.
        predictions: the table to keep beside the page, for `compare`.
        levels: promised level -> lower and upper ends of every row, for the calibration curve.
    """

    title: str
    context: Mapping[str, str]
    rows: pd.DataFrame
    metrics: Mapping[str, Any]
    baselines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    interval: float = 0.9
    logo_column: str = "image_id"
    load_rgb: gallery.LoadRgb = load_logo
    timing: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, float | int | None] = field(default_factory=dict)
    predictions: Predictions | None = None
    levels: Mapping[float, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def write_report(report: EvaluationReport, output_dir: Path) -> dict[str, Path]:
    """Write ``evaluation.html`` and ``metrics.json``; the cases of the gallery are converted again.

    Returns:
        The paths as ``html_report`` and ``metrics``, and ``predictions`` where the report has any.

    Raises:
        DatasetError: the rows are empty, lack a column, or hold a number that cannot be drawn.
    """
    _check(report)
    rows = _prepared(report.rows)
    figures = _figures(report, rows)
    page = _render(report, rows, figures)
    output_dir.mkdir(parents=True, exist_ok=True)
    html_path, json_path = output_dir / HTML_NAME, output_dir / JSON_NAME
    html_path.write_text(page, encoding="utf-8")
    json_path.write_text(strict_json(_summary(report, figures)), encoding="utf-8")
    written = {"html_report": html_path, "metrics": json_path}
    if report.predictions is not None:
        written["predictions"] = write_predictions(report.predictions, output_dir)
    return written


def _render(report: EvaluationReport, rows: pd.DataFrame, figures: Mapping[str, Any]) -> str:
    drawn = charts.thinned(rows)
    script, script_hash = hover.hover_script()
    return environment("svg_quality.evaluation").get_template("report.html.j2").render(
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
        curve=_curve_chart(figures["curves"]),
        levels_left_out=[f"{level:.0%}" for level in LEVELS
                         if report.levels and level not in report.levels],
        **figures,
    )  # fmt: skip


def _prepared(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.reset_index(drop=True)
    everyday = rows["everyday"].astype(bool)
    rows = rows.assign(everyday=everyday, everyday_colour=everyday & (rows["colormode"] == "color"))
    return rows.assign(region=charts.style_classes(rows))


def _figures(report: EvaluationReport, rows: pd.DataFrame) -> dict[str, Any]:
    """What page and JSON both tell, beyond the metrics."""
    parts = {name: rows if name == "full" else rows[rows[name]] for name in REGIONS}
    lines = coverage_table(rows, report.logo_column)
    covered = [
        line.covered
        for line in lines
        if line.kind == "quality band" and line.n_logos >= MIN_LOGOS_GRADED
    ]
    return {
        "headlines": {
            name: breakdown.headline(part, report.logo_column) for name, part in parts.items()
        },
        "judgements": judge(
            report.metrics,
            report.baselines,
            report.interval,
            min(covered, default=None),
            report.timing.get(MS_PER_10000),
        ),
        "verdicts": [
            beside_baselines(report.metrics, report.baselines, region) for region in REGIONS
        ],
        "intervals": {name: _intervals(part, report.logo_column) for name, part in parts.items()},
        "p_values": {
            name: correlation_p_values(part["ssim"], part["predicted_ssim"])
            for name, part in parts.items()
        },
        "choices": {name: choice_intervals(part, report.logo_column)
                    for name, part in parts.items()},
        "bands": breakdown.quality_bands(rows),
        "broad_bands": breakdown.broad_bands(rows),
        "coverage_lines": lines,
        "under_covered": under_covered(lines, report.interval),
        "ideal_worst": ideal_worst_twentieth(rows[report.logo_column], report.interval),
        "curves": {
            name: calibration_curve(
                part["ssim"], _levels_of(report, rows, part), part[report.logo_column]
            )
            for name, part in parts.items()
            if report.levels and len(part)
        },
        "groups": {
            heading: breakdown.by_column(rows, column)
            for column, heading in BREAKDOWNS.items()
            if column in rows
        },
        "timing": report.timing,
        "features": report.features,
    }  # fmt: skip


def _levels_of(
    report: EvaluationReport, rows: pd.DataFrame, part: pd.DataFrame
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """The ends of some of the rows at each level."""
    within = rows.index.isin(part.index)
    return {level: (low[within], high[within]) for level, (low, high) in report.levels.items()}


def _curve_chart(curves: Mapping[str, Sequence[CurvePoint]]) -> Chart | None:
    if not curves:
        return None
    series = {
        REGIONS[name]: ([point.promised for point in points], [point.covered for point in points])
        for name, points in curves.items()
    }
    return line_chart(
        "Promised and found coverage",
        "A curve a region: the share of conversions inside the interval at each promised level.",
        series,
        ("promised", "found"),
        diagonal=True,
    )


def _intervals(rows: pd.DataFrame, logo_column: str) -> dict[str, Any]:
    """95% intervals of each target's figures, whole logos drawn."""
    sizes = np.log(rows[["svg_bytes", "predicted_svg_bytes"]].to_numpy(float)).T
    logos = rows[logo_column]
    return {
        "ssim": cluster_bootstrap(rows["ssim"], rows["predicted_ssim"], logos),
        "log_bytes": cluster_bootstrap(sizes[0], sizes[1], logos),
    }


def _check(report: EvaluationReport) -> None:
    rows = report.rows
    missing = [name for name in (*REQUIRED, report.logo_column) if name not in rows]
    if missing:
        raise DatasetError(f"an evaluation needs all its columns, it lacks {', '.join(missing)}")
    if rows.empty:
        raise DatasetError("an evaluation must have at least one row, got none")
    for name in _NUMBERS:
        values = rows[name].to_numpy(float, na_value=np.nan)
        n_bad = int((~np.isfinite(values)).sum())
        if n_bad:
            raise DatasetError(f"{name} must be a finite number in every row, {n_bad} are not")
        if name.endswith("bytes") and values.min() <= 0:
            raise DatasetError(f"{name} must be above 0 in every row, got {values.min():g}")


def _summary(report: EvaluationReport, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": report.title,
        "context": report.context,
        "warnings": report.warnings,
        "metrics": report.metrics,
        "baselines": report.baselines,
        **figures,
    }
