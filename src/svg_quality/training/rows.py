"""What a model learns from: measured conversions beside the inputs they were made from.

Features are kept once per image, in memory or in a file, and picked by row as batches are made.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from svg_quality.errors import DatasetError

if TYPE_CHECKING:
    from torch import Tensor

IMAGES_AT_ONCE: Final = 1024  # where all features are gone through


class Features(Protocol):
    """Rows of float32 numbers, in memory (an array) or in a file that is read on demand."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, and of numbers in one."""

    def __len__(self) -> int: ...

    def __getitem__(self, images: Any, /) -> Any: ...


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Measured conversions with their inputs: ``n`` rows of ``n_images`` images.

    Raises:
        DatasetError: the columns differ in length, an index points nowhere, or a number is not
            finite. Features in a file are taken at their word: a store refuses others.
    """

    features: Features  # float32 (n_images, d_features)
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
            values = getattr(self, name)
            if type(values) is np.ndarray and not np.isfinite(values).all():
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

    def digest(self) -> str:
        """SHA-256 of all numbers, in their order."""
        found = hashlib.sha256(repr((self.features.shape, self.tabular.shape)).encode())
        for start in range(0, len(self.features), IMAGES_AT_ONCE):
            images = np.arange(start, min(start + IMAGES_AT_ONCE, len(self.features)))
            found.update(np.ascontiguousarray(self.features[images], np.float32).data)
        found.update(np.ascontiguousarray(self.image_index, np.int64).data)
        for column in (self.tabular, self.ssim, self.log_bytes):
            found.update(np.ascontiguousarray(column, np.float32).data)
        return found.hexdigest()


class Batch(NamedTuple):
    """Rows as tensors, float32; of a single row, without the first dimension."""

    features: Tensor  # (B, d_features)
    tabular: Tensor  # (B, d_tabular)
    ssim: Tensor  # (B,)
    log_bytes: Tensor  # (B,)
