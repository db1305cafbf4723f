"""One door to ONNX Runtime: what a run that fails is called."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from svg_quality.errors import ModelError
from svg_quality.features.inference import OnnxGraph


@pytest.fixture
def graph(tmp_path: Path) -> OnnxGraph:
    """``features``: the mean of each channel of ``images (B, 3, H, W)``."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["b", 3, "h", "w"])]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["b", 3])]
    model = helper.make_model(
        helper.make_graph(nodes, "mean", inputs, outputs),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=9,
    )  # fmt: skip
    onnx.save(model, tmp_path / "mean.onnx")
    return OnnxGraph(tmp_path / "mean.onnx", n_threads=1)


def test_outputs_have_their_names(graph: OnnxGraph) -> None:
    images = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    said = graph(images=images)
    assert list(said) == ["features"]
    assert said["features"] == pytest.approx(images.mean((2, 3)), abs=1e-6)


def test_inputs_of_another_shape_are_the_models_error(graph: OnnxGraph) -> None:
    with pytest.raises(ModelError, match=r"an ONNX graph must run, .*mean\.onnx does not"):
        graph(images=np.zeros((2, 4, 8, 8), np.float32))
