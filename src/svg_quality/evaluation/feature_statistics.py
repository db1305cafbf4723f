"""What the inputs of a model look like: whether they vary, and whether they resemble training's."""

from __future__ import annotations

from typing import Final

import numpy as np

from svg_quality.errors import FeatureError

FAR: Final = 5.0  # standard deviations of training; the head looks no further


def feature_statistics(
    features: np.ndarray, training: np.ndarray | None = None
) -> dict[str, float | int | None]:
    """Figures of one table of features.

    Args:
        features: ``(n, d)``, one row an image or a sample.
        training: ``(m, d)``, what the model was fitted on; None where it is not known.

    Returns:
        ``n``, ``d``, ``mean``, ``deviation`` (of all numbers), ``zeros`` (share), ``constant``
        (columns that never vary), ``effective_dimensions`` (participation ratio of the
        covariance's eigenvalues, ``(sum l)^2 / sum l^2``), and ``far_from_training``: the share
        of numbers more than ``FAR`` standard deviations from training's mean, None without it.

    Raises:
        FeatureError: the features are empty or not finite.
    """
    x = np.asarray(features, float)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise FeatureError(f"features must be a finite table with rows, got shape {x.shape}")
    centred = x - x.mean(0)
    # The eigenvalues' sums need no decomposition: traces of the Gram matrix and of its square.
    gram = centred @ centred.T if len(x) <= x.shape[1] else centred.T @ centred
    second = float(np.square(gram).sum())
    return {
        "n": len(x),
        "d": x.shape[1],
        "mean": float(x.mean()),
        "deviation": float(x.std()),
        "zeros": float((x == 0).mean()),
        "constant": int((np.ptp(x, axis=0) == 0).sum()),
        "effective_dimensions": float(np.trace(gram) ** 2 / second) if second else 0.0,
        "far_from_training": None if training is None else _far(x, np.asarray(training, float)),
    }


def _far(x: np.ndarray, training: np.ndarray) -> float:
    spread = training.std(0)
    distance = np.abs(x - training.mean(0))
    return float((distance > FAR * np.where(spread > 0, spread, np.inf)).mean())
