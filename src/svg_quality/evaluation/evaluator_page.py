"""The page of `ModelEvaluator`: what predictions and measured values alone can tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.evaluation.reporting import charts
from svg_quality.evaluation.reporting.verdicts import judge_alone
from svg_quality.evaluation.residuals import OUTLIER_SCORE
from svg_quality.pages.report_files import write_report_files

COLUMNS: Final = {  # figure: heading, digits
    "mae": ("MAE", 4), "rmse": ("RMSE", 4), "mse": ("MSE", 5), "r2": ("R²", 3),
    "pearson": ("Pearson", 3), "spearman": ("Spearman", 3), "within_0.05": ("Within 0.05", 3),
    "within_0.10": ("Within 0.10", 3), "bias": ("Bias", 4), "skewness": ("Skewness", 2),
    "kurtosis": ("Excess kurtosis", 2),
}  # fmt: skip
FIGURE_LABELS: Final = {
    "seconds": "in all, s",
    "ms_per_row": "a row, ms",
    "seconds_per_10000_rows": "10,000 rows, s",
    "n": "distinct inputs",
    "d": "numbers in each",
    "mean": "mean",
    "deviation": "standard deviation",
    "zeros": "share of zeros",
    "constant": "numbers that never vary",
    "effective_dimensions": "effective dimensions (participation ratio)",
    "far_from_training": "share far from training's mean",
}


def write_evaluator_page(
    results: Mapping[str, Any], name: str, output_dir: Path
) -> dict[str, Path]:
    """Write ``evaluation.html`` and ``metrics.json``, see `write_report_files`.

    Args:
        results: of `ModelEvaluator`.
        name: of the model.
        output_dir: made where it does not exist.
    """
    predicted, measured = results["predictions"], results["targets"]
    rows = pd.DataFrame({"ssim": measured, "predicted_ssim": predicted, "region": "everyday"})
    drawn = charts.thinned(rows)
    lines = {"all rows": results, **results["bands"], **results["types"]}
    return write_report_files(
        output_dir, "evaluation", results, "svg_quality.evaluation", "evaluator.html.j2",
        json_stem="metrics",
        name=name,
        results=results,
        lines={key: line for key, line in lines.items() if line["n"]},
        columns=COLUMNS,
        judgements=judge_alone(results),
        charts=[
            charts.ssim_scatter(drawn).chart,
            charts.error_scatter(drawn).chart,
            charts.ssim_error_histogram(rows),
        ],
        worst=[
            {"row": k, "measured": measured[k], "predicted": predicted[k]}
            for k in np.argsort(-np.abs(predicted - measured), kind="stable")[:20].tolist()
        ],
        outlier_score=OUTLIER_SCORE,
        max_dots=charts.MAX_DOTS,
        figure_labels=FIGURE_LABELS,
    )  # fmt: skip
