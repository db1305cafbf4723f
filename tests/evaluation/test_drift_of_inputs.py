"""Drift: by the written-out formulas, by SciPy, and at the rate of false alarms it states."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from svg_quality.errors import DatasetError
from svg_quality.evaluation.live.drift import (
    MIN_PICTURES,
    input_drift,
    ks_distance,
    ks_p_value,
    psi,
    psi_by_chance,
)

NUMBERS = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 1)), min_size=1, max_size=40)
NOBODY = np.zeros(0, bool)


def written_out_psi(reference: list[float], served: list[float], n_bins: int) -> float:
    """Bins one by one, by comparing; nothing is sorted into arrays."""
    ordered = sorted(reference)
    ends = [ordered[max(math.ceil(len(ordered) * k / n_bins) - 1, 0)] for k in range(1, n_bins)]
    cuts = []
    for end in ends:
        if ends.count(end) > 1:
            cuts.append(math.nextafter(end, -math.inf))
        cuts.append(end)
    edges = [-math.inf, *sorted(set(cuts)), math.inf]
    bins = []
    for low, high in pairwise(edges):
        a = sum(low < x <= high for x in reference)
        b = sum(low < x <= high for x in served)
        if a + b:
            bins.append((a, b))
    total = 0.0
    for a, b in bins:
        p = (a + 0.5) / (len(reference) + 0.5 * len(bins))
        q = (b + 0.5) / (len(served) + 0.5 * len(bins))
        total += (q - p) * math.log(q / p)
    return total


@settings(deadline=None)
@given(NUMBERS, NUMBERS, st.integers(2, 12))
def test_psi_is_the_written_out_one(a: list[float], b: list[float], n_bins: int) -> None:
    found = psi(np.array(a), np.array(b), n_bins)
    assert found == pytest.approx(written_out_psi(a, b, n_bins), abs=1e-9)
    assert found >= 0


@settings(deadline=None)
@given(NUMBERS)
def test_nothing_moves_beside_itself(values: list[float]) -> None:
    same = np.array(values)
    assert psi(same, same) == pytest.approx(0, abs=1e-12)
    assert ks_distance(same, same) == 0


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_ks_is_the_loop_and_scipys(a: list[float], b: list[float]) -> None:
    found = ks_distance(np.array(a), np.array(b))
    loop = max(abs(sum(x <= v for x in a) / len(a) - sum(x <= v for x in b) / len(b))
               for v in a + b)  # fmt: skip
    assert found == pytest.approx(loop, abs=1e-12)
    if len(a) == len(b) == 1:  # SciPy divides by zero
        return
    theirs = stats.ks_2samp(a, b, method="asymp")
    assert found == pytest.approx(theirs.statistic, abs=1e-12)
    assert ks_p_value(found, len(a), len(b)) == pytest.approx(theirs.pvalue, abs=1e-9)


def test_psi_by_hand() -> None:
    """Halves of 10 and 10 against 2 and 18; (10.5, 10.5)/21 against (2.5, 18.5)/21."""
    reference, served = np.repeat([0.0, 1.0], 10), np.repeat([0.0, 1.0], [2, 18])
    p, q = (0.5, 0.5), (2.5 / 21, 18.5 / 21)
    expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert psi(reference, served, 2) == pytest.approx(expected)
    assert expected == pytest.approx(0.7625, abs=1e-4)


def test_what_psi_comes_to_by_chance() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=1000)
    found = [psi(rng.normal(size=1000), rng.normal(size=100)) for _ in range(300)]
    assert psi_by_chance(reference, 100) == pytest.approx(9 * (1 / 1000 + 1 / 100))
    assert np.mean(found) == pytest.approx(psi_by_chance(reference, 100), rel=0.1)


def pictures(rng: np.random.Generator, n: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    """56 numbers that go together, a third of them mostly 0, as shares are."""
    common = rng.normal(size=(n, 4)) @ np.random.default_rng(7).normal(size=(4, 56))
    values = common + rng.normal(size=(n, 56)) + shift
    values[:, ::3] = np.maximum(values[:, ::3], 0)
    return {f"number {k}": values[:, k] for k in range(56)}


def test_false_alarms_are_as_rare_as_stated() -> None:
    rng = np.random.default_rng(1)
    found = [
        input_drift(pictures(rng, 800), pictures(rng, 60), rng.random(60) < 0.01).verdict
        for _ in range(40)
    ]
    assert stats.binomtest(found.count("drift"), 40, 0.05, alternative="greater").pvalue > 0.01


def test_a_shift_is_found_and_named_first() -> None:
    rng = np.random.default_rng(2)
    reference, served = pictures(rng, 800), pictures(rng, 60)
    served["number 7"] = served["number 7"] + 4
    told = input_drift(reference, served, np.zeros(60, bool))
    assert told.verdict == "drift"
    assert told.drifted[0].name == told.numbers[0].name == "number 7"
    assert "number 7 (PSI" in told.reason
    assert told.numbers[0].served_median > told.numbers[0].reference_median


def test_unlike_pictures_alone_are_drift() -> None:
    rng = np.random.default_rng(3)
    reference, served = pictures(rng, 800), pictures(rng, 60)
    told = input_drift(reference, served, np.arange(60) < 12)
    assert told.verdict == "drift"
    assert told.unlike is not None
    assert (told.unlike.n_unlike, told.unlike.share) == (12, 0.2)
    tail = stats.binomtest(12, 60, 0.01, alternative="greater").pvalue
    assert told.unlike.p == pytest.approx(tail)
    exact = stats.binomtest(12, 60).proportion_ci(0.95, method="exact")
    assert (told.unlike.low, told.unlike.high) == pytest.approx((exact.low, exact.high))
    assert "20% of the pictures are unlike" in told.reason
    assert input_drift(reference, served, np.arange(60) < 1).verdict == "no drift"


def test_a_small_change_of_many_pictures_is_no_drift() -> None:
    rng = np.random.default_rng(5)
    told = input_drift(
        {"x": rng.normal(size=20_000)}, {"x": rng.normal(0.15, 1, size=20_000)}, NOBODY
    )
    assert told.numbers[0].p_holm < 1e-6
    assert told.verdict == "no drift"


def test_a_large_change_of_few_pictures_is_not_enough() -> None:
    rng = np.random.default_rng(4)
    served = pictures(rng, MIN_PICTURES - 1, shift=10)
    told = input_drift(pictures(rng, 800), served, np.ones(MIN_PICTURES - 1, bool))
    assert told.verdict == "not enough"
    assert "29 pictures were served, a verdict takes 30" in told.reason
    assert not told.drifted


def test_a_value_many_pictures_share_is_no_drift_whatever_lies_around_it() -> None:
    constant = {"x": np.zeros(500)}
    assert input_drift(constant, {"x": np.zeros(50)}, NOBODY).verdict == "no drift"
    for other in (-1e-9, 1e-9):
        told = input_drift(constant, {"x": np.full(50, other)}, NOBODY)
        assert told.verdict == "drift"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_the_order_of_pictures_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=50), rng.normal(size=40)
    once = input_drift({"x": a}, {"x": b}, NOBODY)
    again = input_drift({"x": rng.permutation(a)}, {"x": rng.permutation(b)}, NOBODY)
    assert once == again


def test_refusals() -> None:
    one = np.ones(3)
    with pytest.raises(DatasetError, match="must have the same numbers, they differ in b"):
        input_drift({"a": one, "b": one}, {"a": one}, NOBODY)
    with pytest.raises(DatasetError, match="must be finite"):
        input_drift({"a": one}, {"a": np.array([1.0, np.nan])}, NOBODY)
