"""The registered model as MLflow loads it: models-from-code, so that nothing is unpickled.

``mlflow.pyfunc.load_model("models:/svg-quality/Production").predict(frame)``, where ``frame`` has
a binary column ``image`` (the bytes of a logo file) and, if wanted, columns of VTracer parameters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from svg_quality.conversion.images import load_image
from svg_quality.conversion.parameters import NAMES, parameters_from
from svg_quality.errors import ImageError
from svg_quality.prediction.bundle import Bundle
from svg_quality.prediction.signature import FIGURES, UNLIKE


class SvgQualityModel(PythonModel):
    """Predicts SSIM with its interval, and bytes."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the bundle among the model's artifacts."""
        self._bundle = Bundle(Path(context.artifacts["bundle"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """One row for each row of the input, with the columns of ``model_signature``.

        Raises:
            ImageError: a value of ``image`` is not bytes, or no image.
            ParameterError: a parameter is out of range.
        """
        rows = []
        for row in model_input.to_dict(orient="records"):
            if not isinstance(row["image"], bytes):
                kind = type(row["image"]).__name__
                raise ImageError(f"the column image must hold bytes of image files, got {kind}")
            named = {key: row[key] for key in NAMES if not pd.isna(row.get(key))}
            image = load_image(row["image"], self._bundle.working_size)
            features, descriptors = self._bundle.inputs(image)
            scores = self._bundle.score(features, descriptors, [parameters_from(named)])
            said = {name: float(getattr(scores, name)[0]) for name in FIGURES}
            rows.append(said | {UNLIKE: self._bundle.reference.similarity(descriptors).unlike})
        return pd.DataFrame(rows, columns=[*FIGURES, UNLIKE])


set_model(SvgQualityModel())
