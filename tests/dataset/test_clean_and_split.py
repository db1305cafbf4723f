"""Cleaning keeps count; a split keeps logos apart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.clean import clean_conversions
from svg_quality.dataset.split import assign_splits, near_duplicate_groups, quality_bands
from svg_quality.dataset.tables import FIGURES, conversions_table
from svg_quality.errors import DatasetError

Row = Callable[..., dict[str, Any]]


def test_every_row_is_kept_or_set_aside_with_its_reason(make_row: Row) -> None:
    conflicting = {**make_row("c", layer_difference=8), "ssim": 0.1, "conversion_id": "1" * 64}
    repeated = {**make_row("d"), "conversion_id": "2" * 64}
    failed = make_row("b", **dict.fromkeys(FIGURES), error="it hung")
    table = conversions_table(
        [
            make_row("a"),
            failed,
            make_row("c", layer_difference=8),
            conflicting,
            make_row("d"),
            repeated,
        ]
    )
    cleaned = clean_conversions(table)
    assert len(cleaned.kept) + len(cleaned.set_aside) == len(table)
    assert cleaned.kept["image_path"].tolist() == ["a.png", "d.png"]
    assert cleaned.set_aside["reason"].tolist() == [
        "conversion failed: it hung",
        "same picture and parameters, different SSIM",
        "same picture and parameters, different SSIM",
        "repeats an earlier row",
    ]


def images_of(hashes: list[int], derived: dict[int, int] | None = None) -> pd.DataFrame:
    names = [f"image{i}" for i in range(len(hashes))]
    originals = [
        names[(derived or {})[i]] if i in (derived or {}) else None for i in range(len(names))
    ]
    return pd.DataFrame(
        {"perceptual_hash": [f"{h:016x}" for h in hashes], "derived_from": originals}, index=names
    )


def test_groups_are_chains_of_near_hashes_and_copies() -> None:
    images = images_of([0b0, 0b111, 0b111111, 2**60 - 2**30, 2**64 - 2**50], derived={3: 4})
    groups = near_duplicate_groups(images, max_distance=3).tolist()
    assert groups[0] == groups[1] == groups[2]  # 0 and 2 differ in 6 bits, 1 links them
    assert groups[3] == groups[4] != groups[0]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12), st.integers(0, 20))
def test_groups_agree_with_the_definition(hashes: list[int], distance: int) -> None:
    """Independent oracle: connected components of the graph, by its adjacency matrix's powers."""
    near = np.array([[bin(a ^ b).count("1") <= distance for b in hashes] for a in hashes])
    reach = np.linalg.matrix_power(near.astype(float), len(hashes)) > 0
    groups = near_duplicate_groups(images_of(hashes), distance).to_numpy()
    assert ((groups[:, None] == groups[None, :]) == reach).all()


def many_images(n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "logo_type": rng.choice(
                ["simple", "text", "gradient", "complex"], n, p=[0.5, 0.3, 0.15, 0.05]
            ),
            "mean_ssim": rng.beta(8, 2, n),
            "group": np.arange(n) // 2,
        },
        index=[f"image{i}" for i in range(n)],
    )


def test_no_group_is_in_two_splits_and_the_shares_are_met() -> None:
    images = many_images()
    images["split"] = assign_splits(images, seed=4)
    assert (images.groupby("group")["split"].nunique() == 1).all()
    shares = images["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.80, abs=0.03)
    assert shares["validation"] == pytest.approx(0.15, abs=0.03)
    assert shares["test"] == pytest.approx(0.05, abs=0.02)


def test_types_and_bands_are_spread_evenly() -> None:
    images = many_images(2000)
    images["split"] = assign_splits(images, seed=4)
    by_type = images.groupby("split")["logo_type"].value_counts(normalize=True).unstack()
    assert (by_type.loc["train"] - by_type.loc["validation"]).abs().max() < 0.03
    assert (by_type.loc["train"] - by_type.loc["test"]).abs().max() < 0.05
    means = images.groupby("split")["mean_ssim"].mean()
    assert means.max() - means.min() < 0.02


def test_a_split_does_not_depend_on_the_order_of_rows_but_on_the_seed() -> None:
    images = many_images()
    shuffled = images.sample(frac=1, random_state=3)
    first = assign_splits(images, seed=4)
    assert first.equals(assign_splits(shuffled, seed=4).reindex(first.index))
    assert not first.equals(assign_splits(images, seed=5))


def test_refuses_to_split_too_few() -> None:
    with pytest.raises(DatasetError, match="at least 20 unlike logos, got 5"):
        assign_splits(many_images(10), seed=0)


def test_quality_bands_begin_at_their_edges() -> None:
    assert quality_bands(pd.Series([-1, 0.59, 0.6, 0.8, 0.9, 0.95, 1])).tolist() == [
        0,
        0,
        1,
        2,
        3,
        4,
        4,
    ]
