"""Near-duplicate groups: the same as by comparing every pair, in far less time."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.splits.duplicates import close_pairs, largest_group, near_duplicate_groups


def images_of(hashes: list[int], derived: dict[int, int] | None = None) -> pd.DataFrame:
    names = [f"image{i}" for i in range(len(hashes))]
    originals = [
        names[(derived or {})[i]] if i in (derived or {}) else None for i in range(len(names))
    ]
    return pd.DataFrame(
        {"perceptual_hash": [f"{h:016x}" for h in hashes], "derived_from": originals}, index=names
    )


def near_hashes(n: int, n_flips: int, seed: int) -> np.ndarray:
    """Distinct hashes, each a few bits from one of a sixth as many centres."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, n // 6, dtype=np.uint64)
    hashes = centres[rng.integers(0, len(centres), n)]
    for _ in range(n_flips):
        hashes ^= np.uint64(1) << rng.integers(0, 64, n).astype(np.uint64)
    return np.unique(hashes)


def test_groups_are_chains_of_near_hashes_and_copies() -> None:
    images = images_of([0b0, 0b111, 0b111111, 2**60 - 2**30, 2**64 - 2**50], derived={3: 4})
    groups = near_duplicate_groups(images, max_distance=3)
    assert groups.tolist() == [0, 0, 0, 1, 1]  # 0 and 2 differ in 6 bits, 1 links them
    assert largest_group(groups) == 3


def test_copies_of_an_original_that_is_not_there_stay_together() -> None:
    images = images_of([0, 2**64 - 1, 2**32 - 1])
    images["derived_from"] = ["lost", "lost", "lost too"]
    assert near_duplicate_groups(images, max_distance=2).tolist() == [0, 0, 1]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12), st.integers(0, 64))
def test_groups_agree_with_the_definition(hashes: list[int], distance: int) -> None:
    """Independent oracle: connected components of the graph, by its adjacency matrix's powers."""
    near = np.array([[bin(a ^ b).count("1") <= distance for b in hashes] for a in hashes])
    reach = np.linalg.matrix_power(near.astype(float), len(hashes)) > 0
    groups = near_duplicate_groups(images_of(hashes), distance).to_numpy()
    assert ((groups[:, None] == groups[None, :]) == reach).all()


@pytest.mark.parametrize("distance", [0, 1, 3, 6, 10, 14])
def test_every_close_pair_is_found_and_no_other(distance: int) -> None:
    """Independent oracle: every pair compared. Enough hashes that buckets are used."""
    hashes = near_hashes(900, n_flips=distance // 2 + 1, seed=distance)
    left, right = close_pairs(hashes, distance)
    assert (left < right).all()
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    expected = {(int(a), int(b)) for a, b in np.argwhere(apart <= distance) if a < b}
    assert {(int(a), int(b)) for a, b in zip(left, right, strict=True)} == expected
    assert len(expected) > 100 or distance < 2


def test_group_numbers_do_not_depend_on_the_distance_of_others_but_on_order_of_appearance() -> None:
    hashes = near_hashes(600, n_flips=2, seed=1)
    groups = near_duplicate_groups(images_of(hashes.tolist()), max_distance=6)
    firsts = groups.drop_duplicates().tolist()
    assert firsts == list(range(len(firsts)))


def test_no_image_has_no_group() -> None:
    assert near_duplicate_groups(images_of([]), max_distance=6).empty


@pytest.mark.slow
def test_a_hundred_thousand_images_take_seconds() -> None:
    hashes = near_hashes(100_000, n_flips=8, seed=3)
    images = images_of(hashes.tolist())
    start = time.perf_counter()
    near_duplicate_groups(images, max_distance=6)
    assert time.perf_counter() - start < 10
