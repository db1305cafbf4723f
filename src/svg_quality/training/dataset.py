"""Rows as a torch dataset that gives whole batches, into memory that is used again and again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch.utils.data import Dataset

from svg_quality.training.rows import Batch, Rows

_UNUSED: Final = 3  # references to a buffer: the list's, the loop's and that of the question


class QualityPredictionDataset(Dataset[Batch]):
    """Measured conversions, by row or by batch; the numbers are raw (the head scales them).

    Features may be an array, or be read on demand from the store or from a mapped file
    (`features.cache`). A batch reads each of its images once.

    Shape:
        ``dataset[row]`` is a `Batch` of one row, ``(d_features,)``, ``(d_tabular,)``, ``()``,
        ``()``; ``dataset.__getitems__(rows)`` one of ``B`` rows.

    Example:
        torch's loader asks for batches at once where it finds ``__getitems__``::

            DataLoader(dataset, batch_size=256, collate_fn=lambda batch: batch)
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._widths: tuple[int, int] = rows.features.shape[1], rows.tabular.shape[1]
        self._index = np.ascontiguousarray(rows.image_index, np.int64)
        self._columns = [
            np.ascontiguousarray(column, np.float32)
            for column in (rows.tabular, rows.ssim, rows.log_bytes)
        ]
        features = rows.features
        self._array = (
            features.astype(np.float32, copy=False) if isinstance(features, np.ndarray) else None
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Batch:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row must be in [-{len(self)}, {len(self)}), got {row}")
        return Batch(*(column[0] for column in self.__getitems__([row % len(self)])))

    def __getitems__(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """The rows, in the order asked for."""
        return self.read(np.asarray(rows, np.int64), np.empty(self.size(len(rows)), np.float32))

    def size(self, n_rows: int) -> int:
        """Numbers that a batch holds."""
        d_features, d_tabular = self._widths
        return n_rows * (d_features + d_tabular + 2)

    def read(self, rows: np.ndarray, memory: np.ndarray) -> Batch:
        """Write rows into ``memory``; the tensors of the batch are views of it.

        Args:
            rows: int64 ``(B,)``.
            memory: float32, of ``size(B)`` numbers or more.

        Raises:
            IndexError: there is no such row.
        """
        n = len(rows)
        if n and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows must be in [0, {len(self)}), got {rows.min()}-{rows.max()}")
        d_features, d_tabular = self._widths
        ends = np.cumsum([n * d_features, n * d_tabular, n, n])
        parts = np.split(memory[: ends[-1]], ends[:-1])
        batch = parts[0].reshape(n, d_features), parts[1].reshape(n, d_tabular), *parts[2:]
        # "clip" spares a buffer; that no index needs clipping was checked.
        images = self._index[rows]
        if self._array is not None:
            np.take(self._array, images, 0, out=batch[0], mode="clip")
        else:
            seen, of_row = np.unique(images, return_inverse=True)
            np.take(self.rows.features[seen], of_row, 0, out=batch[0], mode="clip")
        for values, column in zip(batch[1:], self._columns, strict=True):
            np.take(column, rows, 0, out=values, mode="clip")
        return Batch(*map(torch.from_numpy, batch))


class BatchMemory:
    """Memory for batches, lent again once nobody holds a tensor made of it.

    Tensors, their views and the graphs that saved them all hold a reference to the array below
    them, so counting its references says whether it is free. A batch that somebody keeps is
    never written over: then one more array is made.

    Args:
        size: numbers per array.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._arrays: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._arrays)

    def lend(self) -> np.ndarray:
        """A float32 array of ``size`` that nobody uses; what it holds is of no meaning."""
        for array in self._arrays:
            if sys.getrefcount(array) == _UNUSED:
                return array
        self._arrays.append(np.empty(self._size, np.float32))
        return self._arrays[-1]
