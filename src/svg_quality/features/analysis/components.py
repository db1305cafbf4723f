"""The main components of the features: how many directions they really have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svg_quality.errors import FeatureError

_TINY = 1e-9  # added to a deviation: some features of some backbones never vary


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Principal components of standardised features."""

    share: np.ndarray  # float64 (min(n, d),), of the variance, descending; its sum is 1
    centre: np.ndarray  # float64 (d,)
    scale: np.ndarray  # float64 (d,)
    axes: np.ndarray  # float64 (k, d), of length 1, each at right angles to the others

    def project(self, features: np.ndarray) -> np.ndarray:
        """Scores of other pictures' features ``(m, d)`` on the axes, float64 ``(m, k)``."""
        scores: np.ndarray = (features.astype(np.float64) - self.centre) / self.scale @ self.axes.T
        return scores

    def n_for(self, share: float) -> int:
        """How many components hold this share of the variance, in (0, 1]."""
        return int(np.searchsorted(np.cumsum(self.share), share * (1 - 1e-12))) + 1


def principal_components(features: np.ndarray, k: int) -> Components:
    """Fit them: the axes by singular values, signs chosen so that the largest entry is positive.

    Args:
        features: ``(n, d)``, one row a picture.
        k: axes to keep, at most; fewer where there are not so many.

    Raises:
        FeatureError: there are fewer than two pictures, or they are all alike.
    """
    if len(features) < 2:
        raise FeatureError(f"components need at least two pictures, got {len(features)}")
    values = features.astype(np.float64)
    centre, scale = values.mean(0), values.std(0) + _TINY
    _, lengths, axes = np.linalg.svd((values - centre) / scale, full_matrices=False)
    power = np.square(lengths)
    if not power.sum() > 0:
        raise FeatureError("components need features that differ, all pictures have the same")
    axes = axes[:k]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
    return Components(power / power.sum(), centre, scale, axes * np.sign(largest))
