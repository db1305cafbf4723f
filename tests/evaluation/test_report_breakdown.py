"""Bands, groups and headline figures against small cases worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.evaluation.reporting import breakdown

seeds = st.integers(0, 2**32 - 1)


def table(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 80))
    guess = rng.uniform(0, 1, n)
    return pd.DataFrame(
        {
            "image_id": rng.choice(["a", "b", "c"], n),
            "ssim": rng.choice([0.3, 0.6, 0.7, 0.8, 0.9, 0.93, 0.95, 1.0], n),
            "predicted_ssim": guess,
            "ssim_low": guess - 0.1,
            "ssim_high": guess + 0.1,
            "svg_bytes": rng.integers(100, 9000, n),
            "predicted_svg_bytes": rng.uniform(100, 9000, n),
            "everyday": rng.random(n) < 0.7,
            "everyday_colour": rng.random(n) < 0.5,
            "kind": rng.choice(np.array(["x", "y", None], object), n),
        }
    )


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_bands_and_groups_add_up(seed: int) -> None:
    rows = table(seed)
    error = rows.predicted_ssim - rows.ssim
    for groups in (
        breakdown.quality_bands(rows),
        breakdown.broad_bands(rows),
        breakdown.by_column(rows, "kind"),
    ):
        assert sum(group.full.n for group in groups) == len(rows)
        assert sum(group.everyday.n for group in groups) == rows.everyday.sum()
        assert sum(group.everyday_colour.n for group in groups) == rows.everyday_colour.sum()
        total = sum(group.full.n * (group.full.mae or 0) for group in groups)
        assert total == pytest.approx(error.abs().sum())
        bias = sum(group.full.n * (group.full.bias or 0) for group in groups)
        assert bias == pytest.approx(error.sum())


def test_bands_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "ssim": [0.59, 0.6, 0.94, 0.95, 1.0],
            "predicted_ssim": [0.69, 0.5, 0.94, 0.85, 0.97],
            "ssim_low": [0.6, 0.4, 0.9, 0.8, 0.9],
            "ssim_high": [0.8, 0.6, 1.0, 0.9, 1.0],
            "everyday": [False, True, True, True, False],
            "everyday_colour": [False, True, False, False, False],
        }
    )
    low, second, third, fourth, top = breakdown.quality_bands(rows)
    assert (low.full.n, second.full.n, third.full.n, fourth.full.n, top.full.n) == (1, 1, 0, 1, 2)
    assert low.full.bias == pytest.approx(0.1)
    assert (low.full.coverage, second.full.coverage) == (0.0, 1.0)  # bounds belong to the interval
    assert third.full == breakdown.Errors(0, None, None, None)
    assert top.full.mae == pytest.approx((0.1 + 0.03) / 2)
    assert top.full.coverage == 0.5
    assert (top.everyday.n, top.everyday.coverage) == (1, 0.0)
    assert (second.everyday_colour.n, top.everyday_colour.n) == (1, 0)
    assert [band.full.n for band in breakdown.broad_bands(rows)] == [1, 1, 3]


def test_headline_by_hand() -> None:
    rows = table(0).head(5).assign(
        image_id=["a", "a", "a", "b", "b"],
        ssim=[0.9, 0.8, 0.7, 0.9, 0.895],
        predicted_ssim=[0.91, 0.7, 0.73, 0.86, 0.9],
        ssim_low=0.0,
        ssim_high=[1.0, 1.0, 1.0, 1.0, 0.5],
        svg_bytes=[100, 100, 100, 100, 100],
        predicted_svg_bytes=[50.0, 100.0, 125.0, 150.0, 400.0],
    )  # fmt: skip
    told = breakdown.headline(rows)
    assert told is not None
    assert (told.n, told.n_logos, told.coverage) == (5, 2, 0.8)
    assert told.ssim_half == pytest.approx(0.03)  # of 0.01, 0.1, 0.03, 0.04, 0.005
    assert told.bytes_half == pytest.approx(1.5)  # of 2, 1, 1.25, 1.5, 4
    # a: 0.9 > 0.8 right, 0.9 > 0.7 right, 0.8 > 0.7 wrong; b differs by less than 0.01
    assert told.better_named == pytest.approx(2 / 3)


def test_a_guess_that_never_changes_names_the_better_half_the_time() -> None:
    rows = pd.DataFrame({"image_id": "a", "ssim": [0.1, 0.5, 0.9], "predicted_ssim": 0.5})
    assert breakdown.better_named(rows) == 0.5
    assert breakdown.better_named(rows.head(1)) is None


def test_a_region_without_rows_has_no_headline() -> None:
    assert breakdown.headline(table(0).head(0)) is None


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_size_factor_does_not_care_which_side_it_is_wrong_on(seed: int) -> None:
    rows = table(seed)
    swapped = rows.assign(svg_bytes=rows.predicted_svg_bytes, predicted_svg_bytes=rows.svg_bytes)
    one, other = breakdown.headline(rows), breakdown.headline(swapped)
    assert one is not None
    assert other is not None
    assert math.isclose(one.bytes_half, other.bytes_half)
    assert one.bytes_half >= 1
