"""Folds for cross-validation, by logo, of what is not held out for the test."""

from __future__ import annotations

from typing import Final

import pandas as pd

from svg_quality.dataset.splits.allotment import allot, describe_groups
from svg_quality.errors import DatasetError

HELD_OUT: Final = -1  # of the test split: in no fold
ALWAYS_TRAINED_ON: Final = -2  # synthetic, or nearly the same as a synthetic one


def assign_folds(images: pd.DataFrame, n_folds: int, seed: int) -> pd.Series[int]:
    """A fold for each picture, stratified by type and quality band, groups whole.

    To validate on fold ``k``, train on every picture whose fold is neither ``k`` nor
    ``HELD_OUT``: those of ``ALWAYS_TRAINED_ON`` are then always among them.

    Args:
        images: indexed by image_id, with ``logo_type``, ``mean_ssim``, ``group``, ``split`` and,
            where any is, ``synthetic``.
        n_folds: at least 2.
        seed: another seed, other folds.

    Returns:
        0, 1, ...; ``HELD_OUT`` in the test split, ``ALWAYS_TRAINED_ON`` for groups with a
        synthetic picture.

    Raises:
        DatasetError: fewer than two groups could be validated on, or fewer than folds.
    """
    folds = pd.Series(ALWAYS_TRAINED_ON, index=images.index, dtype=int)
    held_out = images["split"] == "test"
    folds[held_out] = HELD_OUT
    groups = describe_groups(images[~held_out])
    real = groups[~groups["synthetic"]]
    if len(real) < 2:
        raise DatasetError(
            f"folds need at least 2 distinct real logos beside the test's, got {len(real)}"
        )
    if n_folds > len(real):
        raise DatasetError(
            "folds must be at most as many as the distinct logos outside the test split, "
            f"got {n_folds} for {len(real)}"
        )
    by_group = allot(real, [1 / n_folds] * n_folds, seed)
    fold = images.loc[~held_out, "group"].map(by_group)
    folds.update(fold.dropna().astype(int))
    return folds
