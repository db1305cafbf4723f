"""A split in time leaks nothing: neither through a logo nor through a moment."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from svg_quality.dataset.splits.split import assign_temporal_splits
from svg_quality.errors import DatasetError

STRADDLES = "made on both sides of a cut in time"
LATE = "synthetic, and made after the training time"


def moment(minute: int) -> str:
    return (pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(minutes=minute)).isoformat()


def images_at(spans: list[tuple[int, int]], **columns: list[object]) -> pd.DataFrame:
    """Pictures made from one minute to another, each a group of its own."""
    return pd.DataFrame(
        {
            "group": range(len(spans)),
            "first_created": [moment(first) for first, _ in spans],
            "last_created": [moment(last) for _, last in spans],
            **columns,
        },
        index=[f"image{i}" for i in range(len(spans))],
    )


SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([0, 0, 1, 3, 20]), st.integers(0, 12),
              st.sampled_from([False, False, False, True])),
    min_size=3, max_size=40,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(SPANS)
def test_nothing_leaks_whatever_the_times(rows: list[tuple[int, int, int, bool]]) -> None:
    images = images_at(
        [(start, start + length) for start, length, _, _ in rows],
        group=[group for _, _, group, _ in rows],
        synthetic=[synthetic for _, _, _, synthetic in rows],
    )
    try:
        found = assign_temporal_splits(images)
    except DatasetError as error:
        assume("at least three groups" not in str(error))
        raise
    table = images.join(found)
    split_of = {name: table[table["split"] == name] for name in ("train", "validation", "test")}
    assert all(len(part) for part in split_of.values())
    starts = {k: pd.to_datetime(v["first_created"]).min() for k, v in split_of.items()}
    ends = {k: pd.to_datetime(v["last_created"]).max() for k, v in split_of.items()}
    assert ends["train"] < starts["validation"]
    assert ends["validation"] < starts["test"]
    assert (table.groupby("group")["split"].nunique(dropna=False) == 1).all()
    near_synthetic = table.groupby("group")["synthetic"].transform("any")
    assert table.loc[near_synthetic, "split"].dropna().eq("train").all()
    assert (table["split"].isna() == table["reason"].notna()).all()


@settings(deadline=None, max_examples=60)
@given(SPANS)
def test_it_refuses_only_where_no_split_exists(rows: list[tuple[int, int, int, bool]]) -> None:
    """Independent oracle: three real groups in a row, found by trying all triples."""
    spans = pd.DataFrame(rows, columns=["first", "length", "group", "synthetic"])
    spans["last"] = spans["first"] + spans["length"]
    groups = spans.groupby("group").agg(
        {"first": "min", "last": "max", "synthetic": "any"}
    )  # fmt: skip
    real = groups[~groups["synthetic"]][["first", "last"]].to_numpy().tolist()
    exists = any(a[1] < b[0] and b[1] < c[0] for a in real for b in real for c in real)
    images = images_at(list(zip(spans["first"], spans["last"], strict=True)))
    images = images.assign(group=spans["group"].to_numpy(), synthetic=spans["synthetic"].to_numpy())
    if exists:
        assign_temporal_splits(images)
    else:
        with pytest.raises(DatasetError, match="at least three groups of real logos"):
            assign_temporal_splits(images)


def test_a_steady_campaign_is_cut_at_its_shares() -> None:
    found = assign_temporal_splits(images_at([(10 * i, 10 * i + 5) for i in range(100)]))
    assert found["split"].tolist() == ["train"] * 80 + ["validation"] * 15 + ["test"] * 5
    assert found["reason"].isna().all()


def test_what_straddles_a_cut_or_is_synthetic_and_late_is_set_aside() -> None:
    spans = [(10 * i, 10 * i + 5) for i in range(100)]
    spans[3] = (30, 840)  # goes on into the validation's time
    spans[90] = (900, 996)  # from there into the test's
    synthetic = [i in (10, 85, 97) for i in range(100)]
    found = assign_temporal_splits(images_at(spans, synthetic=synthetic))
    assert found["reason"].iloc[[3, 90]].tolist() == [STRADDLES] * 2
    assert found["reason"].iloc[[85, 97]].tolist() == [LATE] * 2
    assert found["split"].iloc[10] == "train"
    assert found["reason"].notna().sum() == 4


def test_copies_made_at_other_times_do_not_starve_the_test() -> None:
    rng = np.random.default_rng(0)
    minutes = rng.permutation(1000).tolist()
    images = images_at([(minute, minute) for minute in minutes])
    images["group"] = [i - i % 2 if i < 240 else i for i in range(1000)]
    shares = assign_temporal_splits(images)["split"].value_counts(normalize=True)
    assert shares["validation"] == pytest.approx(0.15, abs=0.02)
    assert shares["test"] == pytest.approx(0.05, abs=0.01)


def test_times_are_compared_as_moments_not_as_text() -> None:
    images = images_at([(i, i) for i in range(3)])
    for column in ("first_created", "last_created"):
        images[column] = [
            "2026-01-01T12:00:00+00:00",
            "2026-01-01T08:00:00.500-05:00",
            "2026-01-01T14:00:00Z",
        ]
    found = assign_temporal_splits(images)
    assert found["split"].tolist() == ["train", "validation", "test"]


def test_refuses_times_that_it_cannot_read_or_part() -> None:
    images = images_at([(0, 0)] * 10)
    with pytest.raises(DatasetError, match="got 10 groups made over overlapping times"):
        assign_temporal_splits(images)
    with pytest.raises(DatasetError, match="created_at must be a date and time of ISO 8601"):
        assign_temporal_splits(images.assign(first_created="yesterday"))
    with pytest.raises(DatasetError, match="picture image0 lacks it"):
        assign_temporal_splits(images.assign(first_created=None))
