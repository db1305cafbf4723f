"""A model's figures beside the baselines': one table a target, and one sentence a region."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from svg_quality.evaluation.metrics import REGIONS

MODEL_NAME: Final = "this model"
TARGETS: Final = {"ssim": "SSIM", "log_bytes": "Size (logarithm of the bytes)"}
METRICS: Final = {  # name: heading, and whether more is better
    "mae": ("MAE", False),
    "rmse": ("RMSE", False),
    "r2": ("R²", True),
    "pearson": ("Pearson", True),
    "spearman": ("Spearman", True),
    "within_0.05": ("Within 0.05", True),
    "within_0.10": ("Within 0.10", True),
}

Figures = Mapping[str, Any]  # region -> target -> metric -> number


@dataclass(frozen=True, slots=True)
class Score:
    """One cell of the table of metrics."""

    value: float | None
    best: bool  # of its column


def score_table(
    metrics: Figures, baselines: Mapping[str, Figures], target: str
) -> dict[str, dict[str, list[Score]]]:
    """Name of the model or baseline -> region -> its scores in the order of ``METRICS``."""
    systems = {MODEL_NAME: metrics, **baselines}
    table: dict[str, dict[str, list[Score]]] = {name: {} for name in systems}
    for region in REGIONS:
        for metric, (_, more_is_better) in METRICS.items():
            values = {
                name: _value(scores, region, target, metric) for name, scores in systems.items()
            }
            known = [value for value in values.values() if value is not None]
            best = (max if more_is_better else min)(known, default=None)
            for name, value in values.items():
                cell = Score(value, best=len(known) > 1 and value is not None and value == best)
                table[name].setdefault(region, []).append(cell)
    return table


def beside_baselines(metrics: Figures, baselines: Mapping[str, Figures], region: str) -> str:
    """One sentence: the model's SSIM error beside that of the best baseline."""
    name = REGIONS[region]
    own = _value(metrics, region, "ssim", "mae")
    rivals = {key: _value(scores, region, "ssim", "mae") for key, scores in baselines.items()}
    known = {key: value for key, value in rivals.items() if value is not None}
    if own is None or not known:
        return f"{name}: no baseline to compare with."
    rival = min(known, key=lambda key: known[key])
    facts = f"mean absolute SSIM error {own:.4f}, best baseline ({rival}) {known[rival]:.4f}"
    share = 1 - own / known[rival] if known[rival] else 0.0
    if share > 0:
        return f"{name}: {facts}. The model errs {share:.0%} less."
    return f"{name}: {facts}. The model does not beat the baseline here."


def _value(scores: Figures, region: str, target: str, metric: str) -> float | None:
    value = scores.get(region, {}).get(target, {}).get(metric)
    return float(value) if value is not None and math.isfinite(value) else None
