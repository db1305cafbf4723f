"""`export-model` on registered versions: the files, what was compared, and what is missing."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import svg_quality
from svg_quality.cli import main
from svg_quality.conversion.parameters import Parameters
from svg_quality.features.backbone import build_backbone, export_backbone
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.features.inputs import TABULAR_NAMES
from svg_quality.model.checkpoint import save_checkpoint
from svg_quality.model.exporting.export import export_head
from svg_quality.model.exporting.torchscript import load_script
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.model.uncertainty import Conformal
from svg_quality.prediction import signature
from svg_quality.prediction.bundle import write_bundle
from svg_quality.prediction.reference import reference_of
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.registry import register
from svg_quality.tracking.runs import stage_run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


def trained(project: Path, *, checkpoint: bool) -> None:
    """A finished `train` run with a registered version, of a head that nothing was taught."""
    torch.manual_seed(0)
    n_tabular = len(TABULAR_NAMES)
    head = QualityHead(HeadConfig(d_tabular=n_tabular, d_pieces=4, hidden_dims=(16,))).eval()
    head.set_scaling({"piece_column": torch.arange(4)})
    parts = project / f"parts-{checkpoint}"
    images = np.random.default_rng(0).normal(size=(4, 3, 224, 224)).astype(np.float32)
    export_backbone(build_backbone("random", images, 0).extractor, parts / "backbone.onnx")
    export_head(head, parts / "head.onnx")
    digest = write_bundle(
        parts / "bundle", backbone=parts / "backbone.onnx", head=parts / "head.onnx",
        intervals={
            name: Conformal(level=0.9, quantile=1.5, floor=0.01) for name in ("ssim", "log_bytes")
        },
        reference=reference_of(
            ["0" * 64], np.zeros(1), np.zeros((1, len(DESCRIPTOR_NAMES)), np.float32),
            np.zeros(1, int), [Parameters()], np.ones(1), np.ones(1),
        ),
        facts={"backbone": {"fingerprint": "f", "weights": "random", "fit": "pad"},
               "working_size": 512,
               "dataset": {"name": "tiny", "version": "1", "digest": "d" * 64}},
    )  # fmt: skip
    package = Path(svg_quality.__file__).parent
    with stage_run(Work(stage="train", settings={}, inputs={}, digests={}, code="")) as run:
        if checkpoint:
            save_checkpoint(head, parts / "best")
            run.log_artifact(parts / "best", "checkpoints/best")
        number = register(
            run.run_id, parts / "bundle", package / "prediction" / "pyfunc.py",
            input_example=pd.DataFrame(
                {"image": [(project / "logo.png").read_bytes()], "color_precision": [6.0]}
            ),
            signature=signature.model_signature(),
            pip_requirements=[f"numpy=={version('numpy')}"], code_paths=[],
        )  # fmt: skip
        run.set_tags({"model.version": str(number)})
        run.set_output(digest)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "logo.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_form_says_the_same_and_the_folder_predicts(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(project, checkpoint=True)
    assert main(["export-model"]) == 0
    said = capsys.readouterr().out
    run = newest_finished("export-model")
    folder = project / "reports" / run.run_id / "model"
    told = json.loads((folder / "export.json").read_text())
    assert [file["name"] for file in told["files"]] == [
        "backbone.onnx", "head.onnx", "head.pt", "model.pt"
    ]  # fmt: skip
    assert told["failed"] == told["missing"] == []
    assert len(told["comparisons"]) == 4
    assert all(one["largest"] < one["limit"] == 1e-5 for one in told["comparisons"])
    assert all(size < 100e6 for size in told["sizes"].values())
    assert run.artifact("export/export.html").read_bytes() == (folder / "export.html").read_bytes()
    assert run.metrics["largest_difference"] < 1e-5
    assert run.tags["export.verdict"] == "pass"
    assert str(folder / "export.html") in said
    loaded = load_script(folder / "model.pt")
    with torch.no_grad():
        ssim, *_ = loaded(torch.zeros(1, 3, 224, 224), torch.zeros(5, len(TABULAR_NAMES)))
    assert ssim.shape == (5,)
    assert main(["predict", "logo.png", "--model", str(folder), "--json"]) == 0
    by_folder = json.loads(capsys.readouterr().out)
    assert main(["predict", "logo.png", "--model", "models:/svg-quality/1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ssim"] == by_folder["ssim"]


def test_without_a_checkpoint_the_onnx_files_are_there_and_the_lack_is_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(project, checkpoint=False)
    assert main(["export-model", "--version", "1", "--to", "given"]) == 0
    said = capsys.readouterr().out
    assert "No head.pt and no model.pt: the checkpoint cannot be had" in said
    told = json.loads((project / "given" / "export.json").read_text())
    assert [file["name"] for file in told["files"]] == ["backbone.onnx", "head.onnx"]
    assert main(["export-model", "--version", "9"]) == 2
    assert "must name a registered version" in capsys.readouterr().err
