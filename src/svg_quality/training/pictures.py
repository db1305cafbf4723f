"""Pictures in memory with their conversions: what training a backbone reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from svg_quality.errors import DatasetError
from svg_quality.features.preprocessing import INPUT_SIZE, MEAN, STD
from svg_quality.model.quality_model import N_PARAMETERS

_MEAN: Final = torch.from_numpy(MEAN).view(3, 1, 1)
_STD: Final = torch.from_numpy(STD).view(3, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class PictureRows:
    """``n`` conversions of ``n_images`` pictures, 150 kB a picture."""

    images: Tensor  # uint8 (n_images, 3, 224, 224), of `to_pixels`
    image_index: Tensor  # int64 (n,), into images; every picture has a row
    parameters: Tensor  # float32 (n, 16), of `encode_parameters`
    ssim: Tensor  # float32 (n,), in [-1, 1]

    def __post_init__(self) -> None:
        n, n_images = len(self.ssim), len(self.images)
        if self.images.dtype != torch.uint8 or self.images.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise DatasetError(f"images must be uint8 (n, 3, 224, 224), got {self.images.shape}")
        if self.parameters.shape != (n, N_PARAMETERS) or self.image_index.shape != (n,):
            raise DatasetError(f"rows must be of one number, got {n} SSIM values")
        if not torch.equal(self.image_index.unique(), torch.arange(n_images)) or n_images < 2:
            raise DatasetError("pictures must be two or more, each with a row")
        if not (self.ssim.isfinite().all() and self.parameters.isfinite().all()):
            raise DatasetError("parameters and SSIM must be finite")

    @property
    def n_images(self) -> int:
        """Of pictures."""
        return len(self.images)

    def rows_of(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """All rows of some pictures.

        Args:
            images: int64 ``(b,)``, numbers of pictures, each once.

        Returns:
            Of each row its number, and the place of its picture in ``images``; int64 ``(k,)``.
        """
        place = torch.full((self.n_images,), -1)
        place[images] = torch.arange(len(images))
        rows = (place[self.image_index] >= 0).nonzero().squeeze(1)
        return rows, place[self.image_index[rows]]


def to_pixels(preprocessed: np.ndarray) -> np.ndarray:
    """What `features.preprocessing.preprocess` made, as the bytes it was made of: a quarter.

    Args:
        preprocessed: float32 ``(3, 224, 224)``.

    Returns:
        uint8 of the same shape.
    """
    values = (preprocessed * _STD.numpy() + _MEAN.numpy()) * 255
    pixels: np.ndarray = np.clip(np.round(values), 0, 255).astype(np.uint8)
    return pixels


def to_inputs(pixels: Tensor) -> Tensor:
    """The way back, on whichever device: float32 ``(B, 3, 224, 224)``, normalised."""
    mean, std = _MEAN.to(pixels.device), _STD.to(pixels.device)
    return (pixels.float() / 255 - mean) / std
