"""The store: each row once, kinds apart, whole files only."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.errors import FeatureError
from svg_quality.features.store import FeatureStore


@settings(max_examples=20, deadline=None)
@given(
    batches=st.lists(
        st.lists(st.text("abcdef0123456789", min_size=1, max_size=6), unique=True), max_size=5
    )
)
def test_what_goes_in_comes_out_in_any_order(
    batches: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    written: dict[str, np.ndarray] = {}
    for number, batch in enumerate(batches):
        new = store.missing("k", batch)
        assert new == [name for name in batch if name not in written]
        values = np.random.default_rng(number).normal(size=(len(new), 7)).astype(np.float32)
        store.add("k", new, values)
        written.update(zip(new, values, strict=True))
    if written:
        names = sorted(written)[::-1] * 2
        assert (store.read("k", names) == np.stack([written[name] for name in names])).all()


def test_kinds_never_mix(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.add("backbone-1", ["a"], np.ones((1, 3), np.float32))
    assert store.missing("backbone-2", ["a"]) == ["a"]
    with pytest.raises(
        FeatureError, match=r"must be extracted before they are read, 1 rows of backbone-2"
    ):
        store.read("backbone-2", ["a"])


def test_files_are_compressed_and_chunked(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.add("k", [str(i) for i in range(100)], np.zeros((100, 2048), np.float32))
    path = next((tmp_path / "k").glob("*.h5"))
    with h5py.File(path) as file:
        assert (file["values"].chunks, file["values"].compression) == ((64, 2048), "gzip")
    assert path.stat().st_size < 100 * 2048 * 4 / 20


def test_what_a_killed_process_left_is_not_read(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.add("k", ["a"], np.ones((1, 3), np.float32))
    (tmp_path / "k" / ".0123.99").write_bytes(b"half a file")
    assert store.missing("k", ["a", "b"]) == ["b"]


@pytest.mark.parametrize(
    ("ids", "values", "message"),
    [
        (["a"], np.ones((2, 3), np.float32), "rows must match ids"),
        (["a"], np.ones(3, np.float32), "rows must match ids"),
        (["a"], np.array([[np.nan]], np.float32), "must be finite"),
    ],
)
def test_refuses(tmp_path: Path, ids: list[str], values: np.ndarray, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        FeatureStore(tmp_path).add("k", ids, values)
