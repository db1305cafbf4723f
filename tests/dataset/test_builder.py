"""What a builder plans, and that it adds up."""

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.dataset.augmentation.builder import DatasetBuilder
from svg_quality.dataset.targets import TYPE_SHARES, compare_with_targets, ssim_cells, type_quotas
from svg_quality.errors import DatasetError

COUNTS = st.dictionaries(
    st.tuples(st.sampled_from(list(TYPE_SHARES)), st.booleans()), st.integers(0, 60)
)


def table_of(counts: dict[tuple[str, bool], int]) -> pd.DataFrame:
    rows = [
        {"image_id": f"{kind}{drawn}{n // 4}", "conversion_id": f"{kind}{drawn}{n}",
         "logo_type": kind, "synthetic": drawn, "ssim": 0.3 + 0.7 * (n % 10) / 10}
        for (kind, drawn), size in counts.items() for n in range(size)
    ]  # fmt: skip
    columns = {"image_id": "str", "conversion_id": "str", "logo_type": "str",
               "synthetic": "bool", "ssim": "float64"}  # fmt: skip
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


@settings(max_examples=40, deadline=None)
@given(COUNTS, st.integers(0, 300), st.sampled_from([0.0, 0.1, 0.2, 0.5]))
def test_synthetic_rows_fill_deficits_and_stay_under_their_share(counts, target, share):
    table = table_of(counts)
    plan = DatasetBuilder(synthetic_share=share).plan(table, target)
    assert all(plan.synthetic_rows[k] <= plan.deficits[k] for k in TYPE_SHARES)
    added = [
        pd.DataFrame({"image_id": f"new{k}", "conversion_id": [f"new{k}{i}" for i in range(n)],
                      "logo_type": k, "synthetic": True, "ssim": 0.9})
        for k, n in plan.synthetic_rows.items() if n
    ]  # fmt: skip
    if not added:
        return
    after = pd.concat([table, *added], ignore_index=True)
    chosen = after[DatasetBuilder(synthetic_share=share).plan(after, target).selected]
    assert chosen["synthetic"].sum() <= share * len(chosen) + 1e-9


def test_shares_are_reached_where_they_may_be():
    counts = {("simple", False): 90, ("gradient", False): 75, ("text", False): 60,
              ("complex", False): 20}  # fmt: skip
    plan = DatasetBuilder(sets_per_image=10, synthetic_share=0.2).plan(table_of(counts), 300)
    assert plan.deficits == {"simple": 0, "text": 15, "gradient": 0, "complex": 40}
    assert plan.real_images == {"simple": 0, "text": 2, "gradient": 0, "complex": 4}
    assert plan.synthetic_rows == plan.deficits  # 55 of 300 is less than a fifth
    little = DatasetBuilder(synthetic_share=0.1).plan(table_of(counts), 300)
    allowed = math.floor(0.1 / 0.9 * 245)
    assert allowed - 2 < sum(little.synthetic_rows.values()) <= allowed


@settings(max_examples=40, deadline=None)
@given(COUNTS, st.integers(0, 300))
def test_a_plan_tells_what_a_count_tells(counts, target):
    table = table_of(counts)
    plan = DatasetBuilder().plan(table, target)
    assert plan.supply == compare_with_targets(table, target)
    for name, quota in type_quotas(target).items():
        n = int((table["logo_type"] == name).sum())
        assert plan.deficits[name] == max(0, quota - n)
        cells = ssim_cells(table["ssim"])[table["logo_type"] == name].value_counts()
        expected = [max(0, quota // 7 - int(cells.get(c, 0))) for c in range(7)]
        assert plan.cell_deficits[name] == expected


@pytest.fixture
def converted(make_row: Any) -> pd.DataFrame:
    """Few colour bits gave a low SSIM on some logos; others were never tried with few."""
    rows = []
    for n in range(12):
        bits = range(1 if n < 6 else 5, 9)
        rows += [make_row(f"logo{n}", color_precision=b, ssim=0.25 + 0.09 * b) for b in bits]
    rows.append(make_row("drawn", color_precision=1, ssim=0.34, synthetic=True))
    return pd.DataFrame(rows)


def test_further_sets_are_those_that_gave_the_missing_quality_elsewhere(converted):
    builder = DatasetBuilder(sets_per_image=8)
    plan = builder.plan(converted, 300)
    done = set(converted[["image_id", *NAMES]].itertuples(index=False, name=None))
    tried = [(t.image_id, *t.parameters.as_dict().values()) for t in plan.further_sets]
    assert len(set(tried)) == len(tried) > 0
    assert not set(tried) & done
    measured = {(0.25 + 0.09 * bits): bits for bits in range(1, 9)}
    for trial in plan.further_sets:
        cells = ssim_cells(pd.Series(list(measured)))
        gave = [b for b, c in zip(measured.values(), cells, strict=True) if c == trial.cell]
        assert trial.parameters == Parameters(color_precision=trial.parameters.color_precision)
        assert trial.parameters.color_precision in gave
    drawn = converted.loc[converted["synthetic"], "image_id"].iloc[0]
    assert drawn not in {t.image_id for t in plan.further_sets}


def test_no_picture_gets_more_sets_than_allowed(converted):
    plan = DatasetBuilder(sets_per_image=4, max_sets_per_image=6).plan(converted, 10_000)
    added = pd.Series([t.image_id for t in plan.further_sets]).value_counts()
    before = converted.groupby("image_id").size()
    assert not added.empty
    assert all(n + before[name] <= max(6, before[name]) for name, n in added.items())


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(61)))
def test_a_plan_does_not_depend_on_the_order_of_rows(order):
    table = table_of({("simple", False): 41, ("text", True): 20})
    table = table.assign(**Parameters().as_dict())
    table["layer_difference"] = range(61)
    builder = DatasetBuilder(sets_per_image=4, max_sets_per_image=9)
    one, other = builder.plan(table, 250), builder.plan(table.iloc[order], 250)
    assert len(one.further_sets) > 0
    assert one.further_sets == other.further_sets
    assert one.selected.equals(other.selected.sort_index())


def test_refuses_shares_and_sets_out_of_range():
    with pytest.raises(DatasetError, match=r"synthetic_share must be in \[0, 1\), got 1"):
        DatasetBuilder(synthetic_share=1.0)
    with pytest.raises(DatasetError, match="sets_per_image must be at least 1, got 0"):
        DatasetBuilder(sets_per_image=0)
