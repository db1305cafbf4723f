"""A logo to the input of ResNet-50: 224 px, aspect ratio kept, ImageNet's normalisation."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

INPUT_SIZE: Final = 224  # px
PREPROCESSING: Final = "pad-white-224-area-imagenet"  # part of the backbone's fingerprint
# torchvision.models.ResNet50_Weights.IMAGENET1K_V2.transforms(), of values in [0, 1]
MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
STD: Final = np.array([0.229, 0.224, 0.225], np.float32)


def preprocess(rgb: np.ndarray) -> np.ndarray:
    """Fit a picture into a white square and normalise it.

    Args:
        rgb: uint8 ``(H, W, 3)`` on white, any size.

    Returns:
        float32 ``(3, 224, 224)``.
    """
    height, width = rgb.shape[:2]
    scale = INPUT_SIZE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(rgb, size, interpolation=how)
    square = np.full((INPUT_SIZE, INPUT_SIZE, 3), 255, np.uint8)
    top, left = (INPUT_SIZE - size[1]) // 2, (INPUT_SIZE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = fitted
    return ((square.astype(np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)
