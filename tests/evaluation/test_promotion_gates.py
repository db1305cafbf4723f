"""The gates before Production, on errors whose answer is known beforehand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from svg_quality.evaluation.promotion_gates import (
    Gate,
    answered,
    better,
    covers,
    is_decided,
    median_ratio,
    not_slower,
    refusal,
    sane,
    unseen,
)

N_LOGOS, N_SETS = 60, 8


def rows(error: float = 0.02, seed: int = 0, n_logos: int = N_LOGOS) -> pd.DataFrame:
    """Test rows; a model that errs so much, with intervals that hold 90% of them."""
    rng = np.random.default_rng(1)
    n = n_logos * N_SETS
    said = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "group": np.repeat(np.arange(n_logos), N_SETS),
            "logo_type": np.resize(["simple", "text"], n),
            "ssim": rng.uniform(0.5, 0.9, n),
            "svg_bytes": rng.integers(500, 5000, n),
            "everyday": np.resize([True, True, False, True], n),
            "everyday_colour": np.resize([True, False, False, True], n),
        }
    )
    off, reach = said.normal(0, error, n), 1.645 * error
    ratio = np.exp(said.normal(0, 10 * error, n))
    predicted, size = frame["ssim"] + off, frame["svg_bytes"] * ratio
    return frame.assign(
        predicted_ssim=predicted, ssim_low=predicted - reach, ssim_high=predicted + reach,
        predicted_svg_bytes=size, bytes_low=size * np.exp(-10 * reach),
        bytes_high=size * np.exp(10 * reach),
    )  # fmt: skip


PROMISED = {"ssim": 0.9, "log_bytes": 0.9}


def test_half_the_error_is_better_and_twice_is_not() -> None:
    champion = rows(0.02)
    gate = better(champion, rows(0.01, 1), 500)
    assert gate.passed
    assert gate.reason.startswith("it errs less: mean absolute error of SSIM 0.0")
    told = gate.figures["differences"]["full"]["ssim"]
    assert told["high"] < 0
    assert told["n_groups"] == N_LOGOS
    assert set(gate.figures["differences"]) == {"full", "everyday", "everyday_colour"}
    worse = better(champion, rows(0.04, 1), 500)
    assert not worse.passed
    assert worse.reason.startswith("it errs more: mean absolute error of SSIM")


def test_an_equal_model_is_no_difference() -> None:
    gate = better(rows(0.02, 3), rows(0.02, 4), 500)
    assert not gate.passed
    assert gate.reason.startswith("it is not shown to err less: mean absolute error of SSIM")
    assert not better(rows(0.02), rows(0.02), 500).passed


def test_a_better_ssim_does_not_pay_for_worse_bytes() -> None:
    challenger = rows(0.01, 1)
    challenger["predicted_svg_bytes"] *= 3
    gate = better(rows(0.02), challenger, 500)
    assert not gate.passed
    assert gate.reason.startswith("it errs more in the full region: mean absolute error of log byt")


def test_a_better_whole_does_not_pay_for_a_worse_everyday_region() -> None:
    champion, everyday = rows(0.02), rows()["everyday"]
    challenger = champion.copy()
    champion.loc[~everyday, "predicted_ssim"] += 0.3
    challenger.loc[everyday, "predicted_ssim"] += 0.03
    gate = better(champion, challenger, 500)
    assert not gate.passed
    assert gate.reason.startswith("it errs more in the everyday region: mean absolute error of SSI")


def test_intervals_that_hold_as_often_as_they_promise_pass() -> None:
    gate = covers(rows(), PROMISED, 500)
    assert gate.passed
    told = gate.figures["regions"]["full"]["ssim"]
    assert told["share"] == pytest.approx(0.9, abs=0.03)
    assert told["low"] < told["share"] < told["high"]
    assert gate.figures["ssim_bands"].keys() == {"below 0.6", "0.6 to 0.8", "0.8 and above"}


@pytest.mark.parametrize(("target", "named"), [("ssim", "SSIM"), ("bytes", "bytes")])
def test_intervals_half_as_wide_are_refused(target: str, named: str) -> None:
    frame, centre = rows(), {"ssim": "predicted_ssim", "bytes": "predicted_svg_bytes"}[target]
    for end in (f"{target}_low", f"{target}_high"):
        frame[end] = (frame[end] + frame[centre]) / 2
    gate = covers(frame, PROMISED, 500)
    assert not gate.passed
    assert gate.reason.startswith(f"its intervals of {named} promise 90% and hold ")


def missed(share: float, n_logos: int) -> pd.DataFrame:
    """Rows of which exactly so many lie outside the interval, spread over the logos."""
    frame = rows(n_logos=n_logos)
    frame[["ssim_low", "ssim_high"]] = frame[["ssim", "ssim"]].to_numpy() + np.array([-0.1, 0.1])
    frame[["bytes_low", "bytes_high"]] = frame[["svg_bytes", "svg_bytes"]].to_numpy() * np.array(
        [0.5, 2]
    )
    lost = np.random.default_rng(2).permutation(len(frame))[: round(share * len(frame))]
    frame.loc[lost, "ssim_low"] = frame.loc[lost, "ssim_high"]
    return frame


@pytest.mark.parametrize(
    ("share_missed", "n_logos", "passed"),
    [
        (0.12, 400, True),  # surely below 90%, but by less than 0.05
        (0.18, 400, False),  # more than 0.05 below, and no accident
        (0.25, 60, False),
        (0.16, 12, True),  # more than 0.05 below, but twelve logos may do that
    ],
)
def test_a_shortfall_counts_where_it_is_large_and_no_accident(
    share_missed: float, n_logos: int, passed: bool
) -> None:
    gate = covers(missed(share_missed, n_logos), PROMISED, 1000)
    assert gate.figures["regions"]["full"]["ssim"]["share"] == pytest.approx(
        1 - share_missed, abs=0.01
    )
    assert gate.passed is passed


def test_too_few_logos_tell_nothing_and_refuse_only_a_challenger() -> None:
    few = missed(1.0, 5)
    assert not covers(few, PROMISED, 100).passed
    first = covers(few, PROMISED, 100, first=True)
    assert first.passed
    assert first.reason == "not judged on 5 distinct test logos, where 10 would tell"
    assert not covers(missed(1.0, 20), PROMISED, 100, first=True).passed


def test_sanity_counts_each_fault() -> None:
    assert sane(rows()).passed
    for column, value, fault in (
        ("predicted_ssim", np.nan, "1 of 480 are not finite"),
        ("predicted_svg_bytes", 0.0, "1 of 480 are bytes not above 0"),
        ("ssim_high", -1.0, "1 of 480 are outside their own interval"),
    ):
        frame = rows()
        frame.loc[3, column] = value
        gate = sane(frame)
        assert not gate.passed
        assert gate.reason == f"its predictions are not sound: {fault}"
    same = rows().assign(predicted_ssim=0.7, ssim_low=0.1, ssim_high=0.9)
    assert sane(same).reason.endswith("480 of 480 are the same")


@given(st.integers(6, 120), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_the_interval_of_the_median_is_that_of_the_sign_test(n: int, seed: int) -> None:
    """Against SciPy's quantile_test, which inverts the same binomial."""
    ratios = np.random.default_rng(seed).lognormal(0, 0.3, n)
    found = median_ratio(ratios.tolist(), [1.0] * n)
    told = stats.quantile_test(ratios, q=0, p=0.5).confidence_interval(0.95)
    assert found.median == pytest.approx(np.median(ratios))
    assert (found.low, found.high) == pytest.approx((told.low, told.high))


def test_one_disturbed_pair_in_ten_moves_the_ratio_little() -> None:
    rng = np.random.default_rng(0)
    champion = rng.normal(1, 0.02, 40)
    challenger = 1.1 * rng.normal(1, 0.02, 40)
    challenger[::10] *= 20
    ratio = median_ratio(challenger.tolist(), champion.tolist())
    assert ratio.median == pytest.approx(1.1, abs=0.03)
    assert is_decided(ratio, 0.2)
    assert not is_decided(ratio, 0.1)
    gate = not_slower(ratio, 0.2, {"champion": 1000.0, "challenger": 1100.0})
    assert gate.passed
    assert "at most 1.20 is allowed" in gate.reason
    assert not not_slower(ratio, 0.05, {}).passed


def test_counts_and_the_refusal_say_what_is_missing() -> None:
    assert unseen(58, 60, 0).reason == "58 distinct test logos that neither model learned from"
    few = unseen(9, 9, 3)
    assert not few.passed
    assert few.reason.startswith(
        "at least 10 distinct test logos must tell, and there are 9; 3 pict"
    )
    assert answered(95, 100).passed
    assert not answered(94, 100).passed
    no, yes = Gate("a", False, "too dark"), Gate("b", True, "fine")
    assert refusal([no, yes, Gate("c", False, "too late")]) == "too dark; too late"
    assert refusal([yes]) == ""
    assert no.as_dict() == {"name": "a", "passed": False, "reason": "too dark", "figures": {}}
