"""Rows, loaders and scaling: every row once, statistics of the training rows only."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from svg_quality.errors import DatasetError, FeatureError
from svg_quality.features.cache import CachedFeatures
from svg_quality.features.mapped import map_features
from svg_quality.features.store import FeatureStore
from svg_quality.model.quality_head import HeadConfig
from svg_quality.training.audit import EpochAudit, audit_epoch
from svg_quality.training.data import RowLoader, build_head, fit_scaling
from svg_quality.training.dataset import BatchMemory, QualityPredictionDataset
from svg_quality.training.rows import Batch, Rows


def rows(n: int = 40, n_images: int = 6, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    tabular = rng.normal(size=(n, 5)).astype(np.float32)
    tabular[:, 1] = rng.integers(0, 2, n)
    tabular[:, 4] = 3
    return Rows(
        features=rng.normal(size=(n_images, 8)).astype(np.float32),
        image_index=rng.integers(0, n_images, n),
        tabular=tabular,
        ssim=rng.uniform(0.2, 1, n).astype(np.float32),
        log_bytes=rng.normal(8, 1, n).astype(np.float32),
    )


@settings(deadline=None)  # threads on a busy machine
@given(st.integers(2, 40), st.integers(2, 20), st.booleans(), st.integers(0, 3))
def test_each_row_comes_once_with_its_own_features(
    n: int, size: int, shuffle: bool, prefetch: int
) -> None:
    given_rows = rows(n)
    loader = RowLoader(given_rows, size, shuffle, prefetch=prefetch)
    batches = list(loader)
    assert len(batches) == len(loader)
    seen = torch.cat([batch.ssim for batch in batches]).numpy()
    dropped = n - len(seen)
    assert dropped == (1 if shuffle and n % size == 1 and n > size else 0)
    assert audit_epoch(given_rows, batches) == EpochAudit(n - dropped, dropped, 0, 0)
    if not shuffle:
        assert np.array_equal(seen, given_rows.ssim)
        features = torch.cat([batch.features for batch in batches]).numpy()
        assert np.array_equal(features, given_rows.features[given_rows.image_index])
    assert min(len(batch.ssim) for batch in batches) >= (2 if shuffle else 1)


@pytest.mark.parametrize("kind", ["array", "mapped", "cached", "hardly cached"])
@pytest.mark.parametrize("prefetch", [0, 3])
def test_wherever_features_are_an_epoch_is_whole(kind: str, prefetch: int, tmp_path: Path) -> None:
    given_rows = rows(500, n_images=90)
    store, names = FeatureStore(tmp_path), [f"image-{number}" for number in range(90)]
    for part in np.array_split(np.arange(90), 3):
        store.add("kind", [names[i] for i in part], given_rows.features[part])
    features = {
        "array": given_rows.features,
        "mapped": map_features(store, "kind", names),
        "cached": CachedFeatures(store, "kind", names, max_bytes=10**6),
        "hardly cached": CachedFeatures(store, "kind", names, max_bytes=3000),
    }[kind]
    asked = dataclasses.replace(given_rows, features=features)
    loader = RowLoader(asked, 64, shuffle=True, seed=1, prefetch=prefetch)
    for _ in range(2):
        assert audit_epoch(given_rows, loader) == EpochAudit(500, 0, 0, 0)
    assert asked.digest() == given_rows.digest()
    scaling, expected = fit_scaling(asked), fit_scaling(given_rows)
    assert all(torch.equal(scaling[name], expected[name]) for name in expected)


def test_an_audit_finds_what_is_wrong() -> None:
    given_rows = rows(8)
    (batch,) = RowLoader(given_rows, 8)
    halves = [Batch(*(column[:4] for column in batch)), Batch(*(column[4:] for column in batch))]
    assert audit_epoch(given_rows, halves).is_whole
    assert audit_epoch(given_rows, halves[:1]) == EpochAudit(4, 4, 0, 0)
    assert audit_epoch(given_rows, [halves[0]] * 2) == EpochAudit(8, 4, 4, 0)
    mixed = batch._replace(ssim=batch.ssim.flip(0))
    assert audit_epoch(given_rows, [mixed]).n_mixed_up == 8


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_batch_that_is_kept_is_never_written_over(prefetch: int) -> None:
    """Not even where only a view or a graph of it is kept."""
    given_rows = rows(60)
    views, graphs, weight = [], [], torch.ones(8, requires_grad=True)
    for batch in RowLoader(given_rows, 6, prefetch=prefetch):
        views.append(batch.features[2:, 3])
        graphs.append((batch.features * weight).sum())
    features = given_rows.features[given_rows.image_index]
    for number, (view, graph) in enumerate(zip(views, graphs, strict=True)):
        own = features[number * 6 : number * 6 + 6]
        assert np.array_equal(view, own[2:, 3])
        (gradient,) = torch.autograd.grad(graph, weight)
        assert np.allclose(gradient, own.sum(0), atol=1e-5)


def test_memory_that_nobody_holds_is_lent_again() -> None:
    memory = BatchMemory(10)
    first = memory.lend()
    tensor = torch.from_numpy(first)[2:]
    address = first.ctypes.data
    del first
    assert memory.lend().ctypes.data != address
    del tensor
    assert memory.lend().ctypes.data == address
    assert len(memory) == 2


def test_an_epoch_needs_no_more_memory_than_batches_in_flight() -> None:
    addresses = {batch.features.data_ptr() for batch in RowLoader(rows(400), 8, prefetch=2)}
    assert len(addresses) <= 5  # two ahead, one being read, the caller's and its next


def broken_by_its_caller(loader: RowLoader) -> None:
    for batch in loader:
        len(batch.ssim) // 0


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_reading_thread_ends_with_a_pass_that_is_broken_off(shuffle: bool) -> None:
    loader = RowLoader(rows(200), 4, shuffle, prefetch=2)
    before = threading.active_count()
    for _ in loader:
        assert threading.active_count() == before + 1
        break
    assert threading.active_count() == before
    with pytest.raises(ZeroDivisionError):
        broken_by_its_caller(loader)
    assert threading.active_count() == before
    assert sum(1 for _ in loader) == 50
    assert threading.active_count() == before


class Torn:
    """Features whose file is gone after some reads."""

    shape = (6, 8)

    def __init__(self) -> None:
        self.n_reads = 0

    def __len__(self) -> int:
        return 6

    def __getitem__(self, images: np.ndarray) -> np.ndarray:
        self.n_reads += 1
        if self.n_reads > 3:
            raise FeatureError("a file of the store must be whole")
        return np.zeros((len(images), 8), np.float32)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_what_reading_raises_reaches_the_caller(prefetch: int) -> None:
    before = threading.active_count()
    seen: list[Batch] = []
    loader = RowLoader(dataclasses.replace(rows(), features=Torn()), 8, prefetch=prefetch)
    with pytest.raises(FeatureError, match="must be whole"):
        seen.extend(loader)
    assert len(seen) == 3
    assert threading.active_count() == before


def test_orders_change_between_passes_and_repeat_with_the_seed() -> None:
    loader, again = (RowLoader(rows(), 8, shuffle=True, seed=4) for _ in range(2))
    first, second = (torch.cat([b.ssim for b in loader]) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, torch.cat([b.ssim for b in again]))
    state = again.state_dict()
    assert torch.equal(second, torch.cat([b.ssim for b in again]))
    again.load_state_dict(state)
    assert torch.equal(second, torch.cat([b.ssim for b in again]))


def test_a_dataset_gives_rows_and_batches() -> None:
    given_rows = rows()
    dataset = QualityPredictionDataset(given_rows)
    assert len(dataset) == 40
    one, last = dataset[7], dataset[-1]
    assert np.array_equal(one.features, given_rows.features[given_rows.image_index[7]])
    assert np.array_equal(last.tabular, given_rows.tabular[39])
    assert one.ssim.shape == one.log_bytes.shape == ()
    batch = dataset.__getitems__([7, 39, 7])
    for name, column in batch._asdict().items():
        assert torch.equal(column[0], getattr(one, name))
        assert torch.equal(column[1], getattr(last, name))
        assert torch.equal(column[2], column[0])
    for wrong in (40, -41):
        with pytest.raises(IndexError, match=r"row must be in \[-40, 40\)"):
            dataset[wrong]
    with pytest.raises(IndexError, match=r"rows must be in \[0, 40\), got -1-3"):
        dataset.__getitems__([3, -1])


@pytest.mark.parametrize("collate", [None, lambda batch: batch], ids=["by row", "by batch"])
def test_torchs_own_loader_takes_the_dataset(collate: Callable[[Any], Any] | None) -> None:
    class ByRow(Dataset[Batch]):
        def __init__(self, of: QualityPredictionDataset) -> None:
            self.of = of

        def __len__(self) -> int:
            return len(self.of)

        def __getitem__(self, row: int) -> Batch:
            return self.of[row]

    dataset = QualityPredictionDataset(rows())
    taken = ByRow(dataset) if collate is None else dataset
    batches = list(DataLoader(taken, batch_size=16, shuffle=True, collate_fn=collate))
    assert [len(batch.ssim) for batch in batches] == [16, 16, 8]
    assert audit_epoch(dataset.rows, batches).is_whole


def test_a_digest_is_of_every_number_and_of_their_order() -> None:
    given_rows = rows()
    assert given_rows.digest() == rows().digest()
    others = [rows(seed=1), given_rows.take(np.arange(39)), given_rows.take(np.arange(40)[::-1])]
    for name in ("features", "tabular", "ssim", "log_bytes"):
        changed = getattr(given_rows, name).copy()
        changed.flat[5] += 0.25
        others.append(dataclasses.replace(given_rows, **{name: changed}))
    digests = [given_rows.digest(), *(other.digest() for other in others)]
    assert len(set(digests)) == len(digests)


def test_scaling_comes_from_the_rows_it_is_given() -> None:
    given_rows = rows()
    taken = given_rows.take(given_rows.image_index < 3)
    scaling = fit_scaling(taken)
    seen = given_rows.features[np.unique(taken.image_index)]
    assert np.allclose(scaling["features_mean"], seen.mean(0), atol=1e-6)
    assert np.allclose(scaling["features_scale"], seen.std(0), atol=1e-6)
    assert np.allclose(scaling["target_mean"][1], taken.log_bytes.mean())
    assert np.allclose(scaling["target_scale"][0], np.arctanh(taken.ssim).std(), rtol=1e-5)


def test_pieces_cover_each_column_that_varies() -> None:
    given_rows = rows(400)
    scaling = fit_scaling(given_rows, n_bins=4)
    column = scaling["piece_column"].numpy()
    assert np.bincount(column, minlength=5).tolist() == [4, 1, 4, 4, 0]  # yes-or-no; constant
    ends = scaling["piece_start"].numpy() + scaling["piece_width"].numpy()
    for index in (0, 2, 3):
        assert ends[column == index].max() == pytest.approx(given_rows.tabular[:, index].max())


def test_a_head_is_built_to_size() -> None:
    head = build_head(rows(), HeadConfig(d_bottleneck=2, hidden_dims=(8,)), n_bins=4)
    assert (head.config.d_tabular, head.config.d_features) == (5, 8)
    assert head.config.d_pieces == len(head.piece_start)
    assert torch.equal(head.features_mean, fit_scaling(rows(), 4)["features_mean"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ssim": np.zeros(3, np.float32)}, "of one number"),
        ({"image_index": np.full(40, 6)}, r"image_index must be in \[0, 6\)"),
        ({"log_bytes": np.full(40, np.nan, np.float32)}, "log_bytes is not"),
    ],
)
def test_refuses(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        dataclasses.replace(rows(), **change)
    with pytest.raises(DatasetError, match="batch_size must be at least 2, got 1"):
        RowLoader(rows(), 1)
    with pytest.raises(DatasetError, match="prefetch must be at least 0, got -1"):
        RowLoader(rows(), 2, prefetch=-1)
    constant = dataclasses.replace(rows(), tabular=np.ones((40, 5), np.float32))
    with pytest.raises(DatasetError, match="no column does"):
        fit_scaling(constant)
