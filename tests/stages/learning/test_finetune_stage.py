"""`finetune` on a small release: a weights file that `extract` loads, and what it was worth."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from svg_quality.cli import main
from svg_quality.features.backbone import build_backbone, fingerprint
from svg_quality.tracking.lookup import newest_finished

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a release of 24 small logos, four of which are used."""
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    random = np.random.default_rng(0)
    (tmp_path / "logos").mkdir()
    for number in range(24):
        picture = Image.new("RGB", (32, 32), "white")
        draw = ImageDraw.Draw(picture)
        for _ in range(3):
            low, high = sorted(random.integers(2, 30, 2).tolist())
            colour = tuple(random.integers(0, 200, 3).tolist())
            draw.ellipse((low, low, high + 1, high + 1), fill=colour)
        picture.save(tmp_path / "logos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    assert main([
        "convert", "--logos", "logos", "--excluded", "", "--max-logos", "0", "--jpeg-share", "0",
        "--sets-per-image", "4", "--n-workers", "1",
    ]) == 0  # fmt: skip
    assert main(["dataset", "--max-distance", "0", "--no-quality", "--no-upload"]) == 0
    return tmp_path


def test_its_weights_are_what_extract_loads(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["finetune", "--weights", "random", "--max-images", "4", "--epochs", "1",
                 "--images-per-batch", "2", "--n-frozen", "4"]  # fmt: skip
    assert main(arguments) == 0
    said = [x for x in capsys.readouterr().out.splitlines() if x.startswith("finetune ")]
    run = newest_finished("finetune")
    told = json.loads(run.artifact("finetune.json").read_text())
    path = run.output_path
    assert path.parent == project / "data" / "backbones"
    assert said[-1].endswith(f"svg-quality extract --weights data/backbones/{path.name}")
    assert said[0].startswith("finetune   frozen features: validation loss")
    assert f"{told['frozen']['loss']:.4f}" in " ".join(said)
    assert run.metrics["finetuned.loss"] == told["finetuned"]["loss"]
    assert run.metrics["images_failed"] == 0
    assert run.tags["backbone.from"] == "random"
    assert run.tags["input.dataset"] == newest_finished("dataset").run_id
    images = np.zeros((2, 3, 224, 224), np.float32)
    loaded = build_backbone(str(path), images, 0).extractor
    assert fingerprint(loaded) == run.output_digest
    start = build_backbone("random", images, 42).extractor.resnet
    same = torch.equal(loaded.resnet.layer3[0].conv1.weight, start.layer3[0].conv1.weight)
    assert same
    assert not torch.equal(loaded.resnet.layer4[0].conv1.weight, start.layer4[0].conv1.weight)
