"""`ModelEvaluator` as a user of the earlier system calls it: a module, a loader, a page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from svg_quality.errors import DatasetError, ModelError
from svg_quality.evaluation.evaluator import ModelEvaluator
from svg_quality.evaluation.metrics import cluster_bootstrap, score
from svg_quality.model.mlp import SSIMPredictor
from svg_quality.model.quality_head import HeadConfig
from svg_quality.training.data import RowLoader, build_head
from svg_quality.training.rows import Rows

N = 90


def some_rows() -> Rows:
    rng = np.random.default_rng(0)
    return Rows(
        features=rng.normal(size=(15, 6)).astype(np.float32),
        image_index=np.repeat(np.arange(15), 6),
        tabular=rng.normal(size=(N, 4)).astype(np.float32),
        ssim=rng.uniform(0.2, 1, N).astype(np.float32),
        log_bytes=rng.normal(8, 1, N).astype(np.float32),
    )


class Told(nn.Module):
    """Says what it is given, so that the truth is known; in training mode it says nonsense."""

    def forward(self, x: Tensor) -> Any:
        """``(B, 1)`` to SSIM and features, as `QualityPredictionModel` gives them."""
        return (x * 0 if self.training else x), torch.cat([x, x], 1)


def test_a_head_and_its_loader() -> None:
    rows = some_rows()
    torch.manual_seed(0)
    head = build_head(rows, HeadConfig(hidden_dims=(8,), n_members=2)).train()
    found = ModelEvaluator(head).evaluate_model(RowLoader(rows, 32), groups=rows.image_index)
    assert head.training  # as it was
    with torch.inference_mode():
        said = head.eval()(
            torch.from_numpy(rows.features[rows.image_index]), torch.from_numpy(rows.tabular)
        ).ssim.numpy()
    assert found["mae"] == pytest.approx(np.abs(said - rows.ssim).mean(), rel=1e-5)
    assert found["clustered"]
    assert found["intervals"] == cluster_bootstrap(
        found["targets"], found["predictions"], rows.image_index
    )
    assert found["feature_statistics"]["n"] == 15  # each image once
    assert found["inference_time"]["ms_per_row"] > 0
    assert sum(band["n"] for band in found["bands"].values()) == N


def test_a_plain_predictor_and_torch_loader(tmp_path: Path) -> None:
    x, y = torch.rand(N, 12), torch.rand(N, 1)
    loader = DataLoader(TensorDataset(x, y), batch_size=16)
    evaluator = ModelEvaluator(SSIMPredictor(12, (8,)))
    found = evaluator.evaluate_model(loader)
    assert found["n"] == N
    paths = evaluator.generate_evaluation_report(found, str(tmp_path / "new"))
    page = paths["html_report"].read_text(encoding="utf-8")
    assert "Evaluation of SSIMPredictor" in page
    assert "drawn row by row" in page
    told = json.loads(paths["metrics"].read_text(encoding="utf-8"))
    assert told["mae"] == pytest.approx(found["mae"])
    assert len(told["predictions"]) == N


def test_the_first_of_a_tuple_is_the_ssim_in_evaluation_mode() -> None:
    y = torch.linspace(0.3, 1, 20)[:, None]
    found = ModelEvaluator(Told()).evaluate_model([(y[:12], y[:12]), (y[12:], y[12:])])
    assert (found["mae"], found["r2"]) == (0, 1)
    assert found["feature_statistics"]["d"] == 2


def test_predictions_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    y = rng.uniform(0, 1, 60)
    p = y + rng.normal(0, 0.05, 60)
    p[7] += 3
    kinds = np.where(np.arange(60) % 2, "text", "<b>simple</b>")
    found = ModelEvaluator().evaluate_predictions(p[:, None], y, types=kinds)
    assert {name: found[name] for name in score(y, p)} == score(y, p)
    assert found["outliers"] == {"n": 1, "rows": [7]}
    assert found["types"]["text"]["n"] == 30
    assert list(found["bands"]) == ["below 0.6", "0.6 to 0.8", "0.8 and above"]
    page = ModelEvaluator().generate_evaluation_report(found, tmp_path)["html_report"].read_text()
    assert "Evaluation of predictions" in page
    assert "<b>simple" not in page
    assert "Time and inputs" not in page


@pytest.mark.parametrize("n", [1, 2])
def test_a_row_or_two_still_make_a_page(n: int, tmp_path: Path) -> None:
    found = ModelEvaluator().evaluate_predictions([0.5] * n, [0.5] * n)
    assert (found["mae"], found["r2"], found["pearson_p"]) == (0, None, None)
    assert ModelEvaluator().generate_evaluation_report(found, tmp_path)["html_report"].is_file()


def test_refuses() -> None:
    y = torch.rand(4, 1)
    cases: list[tuple[Any, Any, str]] = [
        (None, [(y, y)], "must have a model"),
        (Told(), [], "at least one batch"),
        (Told(), [y], "inputs and the measured SSIM, got Tensor"),
        (nn.Linear(1, 3), [(y, y)], r"one SSIM a row, got \(4, 3\) for 4 rows"),
    ]
    for model, loader, message in cases:
        with pytest.raises((ModelError, DatasetError), match=message):
            ModelEvaluator(model).evaluate_model(loader)
    with pytest.raises(DatasetError, match="groups must be one a row, got 1 for 2"):
        ModelEvaluator().evaluate_predictions([0.1, 0.2], [0.1, 0.2], groups=[1])
    with pytest.raises(DatasetError, match="one or more, got none"):
        ModelEvaluator().evaluate_predictions([], [])
