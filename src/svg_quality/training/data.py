"""Arrays in, standardised batches out: what a trainer reads.

Features are kept once per image and picked by row as batches are made. The statistics that
standardise inputs and targets come from the training rows alone; the head applies them itself,
so batches carry raw numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from svg_quality.errors import DatasetError
from svg_quality.model.mlp import HeadConfig, QualityHead

_BOUND = 0.9999  # SSIM of 1 has no inverse hyperbolic tangent


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Measured conversions with their inputs: ``n`` rows of ``n_images`` images."""

    features: np.ndarray  # float32 (n_images, d_features)
    image_index: np.ndarray  # int64 (n,), into features
    tabular: np.ndarray  # float32 (n, d_tabular)
    ssim: np.ndarray  # float32 (n,), in [-1, 1]
    log_bytes: np.ndarray  # float32 (n,), natural logarithm

    def __post_init__(self) -> None:
        n = len(self.ssim)
        if not len(self.image_index) == len(self.tabular) == len(self.log_bytes) == n > 0:
            raise DatasetError(f"rows must be one or more and of one number, got {n} SSIM values")
        if self.image_index.min() < 0 or self.image_index.max() >= len(self.features):
            raise DatasetError(f"image_index must be in [0, {len(self.features)})")
        for name in ("features", "tabular", "ssim", "log_bytes"):
            if not np.isfinite(getattr(self, name)).all():
                raise DatasetError(f"inputs and targets must be finite, {name} is not")

    def __len__(self) -> int:
        return len(self.ssim)

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows, by index or mask; the features are shared."""
        return Rows(
            self.features,
            self.image_index[rows],
            self.tabular[rows],
            self.ssim[rows],
            self.log_bytes[rows],
        )


class Batch(NamedTuple):
    """Rows as tensors, float32."""

    features: Tensor  # (B, d_features)
    tabular: Tensor  # (B, d_tabular)
    ssim: Tensor  # (B,)
    log_bytes: Tensor  # (B,)


class RowLoader:
    """Batches of `Rows`; a new order at each pass where it shuffles.

    Args:
        rows: to read.
        batch_size: rows a batch; a rest of one row is dropped where shuffled, since batch norm
            needs two.
        shuffle: whether to mix the rows, as training does.
        seed: of the order.
    """

    def __init__(self, rows: Rows, batch_size: int, shuffle: bool = False, seed: int = 0) -> None:
        if batch_size < 2:
            raise DatasetError(f"batch_size must be at least 2, got {batch_size}")
        self.rows, self.batch_size, self.shuffle = rows, batch_size, shuffle
        self._features = torch.from_numpy(np.ascontiguousarray(rows.features, np.float32))
        self._index = torch.from_numpy(np.asarray(rows.image_index, np.int64))
        self._tabular = torch.from_numpy(np.ascontiguousarray(rows.tabular, np.float32))
        self._ssim = torch.from_numpy(np.asarray(rows.ssim, np.float32))
        self._log_bytes = torch.from_numpy(np.asarray(rows.log_bytes, np.float32))
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        full, rest = divmod(len(self.rows), self.batch_size)
        return full + (rest > (1 if self.shuffle and full else 0))

    def __iter__(self) -> Iterator[Batch]:
        n = len(self.rows)
        order = torch.randperm(n, generator=self._generator) if self.shuffle else torch.arange(n)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            picked = order[start : start + self.batch_size]
            yield Batch(
                self._features[self._index[picked]],
                self._tabular[picked],
                self._ssim[picked],
                self._log_bytes[picked],
            )


def build_head(train: Rows, settings: HeadConfig, n_bins: int = 8) -> QualityHead:
    """A head for these rows: sizes and scaling from the training rows, the rest from settings."""
    scaling = fit_scaling(train, n_bins)
    config = dataclasses.replace(
        settings,
        d_tabular=train.tabular.shape[1],
        d_features=train.features.shape[1],
        d_pieces=len(scaling["piece_start"]),
    )
    head = QualityHead(config)
    head.set_scaling(scaling)
    return head


def fit_scaling(train: Rows, n_bins: int = 8) -> dict[str, Tensor]:
    """Statistics of training rows, by the names of the head's buffers.

    Means and standard deviations, where a column that never varies gets the scale 1; the SSIM
    target is scaled as ``atanh(SSIM)``, the scale on which the head is linear. And the pieces of
    each tabular column: between its ``n_bins`` quantiles, equal ones counted once.
    """
    seen = train.features[np.unique(train.image_index)]
    warped = np.arctanh(np.clip(train.ssim, -_BOUND, _BOUND))
    targets = np.stack([warped, train.log_bytes], 1)
    column, start, width = _pieces(train.tabular, n_bins)
    return {
        "features_mean": _tensor(seen.mean(0, dtype=np.float64)),
        "features_scale": _tensor(_deviation(seen)),
        "target_mean": _tensor(targets.mean(0, dtype=np.float64)),
        "target_scale": _tensor(_deviation(targets)),
        "piece_column": torch.from_numpy(column),
        "piece_start": _tensor(start),
        "piece_width": _tensor(width),
    }


def _pieces(tabular: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Column (int64), start and width of each piece; a constant column has none."""
    cuts = np.quantile(tabular, np.linspace(0, 1, n_bins + 1), axis=0).T
    distinct = [np.unique(of_column) for of_column in cuts]
    column = np.repeat(np.arange(len(distinct)), [len(of_column) - 1 for of_column in distinct])
    start = np.concatenate([of_column[:-1] for of_column in distinct])
    width = np.concatenate([np.diff(of_column) for of_column in distinct])
    if not len(start):
        raise DatasetError("tabular inputs must vary, and no column does")
    return column.astype(np.int64), start, np.maximum(width, 1e-6)


def _deviation(values: np.ndarray) -> np.ndarray:
    spread: np.ndarray = values.std(0, dtype=np.float64)
    return np.where(spread < 1e-6, 1.0, spread)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
