"""A logo to the input of ResNet-50: 224 px, ImageNet's normalisation, and three ways to fit it."""

from __future__ import annotations

from typing import Final, Literal, get_args

import cv2
import numpy as np

from svg_quality.errors import FeatureError

Fit = Literal["pad", "stretch", "crop"]
FITS: Final[tuple[Fit, ...]] = get_args(Fit)
INPUT_SIZE: Final = 224  # px
PREPROCESSING: Final[dict[Fit, str]] = {  # part of the backbone's fingerprint
    "pad": "pad-white-224-area-imagenet",
    "stretch": "stretch-224-area-imagenet",
    "crop": "crop-224-area-imagenet",
}
# torchvision.models.ResNet50_Weights.IMAGENET1K_V2.transforms(), of values in [0, 1]
MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
STD: Final = np.array([0.229, 0.224, 0.225], np.float32)


def preprocess(rgb: np.ndarray, fit: Fit = "pad") -> np.ndarray:
    """Fit a picture into a square and normalise it.

    Args:
        rgb: uint8 ``(H, W, 3)`` on white, any size.
        fit: ``pad``: the whole picture, its aspect ratio kept, on white; ``stretch``: the whole
            picture, its sides made equal; ``crop``: the largest square in its middle.

    Returns:
        float32 ``(3, 224, 224)``.

    Raises:
        FeatureError: there is no such fit.
    """
    if fit not in FITS:
        raise FeatureError(f"fit must be pad, stretch or crop, got {fit!r}")
    square = {"pad": _padded, "stretch": _stretched, "crop": _cropped}[fit](rgb)
    return ((square.astype(np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)


def _padded(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = INPUT_SIZE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    square = np.full((INPUT_SIZE, INPUT_SIZE, 3), 255, np.uint8)
    top, left = (INPUT_SIZE - size[1]) // 2, (INPUT_SIZE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = _resized(rgb, size)
    return square


def _stretched(rgb: np.ndarray) -> np.ndarray:
    return _resized(rgb, (INPUT_SIZE, INPUT_SIZE))


def _cropped(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _stretched(rgb[top : top + side, left : left + side])


def _resized(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """To ``size`` (width, height); a side that shrinks does so first, through an area filter.

    In one call OpenCV would not filter at all where one side grows and the other shrinks.
    """
    height, width = rgb.shape[:2]
    smaller = min(width, size[0]), min(height, size[1])
    shrunk = cv2.resize(rgb, smaller, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, size, interpolation=cv2.INTER_LINEAR)
