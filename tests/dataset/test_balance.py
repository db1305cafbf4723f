"""The balance assessment: a fair split passes, a skewed one does not, and it says by how much."""

import json

import numpy as np
import pandas as pd
import pytest

from svg_quality.dataset.splits.balance import assess_balance
from svg_quality.dataset.splits.folds import assign_folds
from svg_quality.dataset.splits.split import assign_splits


def many_images(n: int = 1000) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    images = pd.DataFrame(
        {
            "logo_type": rng.choice(["simple", "text", "gradient", "complex"], n),
            "mean_ssim": rng.beta(8, 2, n),
            "group": np.arange(n) // 2,
            "synthetic": False,
            "n": 12,
        },
        index=[f"image{i:04}" for i in range(n)],
    )
    images["split"] = assign_splits(images, seed=0)
    return images.assign(fold=assign_folds(images, n_folds=5, seed=0))


def test_a_stratified_split_and_its_folds_are_balanced() -> None:
    found = assess_balance(many_images())
    assert found["balanced"]
    assert list(found["splits"]) == ["train", "validation", "test"]
    assert list(found["folds"]) == ["0", "1", "2", "3", "4"]
    assert sum(part["images"] for part in found["splits"].values()) == found["whole"]["images"]
    assert sum(part["rows"] for part in found["splits"].values()) == 12_000
    assert found["largest_group"] == 2
    json.dumps(found, allow_nan=False)


def test_the_largest_group_is_told() -> None:
    images = many_images(100)
    images["group"] = images["group"].where(images["group"] > 3, 0)
    assert assess_balance(images)["largest_group"] == 8
    assert assess_balance(images.iloc[:0])["largest_group"] == 0


def test_the_distance_is_the_share_that_would_have_to_change() -> None:
    """By hand: the whole is half simple, half text; the test is 3/4 simple."""
    images = many_images(400).assign(mean_ssim=0.97, group=range(400))
    images["logo_type"] = ["simple", "text"] * 200
    images["split"] = "train"
    images.iloc[:80, images.columns.get_loc("split")] = "test"
    images.iloc[1:80:4, images.columns.get_loc("logo_type")] = "simple"
    images.iloc[100:140:2, images.columns.get_loc("logo_type")] = "text"
    test = assess_balance(images.drop(columns="fold"))["splits"]["test"]
    assert test["types"] == {"simple": 0.75, "text": 0.25, "gradient": 0.0, "complex": 0.0}
    assert test["type_distance"] == pytest.approx(0.25)
    assert test["band_distance"] == 0.0
    assert not test["balanced"]


def test_small_parts_may_be_further_off_than_large_ones() -> None:
    images = many_images()
    rng = np.random.default_rng(1)
    splits = rng.choice(["train", "validation", "test"], 500, p=[0.8, 0.15, 0.05])
    found = assess_balance(images.assign(split=splits[images["group"]]))["splits"]
    assert found["test"]["type_allowed"] > found["validation"]["type_allowed"] > 0.02


def test_what_is_allowed_to_a_part_follows_from_what_is_to_the_rest() -> None:
    """A part and the rest lie on both sides of the whole: 60 pictures weigh as much as 140."""
    images = many_images(200).assign(group=range(200), split="train").drop(columns="fold")
    images.loc[images["mean_ssim"].nlargest(60).index, "split"] = "test"
    found = assess_balance(images)["splits"]
    ratio = found["train"]["band_allowed"] / found["test"]["band_allowed"]
    assert ratio == pytest.approx(60 / 140, rel=0.2)


def test_random_parts_are_seldom_called_unbalanced_and_skewed_ones_always() -> None:
    images = many_images(600).drop(columns="fold")
    rng = np.random.default_rng(5)
    verdicts = []
    for _ in range(8):
        group_split = rng.choice(["train", "validation", "test"], 300, p=[0.8, 0.15, 0.05])
        random = images.assign(split=group_split[images["group"]])
        verdicts.append(assess_balance(random)["balanced"])
    assert sum(verdicts) >= 6  # 6 comparisons a split at 1% each
    skewed = images.assign(split="train")
    skewed.loc[skewed["mean_ssim"].nlargest(60).index, "split"] = "test"
    assert not assess_balance(skewed)["splits"]["test"]["balanced"]


def test_synthetic_logos_are_counted_but_do_not_tip_the_scales() -> None:
    images = many_images()
    drawn = images.iloc[:200].assign(synthetic=True, logo_type="complex", split="train", fold=-2)
    drawn.index, drawn["group"] = [f"drawn{i}" for i in range(200)], range(5000, 5200)
    found = assess_balance(pd.concat([images, drawn]))
    assert found["balanced"]
    assert found["splits"]["train"]["synthetic"] == 200
    assert found["splits"]["train"]["types"] == assess_balance(images)["splits"]["train"]["types"]


def test_an_empty_split_is_unbalanced_and_has_no_numbers() -> None:
    found = assess_balance(many_images(100).assign(split="train"))
    assert not found["balanced"]
    assert found["splits"]["test"]["mean_ssim"] is None
    assert found["splits"]["test"]["type_distance"] is None
