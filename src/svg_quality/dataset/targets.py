"""What a balanced dataset looks like: shares of the logo types, and the span of quality."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

TYPE_SHARES: Final = {"simple": 0.30, "text": 0.25, "gradient": 0.25, "complex": 0.20}
SSIM_EDGES: Final = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # what conversions should cover
N_CELLS: Final = len(SSIM_EDGES) - 1


def ssim_cells(ssim: pd.Series[float]) -> pd.Series[int]:
    """The cell of each value: 0..6 within the span, -1 below it; 1.0 belongs to the last."""
    cells = np.searchsorted(SSIM_EDGES, ssim, side="right").astype(np.int64) - 1
    return pd.Series(np.minimum(cells, len(SSIM_EDGES) - 2), index=ssim.index, dtype=int)


def type_quotas(target_samples: int) -> dict[str, int]:
    """Rows of each type that make up ``target_samples`` at the target shares.

    Largest remainders, so that they add up; of equal remainders the first type's counts.

    Example:
        >>> type_quotas(10)
        {'simple': 3, 'text': 3, 'gradient': 2, 'complex': 2}
    """
    # Shares are whole percents: in hundredths the remainders are exact.
    hundredths = {name: round(100 * share) * target_samples for name, share in TYPE_SHARES.items()}
    quotas = {name: value // 100 for name, value in hundredths.items()}
    missing = target_samples - sum(quotas.values())
    for name in sorted(TYPE_SHARES, key=lambda name: -(hundredths[name] % 100))[:missing]:
        quotas[name] += 1
    return quotas


def count_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Measured rows of each type and SSIM cell.

    Args:
        frame: with ``logo_type`` and ``ssim``; rows without an SSIM (failures) do not count.

    Returns:
        int64, indexed by the types in the order of `TYPE_SHARES`, columns -1 (below the span),
        0..6.
    """
    measured = frame.loc[frame["ssim"].notna(), ["logo_type", "ssim"]]
    counts = pd.crosstab(measured["logo_type"].astype("str"), ssim_cells(measured["ssim"]))
    return counts.reindex(index=list(TYPE_SHARES), columns=range(-1, N_CELLS), fill_value=0).astype(
        "int64"
    )


def compare_with_targets(frame: pd.DataFrame, target_samples: int | None = None) -> dict[str, Any]:
    """How far a table is from the targets, type by type and SSIM cell by SSIM cell.

    Args:
        frame: with ``logo_type`` and ``ssim``; rows without an SSIM do not count.
        target_samples: rows to have; None for as many as there are measured ones.

    Returns:
        JSON-able: ``rows``, ``target``, ``missing`` (sum of the types' deficits),
        ``below_span`` (rows with SSIM under 0.3, in no cell), ``ssim_edges``, ``share_distance``
        (total variation between shares and targets: 0 is perfect, 1 the worst) and ``types``.
        A type has ``rows``, ``share`` (None of an empty table), ``target_share``, ``target``,
        ``deficit``, ``below_span``, and lists of seven: ``cells``, ``cell_target`` each cell
        should reach, ``cell_deficits``.
    """
    counts = count_cells(frame)
    n_rows = int(counts.to_numpy().sum())
    target = n_rows if target_samples is None else target_samples
    quotas = type_quotas(target)
    types = {
        name: _type_entry(cells, quotas[name], n_rows)
        for name, cells in zip(TYPE_SHARES, counts.to_numpy().tolist(), strict=True)
    }
    distance = sum(abs((types[name]["share"] or 0.0) - TYPE_SHARES[name]) for name in types) / 2
    return {
        "rows": n_rows,
        "target": target,
        "missing": sum(entry["deficit"] for entry in types.values()),
        "below_span": int(counts[-1].sum()),
        "ssim_edges": list(SSIM_EDGES),
        "share_distance": round(distance, 4) if n_rows else None,
        "types": {name: {**types[name], "target_share": TYPE_SHARES[name]} for name in types},
    }


def _type_entry(counts: list[int], quota: int, n_rows: int) -> dict[str, Any]:
    below_span, *cells = counts
    rows = sum(counts)
    return {
        "rows": rows,
        "share": round(rows / n_rows, 4) if n_rows else None,
        "target": quota,
        "deficit": max(0, quota - rows),
        "below_span": below_span,
        "cells": cells,
        "cell_target": quota // N_CELLS,
        "cell_deficits": [max(0, quota // N_CELLS - n) for n in cells],
    }
