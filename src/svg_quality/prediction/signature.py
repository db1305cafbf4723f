"""What the registered model takes and gives, in MLflow's terms."""

from __future__ import annotations

from typing import Final

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from svg_quality.conversion.parameters import CHOICES, NAMES

OUTPUTS: Final = ("ssim", "ssim_low", "ssim_high", "svg_bytes", "bytes_low", "bytes_high")


def model_signature() -> ModelSignature:
    """A required binary column ``image``, the parameters as optional ones; ``OUTPUTS`` out.

    Numbers are doubles, whole ones too: an integer column could not hold a missing value.
    """
    parameters = [
        ColSpec(DataType.string if name in CHOICES else DataType.double, name, required=False)
        for name in NAMES
    ]
    outputs: list[ColSpec | TensorSpec] = [ColSpec(DataType.double, name) for name in OUTPUTS]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image"), *parameters]), outputs=Schema(outputs)
    )
