"""Predict how good a vectorised logo will be, before converting it."""

from __future__ import annotations

import importlib
from typing import Any, Final

__version__: Final = "0.1.0"

_HOMES: Final = {  # imported on first use, so that `import svg_quality` stays quick
    "CombinedLoss": "svg_quality.model.losses",
    "ConversionDataCollector": "svg_quality.dataset.collection.collect",
    "DatasetBuilder": "svg_quality.dataset.augmentation.builder",
    "FocalLoss": "svg_quality.model.losses",
    "ModelArchitectureValidator": "svg_quality.model.validation.validator",
    "ModelEvaluator": "svg_quality.evaluation.evaluator",
    "Parameters": "svg_quality.conversion.parameters",
    "Prediction": "svg_quality.prediction.predictor",
    "QualityModelTrainer": "svg_quality.training.trainer",
    "QualityPredictionDataset": "svg_quality.training.dataset",
    "QualityPredictionModel": "svg_quality.model.quality_model",
    "QualityPredictor": "svg_quality.prediction.predictor",
    "RankingLoss": "svg_quality.model.losses",
    "ResNetFeatureExtractor": "svg_quality.features.backbone",
    "SSIMLoss": "svg_quality.model.losses",
    "SSIMPredictor": "svg_quality.model.mlp",
    "TrainingMonitor": "svg_quality.training.monitoring.monitor",
}
__all__ = [
    "CombinedLoss",
    "ConversionDataCollector",
    "DatasetBuilder",
    "FocalLoss",
    "ModelArchitectureValidator",
    "ModelEvaluator",
    "Parameters",
    "Prediction",
    "QualityModelTrainer",
    "QualityPredictionDataset",
    "QualityPredictionModel",
    "QualityPredictor",
    "RankingLoss",
    "ResNetFeatureExtractor",
    "SSIMLoss",
    "SSIMPredictor",
    "TrainingMonitor",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'svg_quality' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
