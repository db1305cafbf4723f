"""The bundle: plain files that prove themselves; an answer does not depend on the batch."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from svg_quality.conversion.images import image_from_pixels
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.errors import ModelError
from svg_quality.features.descriptors import DESCRIPTOR_NAMES, describe
from svg_quality.features.inputs import TABULAR_NAMES
from svg_quality.model.exporting.export import export_head
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.prediction.bundle import Bundle
from svg_quality.prediction.predictor import QualityPredictor


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
    said = QualityPredictor(str(bundle_folder)).predict(PICTURE)
    expected = Bundle(bundle_folder).score_image(image_from_pixels(PICTURE), [said.parameters])
    assert said.ssim == expected.ssim[0]
    assert said.image == "array"


def test_both_sources_at_once_give_what_each_gives_alone(bundle_folder: Path) -> None:
    bundle, image = Bundle(bundle_folder), image_from_pixels(PICTURE)
    features, descriptors = bundle.inputs(image)
    assert np.array_equal(features, bundle.features(image))
    assert np.array_equal(descriptors, describe(image.rgb, image.transparent_share))


def test_every_file_is_plain(bundle_folder: Path) -> None:
    suffixes = {path.suffix for path in bundle_folder.iterdir()}
    assert suffixes == {".json", ".onnx", ".npz"}


def test_refuses_a_changed_or_missing_file(copy: Path) -> None:
    text = (copy / "conformal.json").read_text()
    (copy / "conformal.json").write_text(text.replace("1.5", "0.5"))
    with pytest.raises(ModelError, match=r"conformal\.json is not"):
        Bundle(copy)
    (copy / "conformal.json").write_text(text)
    (copy / "head.onnx").unlink()
    with pytest.raises(ModelError, match=r"head\.onnx is not"):
        Bundle(copy)


def test_refuses_a_manifest_that_leaves_a_file_out(copy: Path) -> None:
    manifest = json.loads((copy / "bundle.json").read_text())
    del manifest["files"]["conformal.json"]
    (copy / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"conformal\.json is not"):
        Bundle(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "must be of schema 3, .* is of 99"),
        ({"tabular_names": ["a"]}, "takes others: train again"),
        ({"backbone": {"fit": "squeeze"}}, "must be fitted by pad, stretch, crop, .* says squeeze"),
        ({"working_size": None, "backbone": {}}, r"must have a bundle\.json"),
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


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ((4, len(TABULAR_NAMES)), r"head\.onnx takes features of \(4,\) and gets \(8,\)"),
        ((8, 7), r"head\.onnx takes tabular of \(7,\) and gets \(\d+,\)"),
    ],
)
def test_refuses_a_head_that_is_not_of_this_backbone(
    copy: Path, widths: tuple[int, int], message: str
) -> None:
    d_features, d_tabular = widths
    config = HeadConfig(d_tabular=d_tabular, d_features=d_features, hidden_dims=(16,))
    export_head(QualityHead(config).eval(), copy / "head.onnx")
    manifest = json.loads((copy / "bundle.json").read_text())
    digest = hashlib.sha256((copy / "head.onnx").read_bytes()).hexdigest()
    manifest["files"]["head.onnx"] = digest
    (copy / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=message):
        Bundle(copy)
