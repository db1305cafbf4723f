"""Coverage counted by hand, intervals that cheat found out, and what chance alone allows."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from svg_quality.errors import DatasetError
from svg_quality.evaluation.calibration import (
    CoverageLine,
    calibration_curve,
    coverage_table,
    ideal_worst_twentieth,
    under_covered,
)

LEVELS = (0.5, 0.8, 0.9, 0.99)


def rows(n_logos: int = 60, seed: int = 0) -> pd.DataFrame:
    """Rows of logos with intervals right for ``simple`` ones and half as wide for ``text``."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_logos), 12)
    is_text = groups % 3 == 0
    predicted = rng.uniform(0.3, 0.95, len(groups))
    reach = 1.645 * 0.02 * np.where(is_text, 0.5, 1.0)
    return pd.DataFrame(
        {
            "group": groups,
            "logo_type": np.where(is_text, "text", "simple"),
            "ssim": predicted + rng.normal(0, 0.02, len(groups)),
            "predicted_ssim": predicted,
            "ssim_low": predicted - reach,
            "ssim_high": predicted + reach,
            "everyday": rng.random(len(groups)) < 0.5,
            "everyday_colour": False,
        }
    )


def line(**changed: object) -> CoverageLine:
    values = {"kind": "type", "name": "text", "n": 120, "n_logos": 10, "covered": 0.9,
              "low": 0.85, "high": 0.95, "width": 0.1, "worst_twentieth": 0.6}  # fmt: skip
    return CoverageLine(**{**values, **changed})  # type: ignore[arg-type]


def test_the_curve_of_right_intervals_is_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), 10)
    measured = rng.normal(size=4000)
    reach = {level: np.full(4000, stats.norm.ppf((1 + level) / 2)) for level in LEVELS}
    curve = calibration_curve(measured, {k: (-r, r) for k, r in reach.items()}, groups)
    assert [point.promised for point in curve] == sorted(LEVELS)
    for point in curve:
        assert point.covered == pytest.approx(point.promised, abs=0.02)
        assert point.low <= point.covered <= point.high
        assert point.width == pytest.approx(2 * reach[point.promised][0])


def test_the_curve_by_hand() -> None:
    measured = [0.0, 1.0, 2.0, 3.0]
    ends = {0.9: ([-1, -1, -1, -1], [3, 3, 3, 3]), 0.5: ([0, 0, 0, 0], [1, 1, 1, 1])}
    curve = calibration_curve(measured, ends, ["a", "a", "b", "b"])
    assert [(point.promised, point.covered, point.width) for point in curve] == [
        (0.5, 0.5, 1.0),
        (0.9, 1.0, 4.0),
    ]
    assert (curve[0].low, curve[0].high) == (0, 1)  # one logo is covered, the other is not


@pytest.mark.parametrize(("measured", "level"), [([], 0.9), ([0.5], 1.0)])
def test_the_curve_refuses_no_rows_and_impossible_levels(
    measured: list[float], level: float
) -> None:
    with pytest.raises(DatasetError, match=r"a level must be in \(0, 1\) and have rows"):
        calibration_curve(measured, {level: (measured, measured)}, measured)


def test_the_table_counts_every_row_once_a_kind() -> None:
    frame = rows()
    table = coverage_table(frame)
    held = frame["ssim"].between(frame["ssim_low"], frame["ssim_high"])
    for kind in ("quality band", "predicted band", "type"):
        lines = [entry for entry in table if entry.kind == kind]
        assert sum(entry.n for entry in lines) == len(frame)
        assert sum(entry.n * entry.covered for entry in lines) == pytest.approx(held.sum())
    by_name = {(entry.kind, entry.name): entry for entry in table}
    assert by_name["region", "Full region"].covered == pytest.approx(held.mean())
    assert ("region", "Everyday colour") not in by_name  # it has no rows
    text = frame["logo_type"] == "text"
    assert by_name["type", "text"].covered == pytest.approx(held[text].mean())
    assert by_name["type", "text"].n_logos == 20
    worst = held[text].groupby(frame["group"][text]).mean().min()
    assert by_name["type", "text"].worst_twentieth == pytest.approx(worst)  # one logo of 20
    high = frame["ssim"] >= 0.8
    assert by_name["quality band", "0.8 and above"].n == high.sum()


def test_too_narrow_intervals_are_named_and_right_ones_are_not() -> None:
    table = coverage_table(rows(120))
    sentences = under_covered([entry for entry in table if entry.kind == "type"], 0.9)
    assert len(sentences) == 1
    share = int(sentences[0].removeprefix("type text: ")[:2])
    assert share == pytest.approx(59, abs=3)  # of a normal within 1.645 / 2 deviations
    assert "where 90% is promised" in sentences[0]
    assert "480 conversions of 40 logos" in sentences[0]


@pytest.mark.parametrize(
    ("changed", "is_named"),
    [
        ({}, False),
        ({"covered": 0.79, "high": 0.95}, True),  # below what is asked of every band
        ({"covered": 0.86, "high": 0.91}, False),  # by chance
        ({"covered": 0.86, "high": 0.89}, True),  # beyond chance
        ({"covered": 0.5, "high": 0.6, "n_logos": 4}, False),  # too few to say
    ],
)
def test_who_is_named(changed: dict[str, float], is_named: bool) -> None:
    assert bool(under_covered([line(**changed)], 0.9)) == is_named


def test_the_worst_covered_is_named_first() -> None:
    sentences = under_covered([line(covered=0.7), line(covered=0.4, name="photo")], 0.9)
    assert [sentence.split(":")[0] for sentence in sentences] == ["type photo", "type text"]


def test_chance_alone_leaves_logos_behind() -> None:
    groups = np.repeat(np.arange(172), 12)
    assert ideal_worst_twentieth(groups, 0.9) == pytest.approx(0.70, abs=0.01)
    many = np.repeat(np.arange(40), 5000)
    assert ideal_worst_twentieth(many, 0.9) == pytest.approx(0.9, abs=0.02)
    one_a_logo = np.arange(200)  # 20 of 200 are missed, and the worst 10 are among them
    assert ideal_worst_twentieth(one_a_logo, 0.9) == pytest.approx(0, abs=0.02)


def test_what_chance_leaves_is_the_lower_tail_of_the_binomial() -> None:
    n, level, n_logos = 12, 0.9, 2000
    share = stats.binom.pmf(np.arange(n + 1), n, level)
    taken = np.clip(0.05 - np.concatenate([[0], share.cumsum()[:-1]]), 0, share)
    expected = (taken * np.arange(n + 1)).sum() / 0.05 / n
    found = ideal_worst_twentieth(np.repeat(np.arange(n_logos), n), level, n_draws=100)
    assert found == pytest.approx(expected, abs=0.005)
