"""Which test pictures a model was taught or tuned on: they must not speak for it."""

from __future__ import annotations

import pandas as pd

from svg_quality.dataset.splits.duplicates import near_duplicate_groups


def seen_in_training(
    test: pd.DataFrame, learned: pd.DataFrame, max_distance: int
) -> pd.Series[bool]:
    """For each test picture, whether a near-duplicate of its group was learned from.

    Groups are made over both tables at once: a test logo may reach a learned one through a
    picture that is in neither model's other tables, as it does within one release.

    Args:
        test: pictures of a release's test split, indexed by image_id, with ``group``,
            ``perceptual_hash`` and ``derived_from``.
        learned: pictures that another model was fitted to, stopped by or calibrated on; the
            same columns, of another release or of the same.
        max_distance: bits, see `near_duplicate_groups`.

    Returns:
        Indexed like ``test``; all pictures of one ``group`` alike.
    """
    columns = ["perceptual_hash", "derived_from"]
    new = learned.loc[~learned.index.isin(test.index), columns]
    together = near_duplicate_groups(pd.concat([test[columns], new]), max_distance)
    taught = set(together[learned.index])
    seen = together[test.index].isin(taught)
    return seen.groupby(test["group"]).transform("any").astype(bool)
