"""Whether every split and fold looks like the whole: types, qualities, and how far it is off.

The distance of a part is the total variation between its shares and those of the whole: half the
sum of absolute differences, the share of pictures that would have to change their class. Even a
fair draw of few logos is off, so a part is called balanced within ``TOLERANCE``, or else where it
is no further from the whole than 99 of 100 random parts with as many groups.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.dataset.splits.allotment import QUALITY_BANDS, SPLITS, is_synthetic, quality_bands
from svg_quality.dataset.splits.duplicates import largest_group
from svg_quality.dataset.splits.folds import HELD_OUT
from svg_quality.dataset.targets import TYPE_SHARES

TOLERANCE: Final = 0.02  # of total variation: what no reader would act on
LEVEL: Final = 0.99  # of random parts
_MAX_DRAWS, _MIN_DRAWS, _DRAWN_GROUPS = 1000, 200, 1_000_000
_SEED: Final = 0  # of the random parts: the same images give the same verdict


def assess_balance(images: pd.DataFrame) -> dict[str, Any]:
    """Every split beside all real pictures, every fold beside all that are not held out.

    Synthetic pictures, which only train has and on purpose, are counted and otherwise left out.

    Args:
        images: indexed by image_id, with ``logo_type``, ``mean_ssim``, ``group``, ``split``,
            ``n`` (rows) and, where they exist, ``fold`` and ``synthetic``.

    Returns:
        JSON-able: ``whole``, ``splits`` and ``folds`` by name, ``balanced`` (all of them),
        ``tolerance``, ``level``, ``quality_bands`` (edges), ``largest_group`` (its
        pictures). A part has ``images``, ``synthetic``,
        ``rows``, ``groups``, ``mean_ssim`` (None of no picture), ``types`` and ``bands`` (shares)
        and, but for the whole, ``type_distance`` and ``band_distance``, how far each may be
        (``..._allowed``) and ``balanced``.
    """
    images = images.sort_index()
    synthetic = is_synthetic(images)
    whole = _describe(images, synthetic)
    splits = _assess(images, synthetic, images["split"], list(SPLITS))
    folds = {}
    if "fold" in images:
        trained = images[images["fold"] != HELD_OUT]
        numbers = sorted(trained.loc[trained["fold"] >= 0, "fold"].unique().tolist())
        folds = _assess(trained, synthetic[trained.index], trained["fold"], numbers)
    parts = [*splits.values(), *folds.values()]
    return {
        "whole": whole,
        "splits": splits,
        "folds": folds,
        "balanced": all(part["balanced"] for part in parts),
        "tolerance": TOLERANCE,
        "level": LEVEL,
        "quality_bands": list(QUALITY_BANDS),
        "largest_group": largest_group(images["group"]),
    }


def _assess(
    images: pd.DataFrame, synthetic: pd.Series[bool], part_of: pd.Series[Any], names: list[Any]
) -> dict[str, dict[str, Any]]:
    real = images[~synthetic]
    groups = _Groups(real)
    assessed = {}
    for name in names:
        entry = _describe(images[part_of == name], synthetic[part_of == name])
        part = real[part_of[real.index] == name]
        assessed[str(name)] = {**entry, **groups.compare(part)}
    return assessed


def _describe(images: pd.DataFrame, synthetic: pd.Series[bool]) -> dict[str, Any]:
    real = images[~synthetic]
    types, bands = _counts(real)
    return {
        "images": len(images),
        "synthetic": int(synthetic.sum()),
        "rows": int(images["n"].sum()),
        "groups": int(images["group"].nunique()),
        "mean_ssim": round(float(real["mean_ssim"].mean()), 4) if len(real) else None,
        "types": dict(zip(TYPE_SHARES, _rounded(types), strict=True)),
        "bands": _rounded(bands),
    }


def _counts(images: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of each type, ``(4,)``, and in each band, ``(5,)``."""
    table = _table(images)
    return table[:, : len(TYPE_SHARES)].sum(axis=0), table[:, len(TYPE_SHARES) :].sum(axis=0)


def _table(images: pd.DataFrame) -> np.ndarray:
    """One-hot types, then bands, of each picture: int64 ``(N, 9)``."""
    types = images["logo_type"].astype("str").to_numpy()[:, None] == np.array(list(TYPE_SHARES))
    bands = quality_bands(images["mean_ssim"]).to_numpy()[:, None] == np.arange(
        len(QUALITY_BANDS) + 1
    )
    return np.hstack([types, bands]).astype(np.int64)


def _rounded(counts: np.ndarray) -> list[float]:
    return [round(float(share), 4) for share in counts / max(counts.sum(), 1)]


class _Groups:
    """The groups of the whole, to draw random parts from."""

    def __init__(self, images: pd.DataFrame) -> None:
        self._of_image = pd.Series(pd.factorize(images["group"])[0], index=images.index)
        table = _table(images)
        self._counts = np.zeros((self._of_image.max() + 1 if len(images) else 0, table.shape[1]))
        np.add.at(self._counts, self._of_image.to_numpy(), table)

    def compare(self, part: pd.DataFrame) -> dict[str, Any]:
        """Distances of a part, those that chance allows, and the verdict."""
        if part.empty:
            return {"type_distance": None, "band_distance": None, "type_allowed": None,
                    "band_allowed": None, "balanced": False}  # fmt: skip
        members = self._of_image[part.index].unique()
        observed = self._distances(self._counts[members].sum(axis=0))
        near = (observed <= TOLERANCE).all()
        allowed = np.full(2, TOLERANCE) if near else self._allowed(len(members))
        names = ("type", "band")
        return {
            **{f"{n}_distance": round(float(d), 4) for n, d in zip(names, observed, strict=True)},
            **{f"{n}_allowed": round(float(a), 4) for n, a in zip(names, allowed, strict=True)},
            "balanced": bool((observed <= allowed).all()),
        }

    def _allowed(self, n_groups: int) -> np.ndarray:
        """What ``LEVEL`` of random parts stay within, at least ``TOLERANCE``: types, bands."""
        rng = np.random.default_rng(_SEED)
        n_all = len(self._counts)
        n_drawn = min(n_groups, n_all - n_groups)  # the rest is as random, and quicker to draw
        n_draws = int(np.clip(_DRAWN_GROUPS // max(n_drawn, 1), _MIN_DRAWS, _MAX_DRAWS))
        total = self._counts.sum(axis=0)
        distances = []
        for _ in range(n_draws):
            drawn = self._counts[rng.choice(n_all, n_drawn, replace=False)].sum(axis=0)
            distances.append(self._distances(drawn if n_drawn == n_groups else total - drawn))
        chance = np.quantile(distances, LEVEL, axis=0, method="higher")
        return np.asarray(np.maximum(chance, TOLERANCE))

    def _distances(self, counts: np.ndarray) -> np.ndarray:
        """Total variation from the whole of types and of bands, ``(2,)``, from counts ``(9,)``."""
        whole, edge = self._counts.sum(axis=0), len(TYPE_SHARES)
        parts = []
        for span in (slice(0, edge), slice(edge, None)):
            shares = counts[span] / max(counts[span].sum(), 1)
            parts.append(0.5 * np.abs(shares - whole[span] / max(whole[span].sum(), 1)).sum())
        return np.array(parts)
