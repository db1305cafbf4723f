"""Rows on demand: as the whole array would give them, in bounded memory, with few reads."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.errors import FeatureError
from svg_quality.features.cache import CachedFeatures
from svg_quality.features.store import CHUNK_ROWS, FeatureStore

SIZES = (150, 7, 64)  # rows of three files: three chunks, one, one
WIDTH = 5
NAMES = [f"{number:03d}" for number in range(sum(SIZES))]
VALUES = np.random.default_rng(0).normal(size=(len(NAMES), WIDTH)).astype(np.float32)
CHUNK = CHUNK_ROWS * WIDTH * 4  # bytes


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    made = FeatureStore(tmp_path_factory.mktemp("store"))
    start = 0
    for size in SIZES:
        made.add("k", NAMES[start : start + size], VALUES[start : start + size])
        start += size
    return made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files opened."""
    opened: list[str] = []
    real = h5py.File

    def opening(path: Path, *arguments: Any) -> Any:
        opened.append(Path(path).name)
        return real(path, *arguments)

    monkeypatch.setattr(h5py, "File", opening)
    return opened


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(-len(NAMES), len(NAMES) - 1), max_size=40), max_size=6),
    max_bytes=st.integers(0, 6 * CHUNK),
    seed=st.integers(0, 9),
)
def test_every_batch_is_that_of_the_array_and_memory_is_bounded(
    store: FeatureStore, batches: list[list[int]], max_bytes: int, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(NAMES))
    features = CachedFeatures(store, "k", [NAMES[i] for i in order], max_bytes)
    expected, n_asked = VALUES[order], 0
    assert features.shape == expected.shape
    assert len(features) == len(NAMES)
    for batch in batches:
        index = np.array(batch, int)
        assert np.array_equal(features[index], expected[index])
        assert features.n_bytes <= max_bytes
        n_asked += len(index)
    assert features.n_hits + features.n_misses == n_asked


@pytest.mark.parametrize("index", [3, slice(2, 9, 3), np.array([[0, 1], [2, 220]]), slice(0, 0)])
def test_takes_every_index_of_numpy(store: FeatureStore, index: Any) -> None:
    got = CachedFeatures(store, "k", NAMES, 0)[index]
    assert np.array_equal(got, VALUES[index])
    assert got.dtype == np.float32


def test_each_file_is_opened_once_and_only_for_chunks_that_are_not_in_memory(
    store: FeatureStore, reads: list[str]
) -> None:
    features = CachedFeatures(store, "k", NAMES, max_bytes=10 * CHUNK)
    reads.clear()
    features[np.array([0, 149, 70, 1, 160, 0])]  # all chunks of the first file, one of the third
    assert len(reads) == 2
    assert len(set(reads)) == 2
    assert (features.n_hits, features.n_misses) == (0, 6)
    features[np.array([2, 64, 140, 161])]
    assert len(reads) == 2
    assert (features.n_hits, features.n_misses) == (4, 6)


def test_the_chunk_not_used_for_longest_goes_first(store: FeatureStore) -> None:
    features = CachedFeatures(store, "k", NAMES, max_bytes=2 * CHUNK)
    for place, hit in ((0, False), (64, False), (0, True), (157, False), (0, True), (64, False)):
        before = features.n_hits
        features[np.array([place])]
        assert (features.n_hits > before) is hit, place


def test_a_copy_for_another_process_starts_empty(store: FeatureStore) -> None:
    features = CachedFeatures(store, "k", NAMES, max_bytes=10 * CHUNK)
    features[np.arange(200)]
    copy = pickle.loads(pickle.dumps(features))
    assert (copy.n_bytes, copy.n_hits, copy.n_misses) == (0, 0, 0)
    assert np.array_equal(copy[np.arange(200)], VALUES[:200])
    assert copy.n_bytes == features.n_bytes  # as much memory as the first may use


def test_threads_may_share_it(store: FeatureStore) -> None:
    features = CachedFeatures(store, "k", NAMES, max_bytes=CHUNK)
    batches = np.random.default_rng(1).integers(0, len(NAMES), (60, 30))
    with ThreadPoolExecutor(4) as threads:
        for index, got in zip(batches, threads.map(features.__getitem__, batches), strict=True):
            assert np.array_equal(got, VALUES[index])
    assert features.n_hits + features.n_misses == batches.size
    assert features.n_bytes <= CHUNK


def test_refuses_names_without_a_row_places_without_one_and_damaged_files(
    store: FeatureStore, tmp_path: Path
) -> None:
    with pytest.raises(FeatureError, match="must be extracted before they are read, 1 rows of k"):
        CachedFeatures(store, "k", [*NAMES, "other"], 0)
    with pytest.raises(IndexError):
        CachedFeatures(store, "k", NAMES, 0)[np.array([len(NAMES)])]
    mine = FeatureStore(tmp_path)
    mine.add("k", ["a"], np.ones((1, 3), np.float32))
    features = CachedFeatures(mine, "k", ["a"], 0)
    next((tmp_path / "k").glob("*.h5")).write_bytes(b"half a file")
    for read in (lambda: features[np.array([0])], lambda: mine.read("k", ["a"])):
        with pytest.raises(FeatureError, match="a file of features must be whole"):
            read()
