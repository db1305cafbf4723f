"""Mapped rows: the store's, in the order asked for, written once and whole."""

from pathlib import Path

import numpy as np
import pytest

from svg_quality.errors import FeatureError
from svg_quality.features.mapped import map_features
from svg_quality.features.store import FeatureStore

NAMES = [f"{number:04d}" for number in range(1300)]
VALUES = np.random.default_rng(0).normal(size=(len(NAMES), 6)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    made = FeatureStore(tmp_path)
    made.add("k", NAMES[:700], VALUES[:700])
    made.add("k", NAMES[700:], VALUES[700:])
    return made


def test_rows_are_those_of_the_store_in_the_order_asked_for(store: FeatureStore) -> None:
    order = np.random.default_rng(1).permutation(len(NAMES))
    mapped = map_features(store, "k", [NAMES[i] for i in order])
    assert isinstance(mapped, np.memmap)
    assert mapped.dtype == np.float32
    assert np.array_equal(mapped, VALUES[order])
    assert not mapped.flags.writeable


def test_it_is_written_once_and_leaves_nothing_else(store: FeatureStore) -> None:
    map_features(store, "k", NAMES)
    (path,) = (store.root / "k").glob("*.npy")
    written = path.stat().st_mtime_ns
    map_features(store, "k", NAMES)
    assert path.stat().st_mtime_ns == written
    assert sorted(p.suffix for p in (store.root / "k").iterdir()) == [".h5", ".h5", ".npy"]
    map_features(store, "k", NAMES[:5])
    assert len(list((store.root / "k").glob("*.npy"))) == 2


@pytest.mark.parametrize("size", [0, 60, 5000])
def test_a_file_that_is_not_whole_is_made_again(store: FeatureStore, size: int) -> None:
    map_features(store, "k", NAMES)
    (path,) = (store.root / "k").glob("*.npy")
    path.write_bytes(path.read_bytes()[:size])
    assert np.array_equal(map_features(store, "k", NAMES), VALUES)


@pytest.mark.parametrize("other", [VALUES[:5], VALUES.astype(np.float64)])
def test_a_file_of_other_numbers_is_made_again(store: FeatureStore, other: np.ndarray) -> None:
    map_features(store, "k", NAMES)
    (path,) = (store.root / "k").glob("*.npy")
    np.save(path, other)
    assert np.array_equal(map_features(store, "k", NAMES), VALUES)
    assert map_features(store, "k", NAMES).dtype == np.float32


def test_the_store_does_not_take_it_for_rows(store: FeatureStore) -> None:
    map_features(store, "k", NAMES)
    assert store.missing("k", [*NAMES, "other"]) == ["other"]
    assert np.array_equal(store.read("k", NAMES), VALUES)


def test_refuses_names_without_a_row(store: FeatureStore) -> None:
    with pytest.raises(FeatureError, match="must be extracted before they are read"):
        map_features(store, "k", ["other"])
    assert not list((store.root / "k").glob("*.npy"))
