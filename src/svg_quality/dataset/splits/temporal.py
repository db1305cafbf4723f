"""A split in time: what is learned from was made before everything it is tested on.

Two cuts part the time. A group with rows on both sides of a cut belongs to neither side: it is
set aside, with its reason, since to tear it apart would leak and to move it would mix the times.
Rows without a readable time have no place in it: a release sets them aside before.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from svg_quality.dataset.splits.allotment import SHARES, is_synthetic
from svg_quality.errors import DatasetError

STRADDLES: Final = "made on both sides of a cut in time"
LATE_SYNTHETIC: Final = "synthetic, and made after the training time"


def assign_temporal_splits(images: pd.DataFrame) -> pd.DataFrame:
    """80% train, 15% validation, 5% test in the order of time, as near as whole groups allow.

    Every row of train is strictly earlier than every one of validation, and those than every one
    of test. No group is in two splits; groups with a synthetic picture are in train or set aside.
    The cuts are those that bring the later part nearest to its share of what is not set aside,
    and set little aside: see `_cut`.

    Args:
        images: indexed by image_id, with ``group``, ``first_created`` and ``last_created`` (of
            the picture's rows, each of which must have a time; ISO 8601, UTC where it has no
            offset) and, where any is, ``synthetic``.

    Returns:
        Indexed as ``images``: ``split`` (NA where set aside) and ``reason`` (NA where split).

    Raises:
        DatasetError: a picture's time is missing or cannot be read, or no three groups of real
            pictures follow each other.
    """
    times = pd.DataFrame(
        {
            "group": images["group"],
            "first": _times(images["first_created"]),
            "last": _times(images["last_created"]),
            "synthetic": is_synthetic(images),
        }
    )
    groups = times.groupby("group").agg(
        n=("first", "size"), first=("first", "min"), last=("last", "max"),
        synthetic=("synthetic", "any"),
    )  # fmt: skip
    begin_validation, begin_test = _cuts(groups[~groups["synthetic"]])
    early = groups["last"] < begin_validation
    late = groups["first"] >= begin_test
    middle = (groups["first"] >= begin_validation) & (groups["last"] < begin_test)
    split = pd.Series(pd.NA, index=groups.index, dtype="str")
    split[early] = "train"
    split[middle & ~groups["synthetic"]] = "validation"
    split[late & ~groups["synthetic"]] = "test"
    reason = pd.Series(STRADDLES, index=groups.index, dtype="str")
    reason[(middle | late) & groups["synthetic"]] = LATE_SYNTHETIC
    of_groups = pd.DataFrame({"split": split, "reason": reason.mask(split.notna())})
    return of_groups.reindex(images["group"]).set_axis(images.index)


def _cuts(groups: pd.DataFrame) -> tuple[int, int]:
    """When validation and test begin, ns; both times are of a group's first row.

    Args:
        groups: of real pictures: ``n``, ``first`` and ``last`` in ns.
    """
    earliest_end = groups["last"].min()
    followers = groups[groups["first"] > earliest_end]
    second_end = followers["last"].min()
    candidates = np.unique(groups["first"])
    # Before the test there must be room for a group of validation, and one of train before that.
    candidates = candidates[candidates > second_end] if len(followers) else candidates[:0]
    if not len(candidates):
        raise DatasetError(
            "a temporal split needs at least three groups of real logos, each made after the one "
            f"before, got {len(groups)} groups made over overlapping times"
        )
    begin_test = _cut(groups, candidates, SHARES["test"])
    before = groups[groups["last"] < begin_test]
    candidates = np.unique(before["first"])
    candidates = candidates[candidates > earliest_end]
    share = SHARES["validation"] / (1 - SHARES["test"])
    return _cut(before, candidates, share), begin_test


def _cut(groups: pd.DataFrame, candidates: np.ndarray, share: float) -> int:
    """The latest candidate that costs least.

    To lose a picture, since its group straddles the cut, costs 1. To have none of the later part
    costs as much as to lose them all, and half of it, or half too many, half of that.
    """
    begun = _sum_before(groups["first"], groups["n"], candidates)
    ended = _sum_before(groups["last"], groups["n"], candidates)
    later = groups["n"].sum() - begun
    cost = np.abs(later - share * (ended + later)) / share + (begun - ended)
    return int(candidates[len(cost) - 1 - np.argmin(cost[::-1])])


def _sum_before(times: pd.Series[int], n: pd.Series[int], cuts: np.ndarray) -> np.ndarray:
    """Pictures with a time strictly before each cut."""
    order = np.argsort(times.to_numpy(), kind="stable")
    total = np.concatenate([[0], np.cumsum(n.to_numpy()[order])])
    return np.asarray(total[np.searchsorted(times.to_numpy()[order], cuts, side="left")])


def _times(created: pd.Series[str]) -> pd.Series[int]:
    """Nanoseconds since 1970."""
    try:
        moments = pd.to_datetime(created, format="ISO8601", utc=True)
    except (ValueError, TypeError) as error:
        raise DatasetError(f"created_at must be a date and time of ISO 8601: {error}") from None
    if moments.isna().any():
        missing = created.index[moments.isna()][0]
        raise DatasetError(f"created_at must be given in every row, picture {missing} lacks it")
    return moments.dt.as_unit("ns").astype("int64")
