"""How quality and size are distributed, in the full and in the everyday region."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

SCALES: Final = {"ssim": "linear", "mse": "log10", "psnr": "linear", "svg_bytes": "log10"}
QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_N_BINS: Final = 40


def distributions(measured: pd.DataFrame, everyday: np.ndarray) -> dict[str, Any]:
    """Figure -> region -> counts, moments, quantiles and a histogram.

    Args:
        measured: rows without an error, with ``ssim``, ``mse``, ``psnr`` (null where the MSE is
            0) and ``svg_bytes``.
        everyday: bool ``(n,)``, whether a row is in the everyday region.

    Returns:
        For JSON. The two regions of a figure share the edges of their histograms; on a
        logarithmic scale they are powers of ten, and zeros are counted as ``n_zero`` beside it.
    """
    told: dict[str, Any] = {}
    for figure, scale in SCALES.items():
        values = measured[figure].to_numpy(dtype=float, na_value=np.nan)
        edges = _edges(values, scale)
        told[figure] = {
            "full": _told(values, scale, edges),
            "everyday": _told(values[everyday], scale, edges),
        }
    return told


def _edges(values: np.ndarray, scale: str) -> np.ndarray:
    """float64 ``(n_bins + 1,)`` that hold every value; none where there is no value to hold."""
    shown = _shown(values, scale)
    if not len(shown):
        return np.empty(0)
    low, high = float(shown.min()), float(shown.max())
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, _N_BINS + 1)


def _shown(values: np.ndarray, scale: str) -> np.ndarray:
    known = values[np.isfinite(values)]
    return known if scale == "linear" else np.asarray(np.log10(known[known > 0]))


def _told(values: np.ndarray, scale: str, edges: np.ndarray) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    moments: dict[str, float | None] = dict.fromkeys(("mean", "sd", "min", "max"))
    quantiles: dict[str, float | None] = dict.fromkeys(f"{q:g}" for q in QUANTILES)
    if len(known):
        moments = {
            "mean": float(known.mean()), "sd": float(known.std(ddof=1)) if len(known) > 1 else None,
            "min": float(known.min()), "max": float(known.max()),
        }  # fmt: skip
        found = np.quantile(known, QUANTILES).tolist()
        quantiles = dict(zip(quantiles, found, strict=True))
    counts = np.histogram(_shown(values, scale), edges)[0] if len(edges) else np.empty(0, int)
    return {
        "n": len(known),
        "n_missing": len(values) - len(known),
        "n_zero": int((known == 0).sum()),
        **moments,
        "quantiles": quantiles,
        "histogram": {"scale": scale, "edges": edges.tolist(), "counts": counts.tolist()},
    }
