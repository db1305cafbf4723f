"""Laws of a balanced selection, and an independent count of what it should choose."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.dataset.augmentation.selection import fill_evenly, hash_order, select_balanced
from svg_quality.dataset.targets import TYPE_SHARES, compare_with_targets, type_quotas
from svg_quality.errors import DatasetError

TYPES = list(TYPE_SHARES)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 12),  # image
        st.sampled_from(TYPES),
        st.one_of(st.none(), st.floats(-1, 1)),
    ),
    max_size=60,
)


def table(rows: list[tuple[int, str, float | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["image_id", "logo_type", "ssim"])
    frame["image_id"] = frame["image_id"].astype("str")
    frame["conversion_id"] = [hashlib.sha256(f"{i}".encode()).hexdigest() for i in frame.index]
    return frame.astype({"ssim": "float64", "logo_type": "str"})


@settings(deadline=None)
@given(ROWS, st.integers(0, 80), st.integers(0, 3))
def test_takes_a_types_quota_or_all_it_has_and_never_a_failure(rows, target, seed):
    frame = table(rows)
    chosen = select_balanced(frame, target, seed)
    assert chosen.dtype == bool
    assert chosen.index.equals(frame.index)
    assert not chosen[frame["ssim"].isna()].any()
    measured = frame[frame["ssim"].notna()]
    for name, quota in type_quotas(target).items():
        supply = int((measured["logo_type"] == name).sum())
        assert int((frame[chosen]["logo_type"] == name).sum()) == min(quota, supply)
    assert chosen.sum() <= target


@settings(deadline=None)
@given(ROWS, st.integers(0, 80), st.integers(0, 3), st.randoms(use_true_random=False))
def test_does_not_depend_on_the_order_of_rows_or_on_the_index(rows, target, seed, random):
    frame = table(rows)
    order = list(range(len(frame)))
    random.shuffle(order)
    shuffled = frame.iloc[order].reset_index(drop=True)
    names = set(frame["conversion_id"][select_balanced(frame, target, seed)])
    again = shuffled["conversion_id"][select_balanced(shuffled, target, seed)]
    assert again.is_unique
    assert set(again) == names


def deficits(frame: pd.DataFrame, chosen: "pd.Series[bool]", target: int) -> dict[str, list[int]]:
    types = compare_with_targets(frame[chosen], target)["types"]
    return {name: [types[name]["deficit"], *types[name]["cell_deficits"]] for name in TYPES}


@settings(deadline=None)
@given(ROWS, ROWS, st.integers(0, 80))
def test_more_to_choose_from_never_gives_a_worse_balance(rows, more, target):
    small, large = table(rows), table(rows + more)
    before = deficits(small, select_balanced(small, target, 0), target)
    after = deficits(large, select_balanced(large, target, 0), target)
    for name in TYPES:
        assert all(a <= b for a, b in zip(after[name], before[name], strict=True))


CELLS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 15)), min_size=1, max_size=7)


@given(CELLS, st.integers(0, 120))
def test_filling_agrees_with_one_drop_at_a_time(cells, amount):
    """Pour one unit after another into the lowest cell that can still take some."""
    supply, held = (np.array(column) for column in zip(*cells, strict=True))
    slow = np.zeros(len(supply), dtype=int)
    for _ in range(min(amount, supply.sum())):
        open_cells = [i for i in range(len(supply)) if slow[i] < supply[i]]
        slow[min(open_cells, key=lambda i: slow[i] + held[i])] += 1
    fast = fill_evenly(supply, amount, held)
    assert (fast <= supply).all()
    assert fast.sum() == slow.sum()
    assert sorted(fast + held) == sorted(slow + held)


@given(st.integers(0, 10_000))
def test_quotas_add_up_and_are_within_one_of_the_shares(target):
    quotas = type_quotas(target)
    assert sum(quotas.values()) == target
    assert all(abs(quotas[name] - share * target) < 1 for name, share in TYPE_SHARES.items())


def test_a_cell_takes_many_images_before_many_rows_of_one():
    frame = table([(n // 10, "simple", 0.85) for n in range(100)])
    chosen = frame[select_balanced(frame, 20, 0)]  # 6 of type simple
    assert chosen["image_id"].nunique() == 6
    frame["group"] = frame["image_id"].astype(int) // 5  # two groups of five images
    per_group = frame[select_balanced(frame, 20, 0)].groupby("group")["image_id"]
    assert per_group.size().tolist() == [3, 3]
    assert per_group.nunique().tolist() == [3, 3]


def test_synthetic_rows_only_fill_what_real_ones_leave():
    frame = table([(n, "text", 0.95) for n in range(60)])
    frame["synthetic"] = np.arange(60) >= 20
    enough = frame[select_balanced(frame, 80, 0)]  # 20 of type text
    assert (len(enough), enough["synthetic"].sum()) == (20, 0)
    short = frame[select_balanced(frame, 200, 0)]  # 50 of type text
    assert (len(short), short["synthetic"].sum()) == (50, 30)
    frame.loc[40:, "ssim"] = 0.65
    low = frame[select_balanced(frame, 120, 0)]  # 30: 20 real at 0.95, 10 into the empty cell
    assert low.loc[low["synthetic"], "ssim"].tolist() == [0.65] * 10


def test_rows_below_the_span_come_last():
    frame = table([(n, "text", 0.1 if n % 2 else 0.95) for n in range(20)])
    assert (frame[select_balanced(frame, 32, 0)]["ssim"] > 0.9).all()  # 8 wanted, 10 there
    chosen = frame[select_balanced(frame, 60, 0)]
    assert (chosen["ssim"] < 0.3).sum() == 5  # 15 wanted: all ten and five more


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_another_seed_makes_another_choice_among_equals(seed):
    frame = table([(n, "simple", 0.85) for n in range(200)])
    one, other = (select_balanced(frame, 300, s) for s in (seed, seed + 1))
    assert one.sum() == other.sum() == 90
    assert (one != other).any()


def test_the_order_of_equals_is_that_of_blake2b():
    """Written out: BLAKE2b of "seed:name", 8 bytes, big-endian."""
    expected = int.from_bytes(hashlib.blake2b(b"7:abcdef", digest_size=8).digest(), "big")
    assert hash_order(7, ["abcdef"]).tolist() == [expected]


def test_a_comparison_counts_what_is_there():
    frame = table([(0, "simple", 0.95), (1, "simple", 0.35), (2, "text", 0.2), (3, "text", None)])
    found = compare_with_targets(frame, 100)
    assert (found["rows"], found["missing"], found["below_span"]) == (3, 97, 1)
    assert found["types"]["simple"] == {
        "rows": 2, "share": 0.6667, "target": 30, "deficit": 28, "below_span": 0,
        "cells": [1, 0, 0, 0, 0, 0, 1], "cell_target": 4, "cell_deficits": [3, 4, 4, 4, 4, 4, 3],
        "target_share": 0.3,
    }  # fmt: skip
    assert found["share_distance"] == pytest.approx((0.3667 + 0.0833 + 0.25 + 0.2) / 2, abs=1e-3)
    assert compare_with_targets(frame.iloc[:0])["share_distance"] is None


def test_refuses_what_it_cannot_choose_from():
    frame = table([(0, "simple", 0.9), (1, "text", 0.8)])
    with pytest.raises(DatasetError, match=r"target_samples must be at least 0, got -1"):
        select_balanced(frame, -1, 0)
    with pytest.raises(DatasetError, match=r"a logo type must be one of simple, .*, got photo"):
        select_balanced(frame.assign(logo_type="photo"), 1, 0)
    with pytest.raises(DatasetError, match=r"a conversion must be in a table once, x is not"):
        select_balanced(frame.assign(conversion_id="x"), 1, 0)
