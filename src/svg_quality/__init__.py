"""Predict how good a vectorised logo will be, before converting it."""

from __future__ import annotations

import importlib
from typing import Any, Final

__version__: Final = "0.1.0"

_HOMES: Final = {  # imported on first use, so that `import svg_quality` stays quick
    "ConversionDataCollector": "svg_quality.dataset.collection.collect",
    "DatasetBuilder": "svg_quality.dataset.augmentation.builder",
    "Parameters": "svg_quality.conversion.parameters",
    "Prediction": "svg_quality.prediction.predictor",
    "QualityModelTrainer": "svg_quality.training.trainer",
    "QualityPredictor": "svg_quality.prediction.predictor",
    "ResNetFeatureExtractor": "svg_quality.features.backbone",
    "SSIMPredictor": "svg_quality.model.mlp",
}
__all__ = ["ConversionDataCollector", "DatasetBuilder", "Parameters", "Prediction",
           "QualityModelTrainer", "QualityPredictor", "ResNetFeatureExtractor", "SSIMPredictor",
           "__version__"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'svg_quality' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
