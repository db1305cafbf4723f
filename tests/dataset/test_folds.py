"""Folds: every logo that may be validated on is, once; held-out and synthetic ones never."""

import numpy as np
import pandas as pd
import pytest

from svg_quality.dataset.splits.folds import ALWAYS_TRAINED_ON, HELD_OUT, assign_folds
from svg_quality.dataset.splits.split import assign_splits
from svg_quality.errors import DatasetError


def many_images(n: int = 1200, group_size: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    images = pd.DataFrame(
        {
            "logo_type": rng.choice(["simple", "text", "gradient", "complex"], n),
            "mean_ssim": rng.beta(8, 2, n),
            "group": np.arange(n) // group_size,
            "synthetic": rng.random(n) < 0.1,
        },
        index=[f"image{i}" for i in range(n)],
    )
    return images.assign(split=assign_splits(images, seed=0))


def test_each_logo_is_in_one_fold_and_no_group_in_two() -> None:
    images = many_images()
    images["fold"] = assign_folds(images, n_folds=5, seed=1)
    assert ((images["fold"] == HELD_OUT) == (images["split"] == "test")).all()
    near_synthetic = images.groupby("group")["synthetic"].transform("any")
    assert ((images["fold"] == ALWAYS_TRAINED_ON) == near_synthetic).all()
    assert (images.groupby("group")["fold"].nunique() == 1).all()
    sizes = images.loc[images["fold"] >= 0, "fold"].value_counts()
    assert sorted(sizes.index) == [0, 1, 2, 3, 4]
    assert sizes.max() - sizes.min() <= 4


def test_types_are_spread_over_the_folds() -> None:
    images = many_images()
    images["fold"] = assign_folds(images, n_folds=4, seed=1)
    validated = images[images["fold"] >= 0]
    shares = validated.groupby("fold")["logo_type"].value_counts(normalize=True).unstack()
    assert (shares.max() - shares.min()).max() < 0.04


def test_folds_depend_on_the_seed_not_on_the_order() -> None:
    images = many_images()
    folds = assign_folds(images, n_folds=5, seed=1)
    shuffled = assign_folds(images.sample(frac=1, random_state=0), n_folds=5, seed=1)
    assert folds.equals(shuffled.reindex(folds.index))
    assert not folds.equals(assign_folds(images, n_folds=5, seed=2))


def test_as_many_folds_as_logos_beside_the_test_and_no_more() -> None:
    images = many_images(4, group_size=1).assign(synthetic=False)
    images["split"] = ["train", "train", "validation", "test"]
    assert sorted(assign_folds(images, n_folds=3, seed=0)) == [HELD_OUT, 0, 1, 2]
    assert sorted(set(assign_folds(images, n_folds=2, seed=0))) == [HELD_OUT, 0, 1]
    with pytest.raises(
        DatasetError,
        match=r"^folds must be at most as many as the distinct logos outside the test split, "
        r"got 4 for 3$",
    ):
        assign_folds(images, n_folds=4, seed=0)


def test_refuses_a_single_logo_beside_the_test() -> None:
    images = many_images(4, group_size=1).assign(
        synthetic=[True, True, False, False], split=["train", "train", "train", "test"]
    )
    with pytest.raises(DatasetError, match=r"at least 2 distinct real logos .* got 1"):
        assign_folds(images, n_folds=5, seed=0)
