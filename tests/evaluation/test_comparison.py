"""Comparing two models: against SciPy, by hand, and how often noise is called a difference."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from svg_quality.errors import DatasetError, SettingsError
from svg_quality.evaluation.comparing.comparison import (
    Comparison,
    compare,
    find_regressions,
    group_means,
    holm,
    mean_difference,
)

K, M = 40, 8  # logos, rows of each
GROUPS = np.repeat(np.arange(K), M)


def errors(seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Absolute errors of two models on the same rows; logos differ, in both alike."""
    rng = np.random.default_rng(seed)
    hard = np.repeat(rng.gamma(2, 0.01, K), M)
    ours = hard + rng.gamma(2, 0.005, K * M)
    theirs = hard + rng.gamma(2, 0.005, K * M) + np.repeat(rng.normal(0, 0.002, K), M) + shift
    return ours, np.abs(theirs)


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_is_that_of_scipy(seed: int) -> None:
    ours, theirs = errors(seed, -0.002)
    got = mean_difference(ours, theirs, GROUPS, 0.0005, n_draws=4000)
    by_logo = (theirs - ours).reshape(K, M).mean(1)
    expected = stats.bootstrap(
        (by_logo,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(9)
    )
    width = got.high - got.low
    assert got.difference == pytest.approx(by_logo.mean())
    assert got.low == pytest.approx(expected.confidence_interval.low, abs=0.06 * width)
    assert got.high == pytest.approx(expected.confidence_interval.high, abs=0.06 * width)
    # for the mean of K logos the bootstrap's width is 2 x 1.96 x s / sqrt(K)
    assert width == pytest.approx(2 * 1.96 * by_logo.std() / K**0.5, rel=0.1)
    assert got.wilcoxon == pytest.approx(
        stats.wilcoxon(by_logo, method="approx", zero_method="pratt").pvalue
    )


def test_a_logo_with_many_rows_weighs_more_in_the_mean_of_rows() -> None:
    groups = np.repeat([0, 1], [1, 9])
    got = mean_difference(np.zeros(10), groups.astype(float), groups, 0.0)
    assert got.difference == pytest.approx(0.9)
    assert (got.low, got.high) == (0.0, 1.0)
    assert group_means(np.arange(10.0), groups).tolist() == [0.0, 5.0]


@pytest.mark.parametrize(("shift", "verdict"), [(-0.01, "better"), (0.01, "worse")])
def test_a_clear_difference_is_called_by_its_side(shift: float, verdict: str) -> None:
    got = mean_difference(*errors(1, shift), GROUPS, 0.0005)
    assert (got.verdict, got.difference < 0) == (verdict, shift < 0)
    swapped = mean_difference(*errors(1, shift)[::-1], GROUPS, 0.0005)
    assert {got.verdict, swapped.verdict} == {"better", "worse"}
    assert swapped.difference == pytest.approx(-got.difference)


def test_a_difference_within_the_tolerance_is_none() -> None:
    ours = errors(2)[0]
    got = mean_difference(ours, ours + 0.0004, GROUPS, 0.0005)
    assert (got.verdict, got.reason) == (
        "no difference", "the difference is within the tolerance")  # fmt: skip
    assert mean_difference(ours, ours, GROUPS, 0.0005).reason.startswith("the whole interval")
    assert mean_difference(ours, ours, GROUPS, 0.0005).wilcoxon is None


def test_few_logos_make_no_verdict() -> None:
    few = GROUPS < 9
    ours, theirs = errors(3, 0.05)
    got = mean_difference(ours[few], theirs[few], GROUPS[few], 0.0005)
    assert (got.verdict, got.reason) == ("no difference", "9 distinct logos are too few to tell")


def test_a_difference_made_by_one_logo_is_not_confirmed_by_wilcoxon() -> None:
    rng = np.random.default_rng(5)
    apart = np.repeat(rng.choice([-0.001, 0.001], K), M)
    apart[: 12 * M] = 0.2
    got = mean_difference(np.full(K * M, 0.3), 0.3 + apart - 0.0, GROUPS, 0.0005)
    assert got.verdict == "worse"
    half = apart.copy()
    half[: 12 * M] = np.repeat(np.r_[np.full(6, 0.25), np.full(6, -0.001)], M)
    got = mean_difference(np.full(K * M, 0.3), 0.3 + half, GROUPS, 0.0005)
    assert got.verdict == "worse"
    assert "few logos make the difference" in got.reason


def test_equal_models_are_called_equal() -> None:
    """Type I error of the verdict on noise: 200 pairs of models of one and the same quality."""
    called = [
        mean_difference(*errors(seed), GROUPS, 0.0, n_draws=400).verdict for seed in range(200)
    ]
    assert called.count("no difference") >= 180


def test_few_groups_regress_by_chance_alone() -> None:
    masks = {str(parity): parity == GROUPS % 2 for parity in (0, 1)} | {"all": GROUPS >= 0}
    false_alarms = sum(
        any(line.regressed for line in find_regressions(*errors(s), GROUPS, masks, 0.0, 400))
        for s in range(200)
    )
    assert false_alarms <= 20


def test_a_part_that_got_worse_is_found_although_the_whole_did_not() -> None:
    ours, theirs = errors(6)
    part = GROUPS < 12
    theirs = np.where(part, ours + 0.01, ours - 0.015)
    assert mean_difference(ours, theirs, GROUPS, 0.0005).verdict == "better"
    masks = {"part": part, "rest": ~part, "few": GROUPS < 5, "none": GROUPS < 0}
    lines = {line.name: line for line in find_regressions(ours, theirs, GROUPS, masks, 0.0005)}
    assert {name: line.regressed for name, line in lines.items()} == {
        "part": True, "rest": False, "few": False, "none": False}  # fmt: skip
    assert (lines["few"].p, lines["none"].difference) == (None, None)
    assert lines["part"].p_holm == pytest.approx(2 * lines["part"].p)  # two could be asked


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(p: list[float]) -> None:
    """Adjusted p of the k-th smallest: the largest of (m - j) p_(j) over j up to k."""
    ranked = sorted(p)
    m = len(p)
    for value, adjusted in zip(p, holm(p), strict=True):
        k = ranked.index(value) if p.count(value) == 1 else max(
            j for j, other in enumerate(ranked) if other == value)  # fmt: skip
        expected = min(1.0, max((m - j) * ranked[j] for j in range(k + 1)))
        assert adjusted == pytest.approx(expected)


def test_holm_of_a_textbook() -> None:
    # 0.01 x 4, then 0.015 x 3, then 0.02 x 2 below the one before, then 0.5
    assert holm([0.5, 0.01, 0.02, 0.015]) == pytest.approx([0.5, 0.04, 0.045, 0.045])
    assert holm([]) == []


def table(shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    ssim = rng.uniform(0.5, 1, K * M)
    sizes = rng.integers(100, 9999, K * M)
    everyday = rng.random(K * M) < 0.8
    return pd.DataFrame(
        {
            "group": GROUPS, "logo_type": np.where(GROUPS % 2, "text", "simple"), "ssim": ssim,
            "predicted_ssim": ssim + rng.normal(0, 0.02, K * M) + shift, "svg_bytes": sizes,
            "predicted_svg_bytes": sizes * np.exp(rng.normal(0, 0.2, K * M)),
            "everyday": everyday, "everyday_colour": everyday & (rng.random(K * M) < 0.5),
        }
    )  # fmt: skip


def test_all_regions_targets_and_parts_are_compared() -> None:
    got = compare(table(), table(0.05), 0.0005, 200)
    assert isinstance(got, Comparison)
    assert list(got.differences) == ["full", "everyday", "everyday_colour"]
    for by_target in got.differences.values():
        assert by_target["ssim"].verdict == "worse"
        assert by_target["log_bytes"].verdict == "no difference"
        assert by_target["log_bytes"].difference == 0
    full = got.differences["full"]
    assert full["ssim"].reference == pytest.approx(
        abs(table().ssim - table().predicted_ssim).mean()
    )
    assert [line.name for line in got.subgroups] == [
        "type simple", "type text", "SSIM below 0.6", "SSIM 0.6 to 0.8", "SSIM 0.8 and above"
    ]  # fmt: skip
    assert len(got.regressions) == 5


def test_refuses_draws_too_few_to_find_anything() -> None:
    """Of 5 questions the smallest corrected p is 5 / (n_draws + 1): 0.05 with 99 draws."""
    with pytest.raises(SettingsError, match=r"n_draws must be at least 100 .* got 99"):
        compare(table(), table(0.05), 0.0005, 99)
    assert compare(table(), table(0.05), 0.0005, 100).regressions


def test_refuses_errors_that_are_not_paired() -> None:
    with pytest.raises(DatasetError, match="paired and one or more, got 2, 3 and 3 groups"):
        mean_difference(np.zeros(2), np.zeros(3), np.zeros(3), 0.0)
    with pytest.raises(DatasetError, match="paired and one or more"):
        mean_difference(np.zeros(0), np.zeros(0), np.zeros(0), 0.0)
