"""Train, validation and test, by logo: a picture known from one split never meets another.

Groups of near-duplicates (`duplicates`) stay together. Synthetic pictures are for training only,
and so is a real picture that looks like one of them: elsewhere it would be tested on what was
learned.
"""

from __future__ import annotations

import pandas as pd

from svg_quality.dataset.splits.allotment import (
    SHARES,
    SPLITS,
    allot,
    describe_groups,
    quality_bands,
)
from svg_quality.dataset.splits.duplicates import near_duplicate_groups
from svg_quality.dataset.splits.temporal import assign_temporal_splits
from svg_quality.errors import DatasetError

__all__ = [
    "SHARES",
    "SPLITS",
    "assign_splits",
    "assign_temporal_splits",
    "near_duplicate_groups",
    "quality_bands",
]


def assign_splits(images: pd.DataFrame, seed: int) -> pd.Series[str]:
    """80% train, 15% validation, 5% test, stratified by type and quality band.

    The shares are of the pictures in groups without a synthetic one; the others join train.

    Args:
        images: indexed by image_id, with ``logo_type``, ``mean_ssim``, ``group`` and, where any
            is, ``synthetic``.
        seed: another seed, another split.

    Raises:
        DatasetError: fewer than three groups are free of synthetic pictures.
    """
    groups = describe_groups(images)
    real = groups[~groups["synthetic"]]
    if len(real) < len(SPLITS):
        raise DatasetError(
            f"a split needs at least {len(SPLITS)} distinct real logos, got {len(real)}"
        )
    parts = allot(real, list(SHARES.values()), seed).map(dict(enumerate(SPLITS)))
    by_group = pd.Series("train", index=groups.index, dtype="str")
    by_group.update(_fill_empty(parts, real["n"]))
    return images["group"].map(by_group).astype("str")


def _fill_empty(splits: pd.Series[str], sizes: pd.Series[int]) -> pd.Series[str]:
    """Give each split without a group the smallest one of the split furthest above its share."""
    for split in SPLITS:
        if not (splits == split).any():
            counts = splits.value_counts()
            counts = counts[counts > 1]
            surplus = counts - len(splits) * counts.index.map(SHARES)
            giver = splits == str(surplus.idxmax())
            splits[sizes.index == sizes[giver].idxmin()] = split
    return splits
