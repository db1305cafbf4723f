"""Good, fair or poor: a model's figures against the thresholds of the project, each stated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from svg_quality.pages.environment import fixed

Grade = Literal["good", "fair", "poor", "unknown"]
RIVAL: Final = "gradient boosting"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One figure with its grade."""

    what: str
    value: float | None
    digits: int
    grade: Grade
    good: str  # what counts as good, in words
    fair: str


def judge(
    metrics: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Any]],
    level: float,
    lowest_band: float | None = None,
    ms_per_10000: float | None = None,
) -> list[Judgement]:
    """Grade a model.

    Args:
        metrics: region -> target -> figure, as `stages.learning.assess.region_metrics` gives them.
        baselines: by name, each in the same shape.
        level: promised coverage, in (0, 1).
        lowest_band: coverage of the quality band that is covered worst.
        ms_per_10000: time to score 10,000 parameter sets of one picture.
    """
    full, everyday = metrics.get("full", {}), metrics.get("everyday", {})
    covered, choice = full.get("coverage", {}), everyday.get("choice", {})
    rival = baselines.get(RIVAL, {}).get("everyday", {}).get("ssim", {}).get("mae")
    mae = everyday.get("ssim", {}).get("mae")
    coverage = covered.get("coverage")
    off = None if coverage is None else abs(coverage - level)
    return [
        _more("Full region: Pearson of the SSIM", full.get("ssim", {}).get("pearson"), 0.95, 0.90),
        _more("Everyday: R² of the SSIM", everyday.get("ssim", {}).get("r2"), 0.80, 0.65),
        _less("Everyday: MAE beside gradient boosting's", _ratio(mae, rival), 0.85, 1.0),
        _more("Everyday: R² of the log bytes", everyday.get("log_bytes", {}).get("r2"), 0.95, 0.90),
        _less(f"Coverage of the {level:.0%} interval: distance from {level:.0%}", off, 0.02, 0.05),
        _more("Coverage of the quality band covered worst", lowest_band, 0.80, 0.70),
        _more("Coverage of the worst twentieth of logos", covered.get("worst_twentieth"), 0.70,
              0.55),
        _less("Everyday: regret of the chosen set beside the default's",
              _ratio(choice.get("regret_chosen"), choice.get("regret_default")), 0.5, 1.0),
        _more("Everyday: smallest-file choices that keep the default's SSIM",
              choice.get("kept_chosen"), 0.90, 0.75),
        _less("Milliseconds for 10,000 parameter sets", ms_per_10000, 150.0, 500.0, digits=0),
    ]  # fmt: skip


def judge_alone(figures: Mapping[str, Any]) -> list[Judgement]:
    """Grade figures of `ModelEvaluator`, whose rows are of no known region."""
    bias = figures["bias"]
    return [
        _more("Pearson correlation", figures["pearson"], 0.95, 0.90),
        _more("R²", figures["r2"], 0.80, 0.65),
        _less("Mean absolute error", figures["mae"], 0.02, 0.05),
        _more("Rows within 0.05", figures["within_0.05"], 0.90, 0.75),
        _less("Bias, either way", None if bias is None else abs(bias), 0.005, 0.02),
    ]


def _more(what: str, value: float | None, good: float, fair: float) -> Judgement:
    known = _known(value)
    grade: Grade = "unknown"
    if known is not None:
        grade = "good" if known >= good else "fair" if known >= fair else "poor"
    return Judgement(what, known, 3, grade, f"≥ {fixed(good, 2)}", f"≥ {fixed(fair, 2)}")


def _less(what: str, value: float | None, good: float, fair: float, digits: int = 3) -> Judgement:
    known = _known(value)
    grade: Grade = "unknown"
    if known is not None:
        grade = "good" if known <= good else "fair" if known <= fair else "poor"
    shown = 0 if digits == 0 else 2 if good >= 0.01 else 3
    return Judgement(
        what, known, digits, grade, f"≤ {fixed(good, shown)}", f"≤ {fixed(fair, shown)}"
    )


def _known(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole
