"""What the page of an evaluation and its JSON both tell, beyond the metrics they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.evaluation.calibration import (
    MIN_LOGOS,
    CurvePoint,
    calibration_curve,
    coverage_table,
    ideal_worst_twentieth,
    under_covered,
)
from svg_quality.evaluation.metrics import REGIONS, cluster_bootstrap, region_masks
from svg_quality.evaluation.regret import choice_intervals
from svg_quality.evaluation.reporting import breakdown
from svg_quality.evaluation.reporting.evaluation import EvaluationReport
from svg_quality.evaluation.reporting.scoreboard import beside_baselines
from svg_quality.evaluation.reporting.verdicts import judge
from svg_quality.evaluation.residuals import correlation_p_values
from svg_quality.pages.charts import Chart
from svg_quality.pages.lines import line_chart

MS_PER_10000: Final = "ms_per_10000_sets"
BREAKDOWNS: Final = {  # column: heading
    "logo_type": "Logo type",
    "format": "Format",
    "mode": "Mode",
    "colormode": "Colour mode",
    "color_precision": "Colour bits",
}


def figures_of(report: EvaluationReport, rows: pd.DataFrame) -> dict[str, Any]:
    """The figures, by the names the page's template has for them.

    Args:
        report: of the rows.
        rows: `EvaluationReport.rows` with a bool column for each region but ``full``.
    """
    masks = region_masks(rows)
    parts = {name: rows[mask] for name, mask in masks.items()}
    lines = coverage_table(rows, report.logo_column)
    covered = [
        line.covered for line in lines if line.kind == "quality band" and line.n_logos >= MIN_LOGOS
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
            name: _curve(report, rows, mask)
            for name, mask in masks.items()
            if report.levels and mask.any()
        },
        "groups": {
            heading: breakdown.by_column(rows, column)
            for column, heading in BREAKDOWNS.items()
            if column in rows
        },
        "timing": report.timing,
        "features": report.features,
    }  # fmt: skip


def _curve(report: EvaluationReport, rows: pd.DataFrame, mask: np.ndarray) -> list[CurvePoint]:
    ends = {level: (low[mask], high[mask]) for level, (low, high) in report.levels.items()}
    return calibration_curve(rows["ssim"][mask], ends, rows[report.logo_column][mask])


def curve_chart(curves: Mapping[str, Sequence[CurvePoint]]) -> Chart | None:
    """Found against promised coverage, a line a region; None where there are no curves."""
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
