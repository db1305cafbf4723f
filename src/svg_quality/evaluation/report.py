"""One evaluation as one self-contained HTML page and one strict JSON file.

The page needs no network and no second file: styles, charts and pictures are inside, and its
content security policy forbids anything else, so it also shows as an MLflow artifact.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.images import load_image
from svg_quality.conversion.parameters import NAMES
from svg_quality.errors import DatasetError
from svg_quality.evaluation import breakdown, charts, gallery
from svg_quality.pages.environment import environment
from svg_quality.pages.pictures import MAX_SVG_BYTES

HTML_NAME: Final = "evaluation.html"
JSON_NAME: Final = "metrics.json"
MODEL_NAME: Final = "this model"
REGIONS: Final = {"full": "Full region", "everyday": "Everyday region"}
TARGETS: Final = {"ssim": "SSIM", "log_bytes": "Size (logarithm of the bytes)"}
METRICS: Final = {  # name: heading, and whether more is better
    "mae": ("MAE", False),
    "rmse": ("RMSE", False),
    "r2": ("R²", True),
    "pearson": ("Pearson", True),
    "spearman": ("Spearman", True),
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
        metrics: region -> target -> metric -> number, and region -> ``coverage`` -> numbers.
        baselines: by name, each in the shape of ``metrics``.
        warnings: what a reader must know first, such as random backbone weights.
        interval: promised coverage of ``ssim_low``..``ssim_high``, in (0, 1).
        logo_column: the column that tells logos apart; copies of a logo share its value.
        load_rgb: the image at a recorded path, uint8 ``(H, W, 3)``, at the recorded working size.
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


@dataclass(frozen=True, slots=True)
class Score:
    """One cell of the table of metrics."""

    value: float | None
    best: bool  # of its column


def write_report(report: EvaluationReport, output_dir: Path) -> dict[str, Path]:
    """Write ``evaluation.html`` and ``metrics.json``; the cases of the gallery are converted again.

    Returns:
        The paths as ``html_report`` and ``metrics``.

    Raises:
        DatasetError: the rows are empty, lack a column, or hold a number that cannot be drawn.
    """
    _check(report)
    rows = report.rows.assign(everyday=report.rows["everyday"].astype(bool))
    figures = _figures(report, rows)
    page = environment("svg_quality.evaluation").get_template("report.html.j2").render(
        report=report,
        regions=REGIONS,
        metric_names=METRICS,
        score_tables={heading: score_table(report, name) for name, heading in TARGETS.items()},
        charts=[
            charts.ssim_scatter(rows),
            charts.bytes_scatter(rows),
            charts.ssim_error_histogram(rows),
            charts.bytes_error_histogram(rows),
        ],
        max_dots=charts.MAX_DOTS,
        galleries={
            name: gallery.show_cases(choose(rows, report.logo_column), report.load_rgb)
            for name, choose in (("worst", gallery.worst_cases), ("median", gallery.median_cases))
        },
        clear_difference=breakdown.CLEAR_DIFFERENCE,
        difference_gain=gallery.DIFFERENCE_GAIN,
        max_svg_bytes=MAX_SVG_BYTES,
        **figures,
    )  # fmt: skip
    output_dir.mkdir(parents=True, exist_ok=True)
    html_path, json_path = output_dir / HTML_NAME, output_dir / JSON_NAME
    html_path.write_text(page, encoding="utf-8")
    json_path.write_text(_strict_json(_summary(report, figures)), encoding="utf-8")
    return {"html_report": html_path, "metrics": json_path}


def score_table(report: EvaluationReport, target: str) -> dict[str, dict[str, list[Score]]]:
    """Name of the model or baseline -> region -> its scores in the order of ``METRICS``."""
    systems = {MODEL_NAME: report.metrics, **report.baselines}
    table: dict[str, dict[str, list[Score]]] = {name: {} for name in systems}
    for region in REGIONS:
        for metric, (_, more_is_better) in METRICS.items():
            values = {name: _value(scores, region, target, metric)
                      for name, scores in systems.items()}  # fmt: skip
            known = [value for value in values.values() if value is not None]
            best = (max if more_is_better else min)(known, default=None)
            for name, value in values.items():
                cell = Score(value, best=len(known) > 1 and value is not None and value == best)
                table[name].setdefault(region, []).append(cell)
    return table


def _figures(report: EvaluationReport, rows: pd.DataFrame) -> dict[str, Any]:
    """What page and JSON both tell, beyond the metrics."""
    groups = {
        "Logo type": breakdown.by_column(rows, "logo_type"),
        **({"Format": breakdown.by_column(rows, "format")} if "format" in rows else {}),
    }
    return {
        "headlines": {
            "everyday": breakdown.headline(rows[rows["everyday"]], report.logo_column),
            "full": breakdown.headline(rows, report.logo_column),
        },
        "verdicts": [verdict(report, region) for region in REGIONS],
        "bands": breakdown.quality_bands(rows),
        "groups": groups,
    }


def verdict(report: EvaluationReport, region: str) -> str:
    """One sentence: the model's SSIM error beside that of the best baseline."""
    name = REGIONS[region]
    own = _value(report.metrics, region, "ssim", "mae")
    rivals = {key: _value(scores, region, "ssim", "mae")
              for key, scores in report.baselines.items()}  # fmt: skip
    known = {key: value for key, value in rivals.items() if value is not None}
    if own is None or not known:
        return f"{name}: no baseline to compare with."
    rival = min(known, key=lambda key: known[key])
    facts = f"mean absolute SSIM error {own:.4f}, best baseline ({rival}) {known[rival]:.4f}"
    share = 1 - own / known[rival] if known[rival] else 0.0
    if share > 0:
        return f"{name}: {facts}. The model errs {share:.0%} less."
    return f"{name}: {facts}. The model does not beat the baseline here."


def _value(scores: Mapping[str, Any], region: str, target: str, metric: str) -> float | None:
    value = scores.get(region, {}).get(target, {}).get(metric)
    return float(value) if value is not None and math.isfinite(value) else None


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


def _strict_json(value: Any) -> str:
    return json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Only what JSON knows; a number that is not finite becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
