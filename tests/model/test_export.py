"""The exported graph says what the head says, for any number of sets."""

from pathlib import Path

import numpy as np
import pytest
import torch

from svg_quality.features.inference import OnnxGraph
from svg_quality.model.exporting.export import OUTPUTS, export_head
from svg_quality.model.quality_head import HeadConfig, QualityHead


@pytest.mark.parametrize("config", [
    HeadConfig(d_tabular=6, d_pieces=9, d_features=12, n_members=4, hidden_dims=(16, 8)),
    HeadConfig(d_tabular=6, d_pieces=9, d_features=12, n_members=1, hidden_dims=(16,)),
    HeadConfig(d_tabular=6, d_pieces=9, d_features=12, d_bottleneck=0, use_batch_norm=False),
    HeadConfig(
        d_tabular=6, d_pieces=9, d_picture=4, d_picture_pieces=3, d_features=12, d_query=2,
        n_probes=2,
    ),
])  # fmt: skip
def test_onnx_runtime_agrees_with_torch(config: HeadConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = QualityHead(config)
    model.set_scaling({"piece_column": torch.randint(0, 6, (9,))})
    export_head(model, tmp_path / "head.onnx")
    graph = OnnxGraph(tmp_path / "head.onnx", 1)
    assert graph.outputs == OUTPUTS
    rng = np.random.default_rng(0)
    for n_images, n_sets in ((1, 1), (1, 5), (1, 300), (7, 7)):
        features = rng.normal(size=(n_images, 12)).astype(np.float32)
        tabular = rng.normal(size=(n_sets, 6)).astype(np.float32)
        outputs = graph(features=features, tabular=tabular)
        with torch.no_grad():
            said = model(torch.from_numpy(features), torch.from_numpy(tabular))
        for name, expected in said._asdict().items():
            assert outputs[name].shape == (n_sets,)
            assert np.abs(outputs[name] - expected.numpy()).max() < 1e-5
