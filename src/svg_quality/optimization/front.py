"""The Pareto front of quality and bytes: sets that none beats in one without losing the other."""

from __future__ import annotations

import numpy as np


def pareto_front(ssim: np.ndarray, svg_bytes: np.ndarray) -> np.ndarray:
    """Places of the sets that no other beats in both; of equals the first. Smallest SVG first.

    One set beats another if it has at least its SSIM and at most its bytes, and is better in one.
    Sets with a figure that is not finite are on no front.

    Args:
        ssim: float ``(n,)``, more is better.
        svg_bytes: ``(n,)``, fewer are better; their logarithms do as well.

    Returns:
        int ``(m,)``: SSIM and bytes both rise along it.

    Example:
        >>> pareto_front(np.array([0.9, 0.8, 0.95, 0.8]), np.array([500, 300, 900, 400]))
        array([1, 0, 2])
    """
    known = np.flatnonzero(np.isfinite(ssim) & np.isfinite(svg_bytes))
    order = known[np.lexsort((known, -ssim[known], svg_bytes[known]))]
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(ssim[order])[:-1]])
    return order[ssim[order] > best_before]


def front_layers(ssim: np.ndarray, svg_bytes: np.ndarray, n_least: int) -> np.ndarray:
    """Places of the front, of the front without it, and so on, until there are enough.

    Predictions are uncertain: what is slightly beaten by prediction may win when it is measured.

    Args:
        ssim, svg_bytes: as in `pareto_front`.
        n_least: places wanted; the last layer is whole, so there may be more, and there are
            fewer where there are no more sets.

    Returns:
        int ``(m,)``, ascending.
    """
    left = np.flatnonzero(np.isfinite(ssim) & np.isfinite(svg_bytes))
    if len(left) <= n_least:
        return left
    kept: list[np.ndarray] = []
    while sum(map(len, kept)) < n_least and len(left):
        layer = pareto_front(ssim[left], svg_bytes[left])
        kept.append(left[layer])
        left = np.delete(left, layer)
    return np.sort(np.concatenate(kept)) if kept else left
