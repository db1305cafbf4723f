"""Train, validation and test, by logo: a picture known from one split never meets another.

Near-duplicates (a JPEG copy and its original, the same sign in two sizes) form one group and
stay together, since a split through them would test on what was learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from svg_quality.errors import DatasetError

SPLITS: Final = ("train", "validation", "test")
QUALITY_BANDS: Final = (0.6, 0.8, 0.9, 0.95)  # of mean SSIM
_FOLDS: Final = 20  # of 5% each: one is the test split, three are validation
_TEST, _VALIDATION = 1, 3


def near_duplicate_groups(images: pd.DataFrame, max_distance: int) -> pd.Series[int]:
    """A group number for each picture.

    Args:
        images: indexed by image_id, with ``perceptual_hash`` (hexadecimal) and
            ``derived_from`` (image_id or null).
        max_distance: bits in which the hashes of two of a group may differ. Groups are chains:
            two pictures further apart are together where others link them.
    """
    places = {image_id: place for place, image_id in enumerate(images.index)}
    leader = np.arange(len(images))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for left, right in _close_pairs(images["perceptual_hash"], max_distance):
        leader[find(right)] = find(left)
    for image_id, original in images["derived_from"].dropna().items():
        if original in places:
            leader[find(places[str(image_id)])] = find(places[original])
    return pd.Series([find(place) for place in range(len(images))], index=images.index, dtype=int)


def assign_splits(images: pd.DataFrame, seed: int) -> pd.Series[str]:
    """80% train, 15% validation, 5% test, stratified by type and quality band.

    Args:
        images: indexed by image_id, with ``logo_type``, ``mean_ssim`` and ``group``.
        seed: another seed, another split.

    Raises:
        DatasetError: there are fewer than 20 groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if images["group"].nunique() < _FOLDS:
        n_groups = images["group"].nunique()
        raise DatasetError(f"a split needs at least {_FOLDS} unlike logos, got {n_groups}")
    images = images.sort_index()
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    splits = pd.Series("train", index=images.index, dtype="str")
    for number, (_, members) in enumerate(folds.split(images, _strata(images), images["group"])):
        if number < _TEST + _VALIDATION:
            splits.iloc[members] = "test" if number < _TEST else "validation"
    return splits


def _strata(images: pd.DataFrame) -> pd.Series[str]:
    """Type and band; a stratum too small to spread joins its type, then the largest stratum."""
    strata = images["logo_type"] + quality_bands(images["mean_ssim"]).astype(str)
    for wider in (images["logo_type"], strata.mode()[0]):
        strata = strata.where(strata.map(strata.value_counts()) >= _FOLDS, wider)
    return strata


def quality_bands(ssim: pd.Series[float]) -> pd.Series[int]:
    """The band of each value: 0 below the first edge, then one more at each edge."""
    return pd.Series(np.searchsorted(QUALITY_BANDS, ssim, side="right"), index=ssim.index)


def _close_pairs(hashes: pd.Series[str], max_distance: int) -> Iterator[tuple[int, int]]:
    bits = np.array([int(text, 16) for text in hashes], dtype=np.uint64)
    for left in range(len(bits) - 1):
        distance = np.bitwise_count(bits[left + 1 :] ^ bits[left])
        for offset in np.flatnonzero(distance <= max_distance):
            yield left, left + 1 + int(offset)
