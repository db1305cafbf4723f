"""Rows, loaders and scaling: every row once, statistics of the training rows only."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.errors import DatasetError
from svg_quality.model.mlp import HeadConfig
from svg_quality.training.data import RowLoader, Rows, build_head, fit_scaling


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


@given(st.integers(2, 40), st.integers(2, 20), st.booleans())
def test_each_row_comes_once_with_its_own_features(n: int, size: int, shuffle: bool) -> None:
    given_rows = rows(n)
    loader = RowLoader(given_rows, size, shuffle)
    batches = list(loader)
    assert len(batches) == len(loader)
    seen = torch.cat([batch.ssim for batch in batches]).numpy()
    dropped = n - len(seen)
    assert dropped == (1 if shuffle and n % size == 1 and n > size else 0)
    if not shuffle:
        assert np.array_equal(seen, given_rows.ssim)
        features = torch.cat([batch.features for batch in batches]).numpy()
        assert np.array_equal(features, given_rows.features[given_rows.image_index])
    assert set(seen) <= set(given_rows.ssim)
    assert min(len(batch.ssim) for batch in batches) >= (2 if shuffle else 1)


def test_orders_change_between_passes_and_repeat_with_the_seed() -> None:
    loader, again = (RowLoader(rows(), 8, shuffle=True, seed=4) for _ in range(2))
    first, second = (torch.cat([b.ssim for b in loader]) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, torch.cat([b.ssim for b in again]))


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
    constant = dataclasses.replace(rows(), tabular=np.ones((40, 5), np.float32))
    with pytest.raises(DatasetError, match="no column does"):
        fit_scaling(constant)
