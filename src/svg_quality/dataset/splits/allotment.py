"""Sharing groups of pictures out: every part gets its share of every stratum, no group is torn.

What stratified group sampling of scikit-learn does by comparing every fold for every group (55 s
for 83,000 groups and 20 folds), done by counting: a second of work, and a stratum's share is met
to within its last group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

SHARES: Final[Mapping[str, float]] = MappingProxyType(  # of pictures, by split
    {"train": 0.80, "validation": 0.15, "test": 0.05}
)
SPLITS: Final = tuple(SHARES)
QUALITY_BANDS: Final = (0.6, 0.8, 0.9, 0.95)  # of mean SSIM


def quality_bands(ssim: pd.Series[float]) -> pd.Series[int]:
    """The band of each value: 0 below the first edge, then one more at each edge."""
    return pd.Series(np.searchsorted(QUALITY_BANDS, ssim, side="right"), index=ssim.index)


def is_synthetic(images: pd.DataFrame) -> pd.Series[bool]:
    """Which pictures our generator drew; none where a table does not say."""
    if "synthetic" not in images:
        return pd.Series(False, index=images.index)
    return images["synthetic"].astype(bool)


def describe_groups(images: pd.DataFrame) -> pd.DataFrame:
    """What sharing out needs to know of each group.

    Args:
        images: indexed by image_id, with ``logo_type``, ``mean_ssim``, ``group`` and, where any
            is, ``synthetic``.

    Returns:
        Indexed by group, in the order of the groups' smallest image_id: ``n`` pictures, ``types``
        of them (``simple``, or ``simple+text``), ``band`` of their mean SSIM, ``synthetic``
        where any of them is.
    """
    images = images.sort_index()
    by_group = images.assign(synthetic=is_synthetic(images)).groupby("group", sort=False)
    groups = by_group.agg(n=("mean_ssim", "size"), mean_ssim=("mean_ssim", "mean"),
                          synthetic=("synthetic", "any"))  # fmt: skip
    types = _types(groups.index.get_indexer(pd.Index(images["group"])), images["logo_type"])
    return groups.assign(types=types, band=quality_bands(groups["mean_ssim"]))


def _types(place: np.ndarray, logo_types: pd.Series[str]) -> np.ndarray:
    """The distinct types in each group, joined; a bit for each type, for there are few."""
    codes, names = pd.factorize(logo_types, sort=True)
    held = np.zeros(place.max(initial=-1) + 1, dtype=np.int64)
    np.bitwise_or.at(held, place, 1 << codes)
    combinations, which = np.unique(held, return_inverse=True)
    joined = [
        "+".join(name for bit, name in enumerate(names) if combination >> bit & 1)
        for combination in combinations.tolist()
    ]
    return np.array(joined, dtype=object)[which]


def allot(groups: pd.DataFrame, shares: Sequence[float], seed: int) -> pd.Series[int]:
    """A part for each group, so that parts have their shares of pictures in every stratum.

    Strata are the pairs of types and band, in order. What a stratum's whole groups leave over or
    lack is made good in the next, so shares of types and of the whole are met, too.

    Args:
        groups: as `describe_groups` gives them.
        shares: of the parts, which sum to 1.
        seed: another seed, another choice; the order of rows does not matter.

    Returns:
        The number of a share, indexed as ``groups``.
    """
    rng = np.random.default_rng(seed)
    shuffled = groups.iloc[rng.permutation(len(groups))]
    parts = pd.Series(0, index=shuffled.index, dtype=int)
    lacking = np.zeros(len(shares))  # pictures, by part
    for _, stratum in shuffled.groupby(["types", "band"]):
        lacking += np.array(shares) * int(stratum["n"].sum())
        for size in sorted(stratum["n"].unique().tolist(), reverse=True):  # small ones fill up
            alike = stratum.index[stratum["n"] == size]
            counts = _apportion(len(alike), size, lacking)
            parts[alike] = np.repeat(np.arange(len(shares)), counts)
            lacking -= counts * size
    return parts.reindex(groups.index)


def _apportion(n_groups: int, size: int, lacking: np.ndarray) -> np.ndarray:
    """How many of the groups of one size each part gets: what it lacks, largest remainders."""
    wanted = np.clip(lacking, 0, None)
    total = wanted.sum()
    counts = (n_groups * wanted / total).astype(int) if total > 0 else np.zeros(len(lacking), int)
    for _ in range(n_groups - int(counts.sum())):
        counts[np.argmax(lacking - counts * size)] += 1
    return counts
