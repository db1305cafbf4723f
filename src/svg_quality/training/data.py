"""Batches in a seeded order, and the statistics that standardise what is in them.

The statistics come from the training rows alone; the head applies them itself, so batches carry
raw numbers.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from svg_quality.errors import DatasetError
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.training.dataset import BatchMemory, QualityPredictionDataset
from svg_quality.training.rows import IMAGES_AT_ONCE, Batch, Features, Rows

_BOUND = 0.9999  # SSIM of 1 has no inverse hyperbolic tangent


class RowLoader:
    """Batches of `Rows`; a new order at each pass where it shuffles.

    Batches are written into memory that is lent again as soon as nobody holds a tensor of the
    last one: keep what you like, it is never written over. torch's own `DataLoader` takes the
    same dataset, but makes new memory for each batch and prefetches by processes only.

    Args:
        rows: to read.
        batch_size: rows a batch; a rest of one row is dropped where shuffled, since batch norm
            needs two.
        shuffle: whether to mix the rows, as training does.
        seed: of the order.
        prefetch: batches that a thread reads ahead; 0 reads in the caller's own. None: 2 where
            features are read from a file, else 0, for picking rows in memory is faster than
            handing them over (experiments/LOG.md).
    """

    def __init__(
        self,
        rows: Rows,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        prefetch: int | None = None,
    ) -> None:
        if batch_size < 2:
            raise DatasetError(f"batch_size must be at least 2, got {batch_size}")
        if prefetch is None:
            prefetch = 0 if type(rows.features) is np.ndarray else 2
        if prefetch < 0:
            raise DatasetError(f"prefetch must be at least 0, got {prefetch}")
        self.rows, self.batch_size, self.shuffle, self.prefetch = (
            rows,
            batch_size,
            shuffle,
            prefetch,
        )
        self.dataset = QualityPredictionDataset(rows)
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        full, rest = divmod(len(self.rows), self.batch_size)
        return full + (rest > (1 if self.shuffle and full else 0))

    def __iter__(self) -> Iterator[Batch]:
        n = len(self.rows)
        order = torch.randperm(n, generator=self._generator) if self.shuffle else torch.arange(n)
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        picked = [order[start : start + self.batch_size].numpy() for start in starts]
        memory = BatchMemory(self.dataset.size(min(n, self.batch_size)))
        if not self.prefetch:
            return (self.dataset.read(rows, memory.lend()) for rows in picked)
        return self._ahead(picked, memory)

    def state_dict(self) -> dict[str, Tensor]:
        """From what the next order follows."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Give the orders that a loader gave after its `state_dict`."""
        self._generator.set_state(state["generator"])

    def _ahead(self, picked: list[np.ndarray], memory: BatchMemory) -> Iterator[Batch]:
        """The thread ends with the pass: also where the caller leaves it, or an error does."""
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(1, "batches") as reader:
            try:
                for rows in picked:
                    waiting.append(reader.submit(self._read, rows, memory))
                    if len(waiting) > self.prefetch:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _read(self, rows: np.ndarray, memory: BatchMemory) -> Batch:
        return self.dataset.read(rows, memory.lend())


def build_head(train: Rows, settings: HeadConfig, n_bins: int = 8) -> QualityHead:
    """A head for these rows: sizes and scaling from the training rows, the rest from settings."""
    scaling = fit_scaling(train, n_bins)
    n_columns = train.tabular.shape[1]
    config = dataclasses.replace(
        settings,
        d_tabular=n_columns,
        d_features=train.features.shape[1],
        d_pieces=len(scaling["piece_start"]),
        d_picture_pieces=int((scaling["piece_column"] >= n_columns - settings.d_picture).sum()),
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
    features_mean, features_scale = _moments(train.features, np.unique(train.image_index))
    warped = np.arctanh(np.clip(train.ssim, -_BOUND, _BOUND))
    targets = np.stack([warped, train.log_bytes], 1)
    column, start, width = _pieces(train.tabular, n_bins)
    return {
        "features_mean": _tensor(features_mean),
        "features_scale": _tensor(_scale(features_scale)),
        "target_mean": _tensor(targets.mean(0, dtype=np.float64)),
        "target_scale": _tensor(_scale(targets.std(0, dtype=np.float64))),
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


def _moments(features: Features, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, float64 ``(d,)``, holding few rows at a time.

    Parts are merged as in Chan, Golub, LeVeque (1983), doi:10.1080/00031305.1983.10483115.
    """
    n, mean, squares = 0, np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for start in range(0, len(images), IMAGES_AT_ONCE):
        part = np.asarray(features[images[start : start + IMAGES_AT_ONCE]], np.float64)
        part_mean = part.mean(0)
        apart = part_mean - mean
        both = n + len(part)
        squares += np.square(part - part_mean).sum(0) + apart**2 * (n * len(part) / both)
        mean += apart * (len(part) / both)
        n = both
    return mean, np.sqrt(squares / n)


def _scale(deviation: np.ndarray) -> np.ndarray:
    return np.where(deviation < 1e-6, 1.0, deviation)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
