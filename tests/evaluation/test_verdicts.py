"""Grades follow their thresholds, on either side and on them."""

import pytest

from svg_quality.evaluation.reporting.verdicts import judge, judge_alone


def grades(**changes: float | None) -> dict[str, str]:
    told = {"pearson": 0.95, "r2": 0.8, "mae": 0.02, "within_0.05": 0.9, "bias": -0.005}
    return {line.what: line.grade for line in judge_alone(told | changes)}


def test_a_threshold_belongs_to_the_better_grade() -> None:
    assert set(grades().values()) == {"good"}


@pytest.mark.parametrize(
    ("name", "value", "what", "grade"),
    [
        ("pearson", 0.9499, "Pearson correlation", "fair"),
        ("pearson", 0.8999, "Pearson correlation", "poor"),
        ("pearson", None, "Pearson correlation", "unknown"),
        ("pearson", float("nan"), "Pearson correlation", "unknown"),
        ("mae", 0.05, "Mean absolute error", "fair"),
        ("mae", 0.0501, "Mean absolute error", "poor"),
        ("bias", -0.03, "Bias, either way", "poor"),
        ("bias", 0.03, "Bias, either way", "poor"),
    ],
)
def test_grades(name: str, value: float | None, what: str, grade: str) -> None:
    assert grades(**{name: value})[what] == grade


def test_a_model_is_judged_beside_its_baseline_and_promise() -> None:
    metrics = {
        "full": {"ssim": {"pearson": 0.96}, "coverage": {"coverage": 0.87, "worst_twentieth": 0.5}},
        "everyday": {"ssim": {"r2": 0.7, "mae": 0.02},
                     "choice": {"regret_chosen": 0.004, "regret_default": 0.01}},
    }  # fmt: skip
    rivals = {"gradient boosting": {"everyday": {"ssim": {"mae": 0.018}}}}
    lines = {line.what: line for line in judge(metrics, rivals, 0.9, 0.75, 140.0)}
    assert lines["Everyday: MAE beside gradient boosting's"].grade == "poor"
    assert lines["Everyday: MAE beside gradient boosting's"].value == pytest.approx(20 / 18)
    told = {what: line.grade for what, line in lines.items()}
    assert told["Coverage of the 90% interval: distance from 90%"] == "fair"
    assert told["Coverage of the quality band covered worst"] == "fair"
    assert told["Coverage of the worst twentieth of logos"] == "poor"
    assert told["Everyday: regret of the chosen set beside the default's"] == "good"
    assert told["Milliseconds for 10,000 parameter sets"] == "good"
    assert told["Everyday: R² of the log bytes"] == "unknown"
    assert {line.grade for line in judge({}, {}, 0.9)} == {"unknown"}
