"""An exported folder: every file says what torch says, and what is missing is said."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from svg_quality.errors import ModelError
from svg_quality.features.backbone import ResNetFeatureExtractor, export_backbone
from svg_quality.model.exporting.backbone_graph import backbone_from_graph
from svg_quality.model.exporting.check import BATCHES, cases, largest_difference
from svg_quality.model.exporting.export import export_head
from svg_quality.model.exporting.folder import (
    Comparison,
    ExportedFile,
    ExportSummary,
    export_folder,
)
from svg_quality.model.exporting.page import write_export
from svg_quality.model.exporting.torchscript import load_script, script_head
from svg_quality.model.quality_head import HeadConfig, QualityHead


def head(d_features: int = 2048) -> QualityHead:
    torch.manual_seed(0)
    made = QualityHead(
        HeadConfig(d_tabular=6, d_pieces=9, d_features=d_features, hidden_dims=(16, 8))
    )
    made.set_scaling({"piece_column": torch.randint(0, 6, (9,))})
    return made.eval()


def plain_graph(path: Path) -> None:
    """A graph that is no backbone: the mean over all pixels, 2,048 times."""
    node = helper.make_node("GlobalAveragePool", ["images"], ["features"])
    shapes = ["batch", 3, 224, 224], ["batch", 3, 1, 1]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip(("images", "features"), shapes, strict=True)
    ]
    graph = helper.make_graph([node], "plain", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    export_head(head(), folder / "head.onnx")
    plain_graph(folder / "backbone.onnx")
    (folder / "bundle.json").write_text("{}")
    return folder


def test_torchscript_says_what_torch_says_for_every_batch_and_odd_value(tmp_path: Path) -> None:
    model = head(12)
    script_head(model, tmp_path / "head.pt")
    loaded = load_script(tmp_path / "head.pt")
    seen = set()
    for one in cases("features", (12,), 6):
        features, tabular = torch.from_numpy(one["features"]), torch.from_numpy(one["tabular"])
        seen.add((len(features), len(tabular)))
        with torch.no_grad():
            for expected, got in zip(
                model(features, tabular), loaded(features, tabular), strict=True
            ):
                assert expected.shape == got.shape == (len(tabular),)
                torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    assert seen == {(1, 1), (1, 2), (2, 2), (1, 33), (33, 33)}
    assert {n for _, n in seen} == set(BATCHES)


def test_the_folder_holds_bundle_and_head_and_says_what_is_missing(
    bundle: Path, tmp_path: Path
) -> None:
    summary = export_folder(bundle, tmp_path / "out", head(), None, ["No backbone."])
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"bundle.json", "backbone.onnx", "head.onnx", "head.pt"}
    assert summary.missing == ("No backbone.",)
    assert [one.what for one in summary.comparisons] == [
        "head.onnx, predictions",
        "head.pt, predictions",
    ]
    assert summary.failed == []
    assert all(one.largest < 1e-5 for one in summary.comparisons)
    by_name = {file.name: file for file in summary.files}
    for name, file in by_name.items():
        content = (tmp_path / "out" / name).read_bytes()
        assert (file.n_bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert by_name["head.pt"].inputs["tabular"] == "float32 (sets, 6)"
    assert summary.sizes == {
        "ONNX (backbone and head)": by_name["backbone.onnx"].n_bytes + by_name["head.onnx"].n_bytes
    }


def test_without_a_head_only_the_bundle_is_there(bundle: Path, tmp_path: Path) -> None:
    summary = export_folder(bundle, tmp_path / "out", None, None)
    assert {file.name for file in summary.files} == {"backbone.onnx", "head.onnx"}
    assert summary.comparisons == ()
    assert {file.inputs.get("tabular") for file in summary.files} == {None, "float32 (sets, 6)"}


def test_a_head_that_is_another_fails(bundle: Path, tmp_path: Path) -> None:
    other = head()
    with torch.no_grad():
        next(other.ensemble.parameters()).add_(0.01)
    summary = export_folder(bundle, tmp_path / "out", other, None)
    assert [one.passed for one in summary.comparisons] == [False, True]
    assert "head.onnx, predictions differs by" in summary.failed[0]


def test_a_damaged_graph_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "head.onnx").write_bytes((bundle / "head.onnx").read_bytes()[:200])
    with pytest.raises(ModelError, match="must pass onnx's checker"):
        export_folder(bundle, tmp_path / "out", None, None)


def test_a_difference_is_the_largest_in_units_of_the_value_and_far_out_of_the_inputs() -> None:
    inputs = [{"x": np.array([0.5, 8.0, -3.0])}]
    moved = largest_difference(
        lambda one: [one["x"]], lambda one: [one["x"] + [1e-4, 1e-3, -6e-4]], inputs
    )
    assert moved == pytest.approx(2e-4)
    for unit, far in ((1, 10.0), (1e6, 1e6)):  # normal noise, and a million deviations out
        moved = largest_difference(
            lambda _: [np.zeros(1)], lambda _: [np.array([3.0])], [{"x": np.array([far])}]
        )
        assert moved == pytest.approx(3 / unit)
    for bad in (np.array([0.5, np.nan, 0]), np.zeros(2)):
        assert largest_difference(lambda one: [one["x"]], lambda one, b=bad: [b], inputs) == np.inf


def summary_of(n_bytes: int, largest: float, limit: float | None = 1e-5) -> ExportSummary:
    file = ExportedFile("head.onnx", "head: <x>", n_bytes, "ab", {"a": "b"}, {"c": "d"}, "load()")
    return ExportSummary(
        (file,), (Comparison("head", largest, limit),), {"ONNX": n_bytes}, ("No <b>.",)
    )


def test_too_large_or_too_far_is_said_and_what_is_only_told_is_not() -> None:
    assert summary_of(100_000_000, 1e-5).failed == []
    assert summary_of(100_000_001, 0).failed == ["ONNX takes 100.0 MB (at most 100)"]
    assert summary_of(1, 1.1e-5).failed == ["head differs by 1.1e-05 (at most 1e-05)"]
    assert summary_of(1, 0.5, None).failed == []


def test_page_and_json_are_whole(tmp_path: Path) -> None:
    written = write_export(summary_of(3, np.inf), tmp_path, "svg-quality <1>")
    page = written["html_report"].read_text()
    assert "svg-quality &lt;1&gt;" in page
    assert "No &lt;b&gt;." in page
    assert "src=" not in page.replace("img-src", "")
    told = json.loads(written["metrics"].read_text())
    assert told["comparisons"][0]["largest"] is None
    assert told["failed"] == ["head differs by inf (at most 1e-05)"]
    assert told["files"][0]["sha256"] == "ab"


def test_no_torch_backbone_from_other_graphs(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be a ResNet-50"):
        backbone_from_graph(bundle / "backbone.onnx")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(ModelError, match="must pass onnx's checker"):
        backbone_from_graph(tmp_path / "text.onnx")


@pytest.mark.slow
def test_backbone_and_head_from_the_bundle_alone(bundle: Path, tmp_path: Path) -> None:
    """The rebuilt backbone is the one that was exported, whatever its batch norms hold."""
    torch.manual_seed(1)
    extractor = ResNetFeatureExtractor().eval()
    for module in extractor.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.running_mean) * 0.1
            module.running_var = torch.rand_like(module.running_var) + 0.5
    export_backbone(extractor, bundle / "backbone.onnx")
    rebuilt = backbone_from_graph(bundle / "backbone.onnx")
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = extractor(images)
        assert (rebuilt(images) - expected).abs().max() < 1e-4 * expected.abs().max()
    summary = export_folder(bundle, tmp_path / "out", head(), rebuilt)
    assert summary.failed == []
    assert {file.name for file in summary.files} == {
        "backbone.onnx", "head.onnx", "head.pt", "model.pt"
    }  # fmt: skip
    loaded = load_script(tmp_path / "out/model.pt")
    shutil.rmtree(bundle)
    tabular = torch.rand(2, 6)
    with torch.no_grad():
        for a, b in zip(loaded(images, tabular), head()(rebuilt(images), tabular), strict=True):
            assert torch.allclose(a, b, atol=1e-5)
    assert 90e6 < summary.sizes["TorchScript (model.pt)"] < 100e6
