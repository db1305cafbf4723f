"""Choosing a balanced part of a table: types at their shares, quality spread over its cells.

A type that has too few rows leaves the selection short; the other types do not fill in for it,
since that would move every share away from its target. `targets.compare_with_targets` says how
much is missing and where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from svg_quality.dataset.targets import N_CELLS, TYPE_SHARES, ssim_cells, type_quotas
from svg_quality.errors import DatasetError


def select_balanced(frame: pd.DataFrame, target_samples: int, seed: int) -> pd.Series[bool]:
    """Which rows make up a balanced table of at most ``target_samples``.

    * Each type gets at most its quota (`targets.type_quotas`); where it has fewer measured rows
      all of them are taken, and the total falls short by the rest.
    * With ``synthetic``: where a type has enough real rows no synthetic one is taken; where it has
      too few all of them are, and synthetic ones fill the emptiest cells.
    * Within a type the seven SSIM cells are filled as evenly as the supply allows; rows under
      the span (SSIM below 0.3) are taken only when the cells hold too few.
    * Within a cell every image (with ``group``: every group of near-duplicates, then every image
      of it) gives one row before any gives a second.
    * Where rows are equal in all this, a hash of seed and ``conversion_id`` decides. The order
      and the index of the rows do not matter.

    Args:
        frame: with ``image_id``, ``conversion_id`` (unique), ``logo_type``, ``ssim`` (null of a
            failure, which is never chosen) and, where they are known, ``group`` and
            ``synthetic``.
        target_samples: rows to choose, at least 0.
        seed: another seed, another choice among equals.

    Returns:
        bool, on the frame's index.

    Raises:
        DatasetError: ``target_samples`` is negative, a type is unknown, or a
            ``conversion_id`` comes twice.
    """
    _check(frame, target_samples)
    measured = np.flatnonzero(frame["ssim"].notna())
    ordered = _in_order(frame, measured, seed)
    wanted = _wanted(ordered, type_quotas(target_samples))
    cells = ["type", "synthetic", "cell"]
    place = ordered.groupby(cells, sort=False).cumcount()
    chosen = place < wanted[ordered["type"], ordered["synthetic"], ordered["cell"] + 1]
    marks = np.zeros(len(frame), dtype=bool)
    marks[ordered["row"][chosen]] = True
    return pd.Series(marks, index=frame.index, dtype=bool)


def fill_evenly(supply: np.ndarray, amount: int, held: np.ndarray | None = None) -> np.ndarray:
    """Share an amount among cells so that their levels come as near each other as can be.

    Water-filling: what is poured in goes to the lowest cells, as far as their supply goes.

    Args:
        supply: int ``(n,)``, what each cell can take.
        amount: to share, at least 0.
        held: int ``(n,)``, what each cell holds already; nothing when None.

    Returns:
        int64 ``(n,)``, at most the supply, summing to the smaller of amount and whole supply;
        the levels of cells that got some and could get more differ by at most 1.

    Example:
        >>> fill_evenly(np.array([2, 100, 100]), 21).tolist()
        [2, 10, 9]
    """
    base = np.zeros(len(supply), dtype=np.int64) if held is None else held
    amount = min(int(amount), int(supply.sum()))

    def poured(level: int) -> np.ndarray:
        filled: np.ndarray = np.clip(level - base, 0, supply)
        return filled

    low, high = 0, int((base + supply).max(initial=0)) + 1
    while high - low > 1:  # the highest level that the amount reaches
        middle = (low + high) // 2
        low, high = (middle, high) if poured(middle).sum() <= amount else (low, middle)
    filled = poured(low)
    more = np.flatnonzero(poured(low + 1) > filled)[: amount - int(filled.sum())]
    filled[more] += 1
    return filled


def hash_order(seed: int, names: Sequence[str]) -> np.ndarray:
    """A number for each name that depends on it and the seed alone: uint64 ``(n,)``."""
    start = hashlib.blake2b(f"{seed}:".encode(), digest_size=8)

    def digest(name: str) -> bytes:
        mixed = start.copy()
        mixed.update(name.encode())
        return mixed.digest()

    return np.frombuffer(b"".join(map(digest, names)), dtype=">u8").astype(np.uint64)


def _check(frame: pd.DataFrame, target_samples: int) -> None:
    if target_samples < 0:
        raise DatasetError(f"target_samples must be at least 0, got {target_samples}")
    unknown = sorted(set(frame["logo_type"].unique()) - set(TYPE_SHARES))
    if unknown:
        raise DatasetError(f"a logo type must be one of {', '.join(TYPE_SHARES)}, got {unknown[0]}")
    if not frame["conversion_id"].is_unique:
        twice = frame["conversion_id"][frame["conversion_id"].duplicated()].iloc[0]
        raise DatasetError(f"a conversion must be in a table once, {twice} is not")


def _in_order(frame: pd.DataFrame, measured: np.ndarray, seed: int) -> pd.DataFrame:
    """The measured rows as codes, first those to be taken first."""
    part = frame.iloc[measured]
    groups = part["group"] if "group" in part else part["image_id"]
    drawn = part["synthetic"].to_numpy() if "synthetic" in part else np.zeros(len(part))
    codes = pd.DataFrame(
        {
            "row": measured,
            "synthetic": drawn.astype(np.int64),
            "type": pd.Categorical(part["logo_type"], list(TYPE_SHARES)).codes.astype(np.int64),
            "cell": ssim_cells(part["ssim"]).to_numpy(),
            "image": pd.factorize(part["image_id"])[0],
            "group": pd.factorize(groups)[0],
            "hash": hash_order(seed, part["conversion_id"].tolist()),
        }
    ).sort_values("hash", kind="stable")
    codes["turn"] = codes.groupby(["type", "synthetic", "cell", "image"], sort=False).cumcount()
    codes = codes.sort_values(["turn", "hash"], kind="stable")
    codes["turn"] = codes.groupby(["type", "synthetic", "cell", "group"], sort=False).cumcount()
    return codes.sort_values(["turn", "hash"], kind="stable")


def _wanted(ordered: pd.DataFrame, quotas: dict[str, int]) -> np.ndarray:
    """Rows to take: int64 ``(type, synthetic or not, cell)``, cell 0 for those below the span."""
    supply = np.zeros((len(quotas), 2, N_CELLS + 1), dtype=np.int64)
    places = (ordered[name].to_numpy() for name in ("type", "synthetic"))
    np.add.at(supply, (*places, ordered["cell"].to_numpy() + 1), 1)
    wanted = np.zeros_like(supply)
    for number, quota in enumerate(quotas.values()):
        for kind in (0, 1):  # real rows, then synthetic ones for what is missing
            left = quota - int(wanted[number].sum())
            held = wanted[number, 0, 1:] if kind else None
            filled = fill_evenly(supply[number, kind, 1:], left, held)
            wanted[number, kind, 1:] = filled
            wanted[number, kind, 0] = min(supply[number, kind, 0], left - int(filled.sum()))
    return wanted
