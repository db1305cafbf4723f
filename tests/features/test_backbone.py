"""The backbone: ResNet-50 as published, its weights from where they were said to be from."""

import io
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from svg_quality.errors import ModelError
from svg_quality.features import backbone as door
from svg_quality.features.backbone import (
    N_FEATURES,
    ResNetFeatureExtractor,
    build_backbone,
    export_backbone,
    fingerprint,
    save_weights,
)
from svg_quality.features.extraction import extract_features
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.preprocessing import FITS, preprocess
from svg_quality.features.quantization import quantize_backbone
from svg_quality.features.store import FeatureStore

IMAGES = np.random.default_rng(0).normal(size=(4, 3, 224, 224)).astype(np.float32)


@pytest.fixture(scope="module")
def random_backbone() -> door.Backbone:
    return build_backbone("random", IMAGES, seed=1)


@pytest.fixture(scope="module")
def onnx_file(random_backbone: door.Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "backbone.onnx"
    export_backbone(random_backbone.extractor, path)
    return path


def test_the_network_is_resnet_50() -> None:
    """25,557,032 parameters with the classifier (torchvision's documentation), less 2,049,000."""
    n_parameters = sum(p.numel() for p in ResNetFeatureExtractor().parameters())
    assert n_parameters == 25_557_032 - (2048 * 1000 + 1000)


STAGE_PARAMETERS = [  # of torchvision's resnet50: 9,408 + 128 of the stem, then layer1 to layer4
    9_536, 215_808, 1_219_584, 7_098_368, 14_964_736,
]  # fmt: skip


@pytest.mark.parametrize("n_frozen", range(6))
def test_the_first_stages_are_frozen_and_no_others(n_frozen: int) -> None:
    extractor = ResNetFeatureExtractor().freeze(5).freeze(n_frozen)
    frozen = sum(STAGE_PARAMETERS[:n_frozen])
    assert extractor.n_frozen == n_frozen
    assert extractor.n_frozen_parameters == frozen
    assert extractor.n_trainable_parameters == sum(STAGE_PARAMETERS) - frozen
    assert ResNetFeatureExtractor(n_frozen).n_frozen_parameters == frozen


@pytest.mark.slow
@pytest.mark.parametrize("n_frozen", [0, 2, 5])
def test_training_leaves_a_frozen_stage_as_it_is(n_frozen: int) -> None:
    """Weights and the statistics of batch norm, through a real step in training mode."""
    torch.manual_seed(0)
    extractor = ResNetFeatureExtractor(n_frozen).train()
    head = torch.nn.Linear(N_FEATURES, 1)
    before = {name: value.clone() for name, value in extractor.state_dict().items()}
    optimizer = torch.optim.SGD([*extractor.parameters(), *head.parameters()], lr=0.1)
    head(extractor(torch.randn(4, 3, 64, 64))).square().mean().backward()
    optimizer.step()
    stages = ("resnet.conv1", "resnet.bn1", "resnet.layer1", "resnet.layer2", "resnet.layer3",
              "resnet.layer4")  # fmt: skip
    kept = stages[: n_frozen + 1] if n_frozen else ()
    for name, value in extractor.state_dict().items():
        same = torch.equal(value, before[name])
        assert same is name.startswith(kept) if kept else not same, name
    assert all(p.grad is None for p in extractor.parameters() if not p.requires_grad)


def test_refuses_more_stages_than_there_are() -> None:
    with pytest.raises(ModelError, match=r"n_stages must be in \[0, 5\], got 6"):
        ResNetFeatureExtractor(6)


@pytest.mark.slow
def test_random_weights_are_seeded_and_calibrated(random_backbone: door.Backbone) -> None:
    again = build_backbone("random", IMAGES, seed=1)
    other = build_backbone("random", IMAGES, seed=2)
    assert fingerprint(random_backbone.extractor) == fingerprint(again.extractor)
    assert fingerprint(random_backbone.extractor) != fingerprint(other.extractor)
    with torch.no_grad():
        features = random_backbone.extractor(torch.from_numpy(IMAGES))
    assert features.shape == (4, N_FEATURES)
    assert (features >= 0).all()
    assert 0.01 < float(features.std()) < 100  # without calibration they explode or vanish


@pytest.mark.slow
def test_a_file_of_weights_is_loaded_and_named(tmp_path: Path) -> None:
    torch.manual_seed(5)
    source = ResNetFeatureExtractor()
    state = source.resnet.state_dict() | {"fc.weight": torch.zeros(1000, 2048)}
    torch.save(state, tmp_path / "weights.pth")
    loaded = build_backbone(str(tmp_path / "weights.pth"), IMAGES, seed=0)
    assert loaded.weights == str(tmp_path / "weights.pth")
    assert fingerprint(loaded.extractor) == fingerprint(source)


@pytest.mark.slow
def test_weights_that_were_saved_are_read_again(tmp_path: Path) -> None:
    torch.manual_seed(7)
    source = ResNetFeatureExtractor()
    save_weights(source, tmp_path / "tuned" / "weights.safetensors")
    torch.save(source.state_dict(), tmp_path / "extractor.pth")  # names of ours, not torchvision's
    for path in (tmp_path / "tuned" / "weights.safetensors", tmp_path / "extractor.pth"):
        assert fingerprint(build_backbone(str(path), IMAGES, 0).extractor) == fingerprint(source)
    assert [path.name for path in (tmp_path / "tuned").iterdir()] == ["weights.safetensors"]


def test_the_fit_is_part_of_the_fingerprint() -> None:
    extractor = ResNetFeatureExtractor()
    assert len({fingerprint(extractor, fit) for fit in FITS}) == 3
    assert fingerprint(extractor) == fingerprint(extractor, "pad")


def no_network(*arguments: object, **options: object) -> None:
    raise OSError("Name or service not known")


def test_auto_falls_back_to_random_with_a_warning_and_imagenet_refuses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", no_network)
    with caplog.at_level(logging.WARNING):
        assert build_backbone("auto", IMAGES[:2], seed=1).weights == "random"
    assert "the backbone is RANDOM" in caplog.text
    with pytest.raises(ModelError, match="ImageNet weights must be downloadable"):
        build_backbone("imagenet", IMAGES, seed=1)


def test_auto_takes_imagenet_where_it_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(6)
    source = ResNetFeatureExtractor()
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda *a, **k: source.resnet.state_dict()
    )
    made = build_backbone("auto", IMAGES, seed=1)
    assert made.weights == "imagenet"
    assert fingerprint(made.extractor) == fingerprint(source)


def test_refuses_files_that_are_no_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="readable state dict"):
        build_backbone(str(tmp_path / "missing.pth"), IMAGES, seed=0)
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_text("not weights")
        with pytest.raises(ModelError, match="readable state dict"):
            build_backbone(str(tmp_path / name), IMAGES, seed=0)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match=r"must be a state dict, .* holds a list"):
        build_backbone(str(tmp_path / "list.pth"), IMAGES, seed=0)
    buffer = io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(1)}, buffer)
    (tmp_path / "other.pth").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match="ResNet-50 state dict"):
        build_backbone(str(tmp_path / "other.pth"), IMAGES, seed=0)


@pytest.mark.slow
def test_onnx_gives_what_torch_gives_in_any_batch(
    random_backbone: door.Backbone, onnx_file: Path
) -> None:
    graph = OnnxGraph(onnx_file)
    with torch.no_grad():
        expected = random_backbone.extractor(torch.from_numpy(IMAGES)).numpy()
    whole = graph(images=IMAGES)["features"]
    single = np.concatenate([graph(images=image[None])["features"] for image in IMAGES])
    assert np.abs(whole - expected).max() < 1e-3 * expected.std()
    assert np.abs(single - whole).max() < 1e-3 * expected.std()


@pytest.mark.slow
def test_eight_bits_are_near_enough_and_a_quarter_of_the_size(
    onnx_file: Path, tmp_path: Path
) -> None:
    quantize_backbone(onnx_file, tmp_path / "int8.onnx", IMAGES)
    fp32 = OnnxGraph(onnx_file)(images=IMAGES)["features"]
    int8 = OnnxGraph(tmp_path / "int8.onnx")(images=IMAGES)["features"]
    lengths = np.linalg.norm(fp32, axis=1) * np.linalg.norm(int8, axis=1)
    assert ((fp32 * int8).sum(axis=1) / lengths > 0.95).all()
    assert (tmp_path / "int8.onnx").stat().st_size < 0.3 * onnx_file.stat().st_size


def test_refuses_graphs_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must exist"):
        OnnxGraph(tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("not a graph")
    with pytest.raises(ModelError, match="must load"):
        OnnxGraph(tmp_path / "text.onnx")


@pytest.mark.slow
def test_extraction_computes_each_picture_once_and_survives_a_broken_one(
    onnx_file: Path, tmp_path: Path
) -> None:
    paths = {}
    for number in range(5):
        paths[f"{number:064x}"] = path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((30, 30, 3), 50 * number, np.uint8))
    broken = f"{3:064x}"
    paths[broken].write_text("not an image")
    graph, store, seen = OnnxGraph(onnx_file), FeatureStore(tmp_path / "store"), []
    first = extract_features(
        paths, graph, "b", store, working_size=512, batch_size=2, on_images=seen.append
    )
    assert (first.n_computed, first.n_reused, list(first.failed)) == (4, 0, [broken])
    assert first.reached_share == 0.8
    assert sum(seen) == 5
    assert "is none" in first.failed[broken].reason
    again = extract_features(paths, graph, "b", store, working_size=512, batch_size=2)
    assert (again.n_computed, again.n_reused) == (0, 4)
    alone = graph(images=preprocess(cv2.imread(str(paths[f"{2:064x}"]))[..., ::-1])[None])
    stored = store.read("b", [f"{2:064x}"])
    assert np.abs(stored - alone["features"]).max() < 1e-3
