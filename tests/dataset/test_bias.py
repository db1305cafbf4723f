"""Bias in plain figures: shares against targets, splits against each other, errors by type."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.assurance.bias import bias_checks
from svg_quality.dataset.assurance.qa_checks import Check, Checker, read_thresholds
from svg_quality.dataset.targets import TYPE_SHARES


def check(frame: pd.DataFrame, name: str, **options: Any) -> Check:
    checks = bias_checks(Checker(read_thresholds().bias), frame, **options)
    return next(found for found in checks if found.name == name)


def rows(
    types: list[str], ssim: list[float] | None = None, splits: list[str] | None = None
) -> pd.DataFrame:
    """One row per image."""
    n = len(types)
    return pd.DataFrame(
        {
            "image_id": [f"image{number}" for number in range(n)],
            "split": splits or ["train"] * n,
            "logo_type": types,
            "logo_type_estimated": False,
            "synthetic": False,
            "source": [f"folder{number % 2}/logo.png" for number in range(n)],
            "ssim": ssim or [0.9] * n,
        }
    )


def test_a_table_on_target_has_no_imbalance() -> None:
    types = [name for name, share in TYPE_SHARES.items() for _ in range(round(100 * share))]
    found = check(rows(types), "type_imbalance")
    assert found.value == pytest.approx(0)
    assert found.outcome == "pass"
    assert found.findings == ()


def test_imbalance_is_the_largest_distance_from_a_target() -> None:
    """By hand: simple 60% against 30%, text 40% against 25%, the others 0 against 25% and 20%."""
    found = check(rows(["simple"] * 6 + ["text"] * 4), "type_imbalance")
    assert found.value == pytest.approx(0.30)
    assert found.outcome == "warn"
    assert dict(found.findings) == {
        "simple": "60.0% of the rows, target 30%",
        "text": "40.0% of the rows, target 25%",
        "gradient": "0.0% of the rows, target 25%",
        "complex": "0.0% of the rows, target 20%",
    }


def test_cells_of_ssim_without_a_hundredth_of_the_rows_are_named() -> None:
    ssim = [*np.linspace(0.35, 0.85, 6).tolist() * 30, *[0.2] * 20]
    found = check(rows(["simple"] * len(ssim), ssim), "ssim_coverage")
    assert found.value == pytest.approx(6 / 7)
    assert [finding.row for finding in found.findings] == ["SSIM 0.9 to 1"]
    whole = check(rows(["simple"] * 201, [*ssim, 0.95]), "ssim_coverage")
    assert whole.value == pytest.approx(6 / 7)  # one row in 201 is under a hundredth
    assert check(rows(["simple"] * 203, [*ssim, *[1.0] * 3]), "ssim_coverage").value == 1


def test_splits_are_compared_by_total_variation() -> None:
    """By hand: train half simple, test a tenth: 0.4 of the rows would have to move."""
    types = ["simple"] * 10 + ["text"] * 10 + ["simple"] + ["text"] * 9
    splits = ["train"] * 20 + ["test"] * 10
    found = check(rows(types, splits=splits), "type_imbalance_of_splits")
    assert found.value == pytest.approx(0.4)
    assert [finding.row for finding in found.findings] == ["test"]
    ssim = [0.5] * 10 + [0.97] * 10 + [0.97] * 10
    found = check(rows(types, ssim, splits), "quality_imbalance_of_splits")
    assert found.value == pytest.approx(0.5)
    alone = check(rows(["simple"] * 3), "type_imbalance_of_splits")
    assert alone.outcome == "not measured"


@given(st.lists(st.sampled_from(["train", "validation", "test"]), min_size=3, max_size=60))
def test_a_distance_between_splits_is_a_share(splits: list[str]) -> None:
    types = [("simple", "text", "complex")[number % 3] for number in range(len(splits))]
    found = check(rows(types, splits=splits), "type_imbalance_of_splits")
    assert found.value is None or 0 <= found.value <= 1


def test_sources_and_estimated_types_are_shares_of_images() -> None:
    frame = rows(["simple"] * 4)
    frame["source"] = ["a/1.png", "a/2.png", "a/x/3.png", "b/1.png"]
    frame["logo_type_estimated"] = [True, True, True, False]
    many = pd.concat([frame, frame.iloc[[3, 3, 3]]], ignore_index=True)
    assert check(many, "largest_source").value == pytest.approx(0.75)
    assert check(many, "largest_source").findings[0] == ("a", "75.0% of the images")
    estimated = check(many, "estimated_types")
    assert estimated.value == pytest.approx(0.75)
    assert {finding.row for finding in estimated.findings} == {"image0", "image1", "image2"}


def test_synthetic_logos_may_be_trained_on_but_not_tested() -> None:
    frame = rows(["simple"] * 10, splits=["train"] * 8 + ["test", "validation"])
    frame.loc[[0, 1], "synthetic"] = True
    assert check(frame, "synthetic_rows").value == pytest.approx(0.2)
    assert check(frame, "synthetic_held_out").outcome == "pass"
    frame.loc[9, "synthetic"] = True
    found = check(frame, "synthetic_held_out")
    assert found.outcome == "fail"
    assert found.findings == (("image9", "is synthetic and in validation"),)


@pytest.mark.parametrize(
    ("errors", "value", "outcome"),
    [
        (None, None, "not measured"),
        ({}, None, "not measured"),
        ({"simple": 0.02}, None, "not measured"),
        ({"simple": 0.02, "text": 0.03, "complex": 0.05}, 2.5, "warn"),
        ({"simple": 0.02, "text": 0.03}, 1.5, "pass"),
    ],
)
def test_errors_by_type(errors: dict[str, float] | None, value: float | None, outcome: str) -> None:
    options = {"errors_by_type": errors, "model": "of run 1"}
    found = check(rows(["simple"] * 3), "error_ratio_of_types", **options)
    assert found.value == (value if value is None else pytest.approx(value))
    assert found.outcome == outcome
    if outcome == "warn":
        assert [finding.row for finding in found.findings] == ["complex"]
        assert found.note == "complex 0.0500, text 0.0300, simple 0.0200; of run 1"
    elif not errors:
        assert found.note == "no model yet"


def test_the_figures_of_a_real_table(many_rows: pd.DataFrame) -> None:
    """120 logos of four types in equal shares: simple 25% against 30%, complex 25% against 20%."""
    found = check(many_rows.assign(split="train"), "type_imbalance")
    assert found.value == pytest.approx(0.05, abs=0.001)
    assert found.outcome == "pass"
