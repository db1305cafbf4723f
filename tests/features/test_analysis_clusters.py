"""Clusters that are there are found; those that are not are told as such."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from svg_quality.errors import FeatureError
from svg_quality.features.analysis.clusters import cluster


def blobs(seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Three well apart: 30 of "a", 20 of "b", 10 of "c"."""
    rng = np.random.default_rng(seed)
    counts = {"a": 30, "b": 20, "c": 10}
    centres = np.array([[0, 0], [10, 0], [0, 10]])
    points = [rng.normal(size=(n, 2)) + centre
              for n, centre in zip(counts.values(), centres, strict=True)]  # fmt: skip
    return np.concatenate(points), [name for name, n in counts.items() for _ in range(n)]


def test_clusters_that_are_the_types_are_found() -> None:
    points, types = blobs()
    found = cluster(points, types, seed=0)
    assert found.n_clusters == 3
    assert found.rand == 1
    assert found.types == ("a", "b", "c")
    assert found.table.tolist() == [[30, 0, 0], [0, 20, 0], [0, 0, 10]]
    assert found.silhouettes[3] == pytest.approx(silhouette_samples(points, found.labels).mean())
    assert set(found.silhouettes) == set(range(2, 11))


def test_types_that_have_nothing_to_do_with_them_have_no_rand_index() -> None:
    points, types = blobs()
    shuffled = np.random.default_rng(1).permutation(types).tolist()
    found = cluster(points, shuffled, seed=0)
    assert abs(found.rand) < 0.1
    assert found.table.sum() == len(types)


def test_the_seed_decides_everything() -> None:
    points, types = blobs()
    one, two = (cluster(points, types, seed=3) for _ in range(2))
    assert np.array_equal(one.labels, two.labels)
    assert one.silhouettes == two.silhouettes


def test_few_pictures_have_few_clusters() -> None:
    points, types = blobs()
    few = cluster(points[[0, 30, 31, 50]], [types[i] for i in (0, 30, 31, 50)], seed=0)
    assert set(few.silhouettes) == {2, 3}


def test_refuses() -> None:
    points, types = blobs()
    with pytest.raises(FeatureError, match="three different pictures"):
        cluster(points[[0, 0, 1, 1]], types[:4], seed=0)
    with pytest.raises(FeatureError, match="three different pictures"):
        cluster(points, types[:5], seed=0)
