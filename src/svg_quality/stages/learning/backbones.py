"""The backbones that `extract` keeps as ONNX files, in one precision or in two."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from svg_quality.conversion.images import load_image
from svg_quality.errors import FeatureError, ImageError
from svg_quality.features.preprocessing import Fit, preprocess
from svg_quality.settings import ExtractSettings

_CALIBRATION_IMAGES: Final = 64


@dataclass(frozen=True, slots=True)
class StoredBackbone:
    """One ONNX file, and the kind of the features that it makes."""

    precision: str  # "fp32" or "int8"
    fingerprint: str
    path: Path

    def as_dict(self, root: Path) -> dict[str, str]:
        """What `extract` records of it; the path is below ``root``."""
        return {"fingerprint": self.fingerprint, "backbone": str(self.path.relative_to(root))}


def stored_backbones(
    folder: Path, settings: ExtractSettings, pictures: Sequence[Path], working_size: int
) -> tuple[str, list[StoredBackbone]]:
    """The weights that were found, and a file for each precision asked for (``auto``: both).

    Args:
        folder: of the files; each is made once.
        settings: weights, precision, fit and seed.
        pictures: of the training split, in a fixed order. The first that can be read are those
            that random weights and the 8-bit form are calibrated on.
        working_size: px, to which larger pictures are reduced.

    Raises:
        FeatureError: none of the pictures can be read.
        ModelError: the weights cannot be had.
    """
    from svg_quality.features.backbone import build_backbone, export_backbone, fingerprint
    from svg_quality.features.quantization import quantize_backbone

    images, of = _calibration(pictures, working_size, settings.fit)
    backbone = build_backbone(settings.weights, images, settings.seed)
    weights = fingerprint(backbone.extractor, settings.fit)
    precisions = ("fp32", "int8") if settings.precision == "auto" else (settings.precision,)
    made: list[StoredBackbone] = []
    for precision in precisions:
        # The size a picture was reduced to counts too, and in 8 bits the calibration pictures.
        parts = [weights, precision, str(working_size), *(of if precision == "int8" else ())]
        digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()
        path = folder / f"{digest}.onnx"
        if not path.exists():
            unfinished = path.with_suffix(f".{os.getpid()}")
            export_backbone(backbone.extractor, unfinished)
            if precision == "int8":
                quantize_backbone(unfinished, unfinished, images)
            unfinished.replace(path)
        made.append(StoredBackbone(precision, digest, path))
    return backbone.weights, made


def _calibration(
    pictures: Sequence[Path], working_size: int, fit: Fit
) -> tuple[np.ndarray, list[str]]:
    """The backbone's inputs ``(N, 3, 224, 224)`` of up to 64 pictures, and their image_ids."""
    images, of = [], []
    for path in pictures:
        try:
            image = load_image(path, working_size)
        except ImageError:
            continue  # extraction says so, as of every picture
        images.append(preprocess(image.rgb, fit))
        of.append(image.image_id)
        if len(images) == _CALIBRATION_IMAGES:
            break
    if not images:
        raise FeatureError(
            f"at least one picture of the training split must be readable, none of {len(pictures)}"
            " is"
        )
    return np.stack(images), of
