"""A split keeps logos apart, meets its shares in every stratum, and shows no synthetic logo."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.dataset.splits.allotment import allot, describe_groups
from svg_quality.dataset.splits.split import SHARES, SPLITS, assign_splits, quality_bands
from svg_quality.errors import DatasetError

TYPES = ("simple", "text", "gradient", "complex")


def many_images(n: int = 600, group_size: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "logo_type": rng.choice(TYPES, n, p=[0.5, 0.3, 0.15, 0.05]),
            "mean_ssim": rng.beta(8, 2, n),
            "group": np.arange(n) // group_size,
        },
        index=[f"image{i}" for i in range(n)],
    )


@st.composite
def any_images(draw: st.DrawFn, min_real: int = 3) -> pd.DataFrame:
    """Groups of all sizes, some with synthetic pictures; at least ``min_real`` without."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=min_real, max_size=30))
    drawn = [False] * min_real + [draw(st.booleans()) for _ in sizes[min_real:]]
    rows = [
        {
            "group": 7 * number % 101,
            "synthetic": synthetic and place % 2 == 0,
            "logo_type": draw(st.sampled_from(TYPES)),
            "mean_ssim": draw(st.floats(-1, 1)),
        }
        for number, (size, synthetic) in enumerate(zip(sizes, drawn, strict=True))
        for place in range(size)
    ]
    return pd.DataFrame(rows, index=[f"image{i}" for i in range(len(rows))])


@settings(deadline=None, max_examples=40)
@given(any_images(), st.integers(0, 5))
def test_no_split_is_empty_no_group_torn_and_no_synthetic_held_out(
    images: pd.DataFrame, seed: int
) -> None:
    images["split"] = assign_splits(images, seed)
    assert set(images["split"]) == set(SPLITS)
    assert (images.groupby("group")["split"].nunique() == 1).all()
    near_synthetic = images.groupby("group")["synthetic"].transform("any")
    assert (images.loc[near_synthetic, "split"] == "train").all()


def test_the_shares_are_met() -> None:
    images = many_images()
    images["split"] = assign_splits(images, seed=4)
    shares = images["split"].value_counts(normalize=True)
    for split, share in SHARES.items():
        assert shares[split] == pytest.approx(share, abs=0.005)


def test_shares_are_of_the_real_logos() -> None:
    images = many_images(1000, group_size=1).assign(synthetic=False)
    images.iloc[:200, images.columns.get_loc("synthetic")] = True
    splits = assign_splits(images, seed=0)
    assert splits.value_counts().to_dict() == {"train": 840, "validation": 120, "test": 40}


def test_types_and_bands_are_spread_evenly() -> None:
    images = many_images(2000)
    images["split"] = assign_splits(images, seed=4)
    by_type = images.groupby("split")["logo_type"].value_counts(normalize=True).unstack()
    assert (by_type.loc["train"] - by_type.loc["validation"]).abs().max() < 0.02
    assert (by_type.loc["train"] - by_type.loc["test"]).abs().max() < 0.02
    means = images.groupby("split")["mean_ssim"].mean()
    assert means.max() - means.min() < 0.02


def test_strata_of_single_logos_are_shared_out_to_within_one() -> None:
    images = many_images(3000, group_size=1)
    images["split"] = assign_splits(images, seed=2)
    images["band"] = quality_bands(images["mean_ssim"])
    for _, stratum in images.groupby(["logo_type", "band"]):
        for split, share in SHARES.items():
            assert abs((stratum["split"] == split).sum() - share * len(stratum)) < 2


def test_it_is_as_even_as_scikit_learns_stratified_folds() -> None:
    """Independent oracle: the largest deviation of a type's share over 5 folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    images = many_images(1200, group_size=3)
    theirs = pd.Series(0, index=images.index)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for fold, (_, members) in enumerate(folds.split(images, images["logo_type"], images["group"])):
        theirs.iloc[members] = fold
    ours = images["group"].map(allot(describe_groups(images), [0.2] * 5, seed=0))

    def unevenness(fold: "pd.Series[int]") -> float:
        shares = images.groupby(fold)["logo_type"].value_counts(normalize=True).unstack()
        return float((shares - shares.mean()).abs().to_numpy().max())

    assert unevenness(ours) < unevenness(theirs) + 0.02


@pytest.mark.parametrize(
    ("n", "expected"),
    [(3, (1, 1, 1)), (4, (2, 1, 1)), (10, (8, 1, 1)), (19, (15, 3, 1)), (20, (16, 3, 1))],
)
def test_few_logos_are_split_as_near_to_the_shares_as_can_be(
    n: int, expected: tuple[int, int, int]
) -> None:
    images = many_images(n, group_size=1).assign(logo_type="simple", mean_ssim=0.97)
    counts = assign_splits(images, seed=0).value_counts()
    assert tuple(counts[list(SPLITS)]) == expected


def test_a_split_does_not_depend_on_order_or_group_numbers_but_on_the_seed() -> None:
    images = many_images()
    first = assign_splits(images, seed=4)
    shuffled = images.sample(frac=1, random_state=3)
    assert first.equals(assign_splits(shuffled, seed=4).reindex(first.index))
    renamed = images.assign(group=1000 - images["group"])
    assert first.equals(assign_splits(renamed, seed=4))
    assert not first.equals(assign_splits(images, seed=5))


def test_refuses_to_split_too_few() -> None:
    with pytest.raises(DatasetError, match="at least 3 distinct real logos, got 2"):
        assign_splits(many_images(4), seed=0)
    synthetic = many_images(10, group_size=1).assign(synthetic=[True] * 8 + [False] * 2)
    with pytest.raises(DatasetError, match="at least 3 distinct real logos, got 2"):
        assign_splits(synthetic, seed=0)


def test_quality_bands_begin_at_their_edges() -> None:
    values = pd.Series([-1, 0.59, 0.6, 0.8, 0.9, 0.95, 1])
    assert quality_bands(values).tolist() == [0, 0, 1, 2, 3, 4, 4]
