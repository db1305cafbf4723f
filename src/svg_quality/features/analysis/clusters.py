"""Which pictures the features put together, and whether those are of one type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from svg_quality.errors import FeatureError

MAX_CLUSTERS: Final = 10
_MOST_COMPARED: Final = 2000  # pictures in a silhouette, which compares each with each


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Groups of pictures, as many as have the best silhouette."""

    labels: np.ndarray  # int (n,), from 0, the largest cluster first
    silhouettes: dict[int, float]  # mean silhouette in [-1, 1] by number of clusters
    rand: float  # adjusted Rand index against the types: 0 by chance, 1 if they are the same
    types: tuple[str, ...]
    table: np.ndarray  # int (n_clusters, n_types), pictures

    @property
    def n_clusters(self) -> int:
        """The number with the best silhouette."""
        return len(self.table)


def cluster(points: np.ndarray, types: Sequence[str], seed: int) -> Clusters:
    """K-means with 2 to 10 clusters; of these, the number with the best mean silhouette.

    Args:
        points: ``(n, k)``, one row a picture.
        types: of the ``n`` pictures.
        seed: of the starting points, and of the pictures compared where there are many.

    Raises:
        FeatureError: the counts differ, or there are fewer than three different pictures.
    """
    n_different = len(np.unique(points, axis=0))
    if len(points) != len(types) or n_different < 3:
        raise FeatureError(
            f"clusters need three different pictures with a type each, got {n_different} and"
            f" {len(types)} types"
        )
    fits: dict[int, np.ndarray] = {}
    silhouettes: dict[int, float] = {}
    with threadpool_limits(1):  # sections of microseconds: threads would wait for each other
        for n_clusters in range(2, min(MAX_CLUSTERS, n_different - 1) + 1):
            means = KMeans(n_clusters, n_init=5, random_state=seed).fit(points)
            fits[n_clusters] = means.labels_
            silhouettes[n_clusters] = float(
                silhouette_score(
                    points,
                    means.labels_,
                    sample_size=min(len(points), _MOST_COMPARED),
                    random_state=seed,
                )
            )
    labels = _largest_first(fits[max(silhouettes, key=lambda k: silhouettes[k])])
    names = tuple(sorted(set(types)))
    table = np.zeros((labels.max() + 1, len(names)), int)
    np.add.at(table, (labels, np.array([names.index(each) for each in types])), 1)
    rand = float(adjusted_rand_score(list(types), labels))
    return Clusters(labels, silhouettes, rand, names, table)


def _largest_first(labels: np.ndarray) -> np.ndarray:
    order = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    ranked: np.ndarray = rank[labels]
    return ranked
