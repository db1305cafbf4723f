"""A head as an ONNX graph, for prediction without torch.

The graph takes raw inputs, ``features`` ``(images, d_features)`` and ``tabular``
``(sets, d_tabular)``, where ``images`` is 1 (one image, any number of sets: the bottleneck is
computed once) or equal to ``sets``. Its outputs are those of `Prediction`, each ``(sets,)``.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import onnx
import torch

from svg_quality.model.quality_head import Prediction, QualityHead

OPSET: Final = 17
OUTPUTS: Final = Prediction._fields


def export_head(model: QualityHead, path: Path) -> None:
    """Write the head as ONNX and check that the file is a valid graph.

    Raises:
        onnx.checker.ValidationError: the exporter wrote a damaged graph.
    """
    config = model.config
    model.eval()
    inputs = torch.zeros(1, config.d_features), torch.zeros(2, config.d_tabular)
    axes = {"features": {0: "images"}, "tabular": {0: "sets"}}
    axes |= {name: {0: "sets"} for name in OUTPUTS}
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), warnings.catch_warnings():
        # The legacy exporter announces its end; the other one needs onnxscript.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model,
            inputs,
            str(path),
            input_names=["features", "tabular"],
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(onnx.load(path), full_check=True)
