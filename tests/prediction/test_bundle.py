"""The bundle: plain files that prove themselves; an answer does not depend on the batch."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from svg_quality.conversion.images import image_from_pixels
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.errors import ModelError
from svg_quality.features.backbone import export_backbone
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.features.inputs import TABULAR_NAMES
from svg_quality.model.exporting.export import export_head
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.model.uncertainty import Conformal
from svg_quality.prediction.bundle import Bundle, write_bundle
from svg_quality.prediction.predictor import QualityPredictor

D_FEATURES = 8


class SmallBackbone(nn.Module):
    """A real network with the backbone's input and output, quick to export."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, D_FEATURES, 7, stride=16)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.convolution(images).relu().mean((2, 3))


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    torch.manual_seed(0)
    export_backbone(SmallBackbone().eval(), folder / "backbone.onnx")  # type: ignore[arg-type]
    head = QualityHead(
        HeadConfig(d_tabular=len(TABULAR_NAMES), d_features=D_FEATURES, hidden_dims=(16,))
    ).eval()
    export_head(head, folder / "head.onnx")
    write_bundle(
        folder / "bundle",
        backbone=folder / "backbone.onnx",
        head=folder / "head.onnx",
        intervals={
            "ssim": Conformal(level=0.9, quantile=1.5, floor=0.01),
            "log_bytes": Conformal(0.9, 1.5, 0.05, low=-np.inf, high=np.inf),
        },
        facts={
            "backbone": {"fingerprint": "f", "weights": "test", "fit": "pad"},
            "working_size": 512,
        },
    )
    return folder / "bundle"


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    for path in bundle_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


PICTURE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_scores_do_not_depend_on_what_else_is_asked(bundle_folder: Path) -> None:
    bundle = Bundle(bundle_folder)
    image, sets = image_from_pixels(PICTURE), sobol_sets(20, "full", 0)
    together = bundle.score_image(image, sets)
    for i in (0, 7, 19):
        alone = bundle.score_image(image, [sets[i]])
        assert alone.ssim[0] == pytest.approx(together.ssim[i], abs=1e-5)
        assert alone.svg_bytes[0] == pytest.approx(together.svg_bytes[i], rel=1e-4)
    assert (together.ssim_low <= together.ssim).all()
    assert (together.ssim <= together.ssim_high).all()
    assert (np.abs([together.ssim_low, together.ssim_high]) <= 1).all()
    assert (together.bytes_low < together.svg_bytes).all()
    assert (together.svg_bytes < together.bytes_high).all()


def test_a_bundle_on_disk_is_a_model_too(bundle_folder: Path) -> None:
    predictor = QualityPredictor(str(bundle_folder))
    said = predictor.predict(PICTURE)
    expected = predictor.bundle.score_image(image_from_pixels(PICTURE), [said.parameters])
    assert said.ssim == expected.ssim[0]
    assert said.image == "array"


def test_every_file_is_plain(bundle_folder: Path) -> None:
    suffixes = {path.suffix for path in bundle_folder.iterdir()}
    assert suffixes == {".json", ".onnx"}


def test_refuses_a_changed_or_missing_file(copy: Path) -> None:
    text = (copy / "conformal.json").read_text()
    (copy / "conformal.json").write_text(text.replace("1.5", "0.5"))
    with pytest.raises(ModelError, match=r"conformal\.json is not"):
        Bundle(copy)
    (copy / "conformal.json").write_text(text)
    (copy / "head.onnx").unlink()
    with pytest.raises(ModelError, match=r"head\.onnx is not"):
        Bundle(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "must be of schema 2, .* is of 99"),
        ({"tabular_names": ["a"]}, "takes others: train again"),
        ({"probe": [0.0] * len(DESCRIPTOR_NAMES)}, "trained on others: train again"),
    ],
)
def test_refuses_a_bundle_it_does_not_fit(
    copy: Path, change: dict[str, object], message: str
) -> None:
    manifest = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps(manifest | change))
    with pytest.raises(ModelError, match=message):
        Bundle(copy)


def test_refuses_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"must have a bundle\.json"):
        Bundle(tmp_path)
