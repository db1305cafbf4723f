"""What the registered model takes and gives, in MLflow's terms."""

from __future__ import annotations

from typing import Final

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from svg_quality.conversion.parameters import CHOICES, NAMES

FIGURES: Final = ("ssim", "ssim_low", "ssim_high", "svg_bytes", "bytes_low", "bytes_high")
UNLIKE: Final = "unlike_training"  # the model was never shown such a picture


def model_signature() -> ModelSignature:
    """A required binary column ``image``, the parameters as optional ones; the figures out.

    Numbers are doubles, whole ones too: an integer column could not hold a missing value.
    """
    parameters = [
        ColSpec(DataType.string if name in CHOICES else DataType.double, name, required=False)
        for name in NAMES
    ]
    outputs: list[ColSpec | TensorSpec] = [ColSpec(DataType.double, name) for name in FIGURES]
    outputs.append(ColSpec(DataType.boolean, UNLIKE))
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image"), *parameters]), outputs=Schema(outputs)
    )
