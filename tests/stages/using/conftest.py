"""A small model, really trained on real conversions, for the commands that ask one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageDraw
from skimage import data

from svg_quality.conversion.images import LogoImage, image_from_pixels
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.features.descriptors import describe
from svg_quality.features.inputs import N_OF_PICTURE, tabular_inputs
from svg_quality.model.exporting.export import export_head
from svg_quality.model.quality_head import HeadConfig
from svg_quality.model.uncertainty import calibrate
from svg_quality.prediction.bundle import write_bundle
from svg_quality.prediction.reference import reference_of
from svg_quality.training.data import RowLoader, build_head
from svg_quality.training.rows import Rows
from svg_quality.training.trainer import QualityModelTrainer, TrainingConfig, predict_rows

D_FEATURES = 8
SIZE = 64
N_SETS = 16

DrawLogo = Callable[[Path, int], Path]


def flat_shapes(seed: int, size: int = SIZE) -> np.ndarray:
    """A few antialiased shapes on white: how a logo looks."""
    rng = np.random.default_rng(seed)
    fine = Image.new("RGB", (size * 4, size * 4), "white")
    pen = ImageDraw.Draw(fine)
    for number in range(int(rng.integers(2, 5))):
        left, top = (rng.uniform(0.05, 0.5, 2) * size * 4).tolist()
        right, bottom = (rng.uniform(0.55, 0.95, 2) * size * 4).tolist()
        shape = pen.ellipse if number % 2 else pen.rectangle
        shape((left, top, right, bottom), fill=tuple(rng.integers(0, 220, 3).tolist()))
    return np.asarray(fine.resize((size, size), Image.Resampling.LANCZOS))


def photograph(seed: int, size: int = SIZE) -> np.ndarray:
    """A crop of a real photograph (scikit-image's cat, bundled with its wheel)."""
    whole = data.chelsea()
    rng = np.random.default_rng(seed)
    top, left = (int(rng.integers(0, side - 3 * size)) for side in whole.shape[:2])
    crop = whole[top : top + 3 * size, left : left + 3 * size]
    return np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def draw_logo() -> DrawLogo:
    """Draws a logo that the model has not learned from; the file's ending decides its kind."""

    def draw(path: Path, seed: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(flat_shapes(10_000 + seed, 96)).save(path)
        return path

    return draw


@pytest.fixture(scope="session")
def trained_bundle(tmp_path_factory: pytest.TempPathFactory, small_backbone: Path) -> Path:
    """A bundle whose head has learned from 36 logos and 12 photographs, calibrated on others."""
    folder = tmp_path_factory.mktemp("trained")
    pictures = [flat_shapes(seed) for seed in range(36)] + [photograph(k) for k in range(12)]
    images = [image_from_pixels(rgb) for rgb in pictures]
    torch.manual_seed(0)
    torch.nn.Conv2d(3, D_FEATURES, 7)  # draws first: figures in the tests are of this head
    descriptors = np.stack([describe(image.rgb, 0.0) for image in images])
    rows, sets = _converted(images, descriptors)
    held_out = rows.image_index % 4 == 3
    train, validation = rows.take(~held_out), rows.take(held_out)
    config = HeadConfig(d_picture=N_OF_PICTURE, hidden_dims=(48,), n_members=2, d_bottleneck=2)
    head = build_head(train, config)
    QualityModelTrainer(head, TrainingConfig(epochs=25)).train(
        RowLoader(train, 32, shuffle=True), RowLoader(validation, 64)
    )
    export_head(head, folder / "head.onnx")
    said = predict_rows(head, validation)
    groups = validation.image_index
    write_bundle(
        folder / "bundle",
        backbone=small_backbone,
        head=folder / "head.onnx",
        intervals={
            "ssim": calibrate(
                validation.ssim, said.ssim.numpy(), said.ssim_spread.numpy(), groups
            ),
            "log_bytes": calibrate(
                validation.log_bytes, said.log_bytes.numpy(), said.log_bytes_spread.numpy(),
                groups, floor=0.02, limits=(-np.inf, np.inf),
            ),
        },
        reference=reference_of(
            [image.image_id for image in images], np.arange(len(images)), descriptors,
            rows.image_index, sets, rows.ssim, np.exp(rows.log_bytes).round(),
        ),
        facts={
            "backbone": {"fingerprint": "small", "weights": "random", "fit": "pad"},
            "working_size": 512,
        },
    )  # fmt: skip
    return folder / "bundle"


@pytest.fixture
def project(trained_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project that asks that model."""
    folder = tmp_path / "project"
    (folder / "experiments").mkdir(parents=True)
    (folder / "MLproject").write_text("name: svg-quality\n")
    settings = {"predictor": {"model": str(trained_bundle)}}
    (folder / "experiments" / "demo.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(folder)
    return folder


def _converted(images: list[LogoImage], descriptors: np.ndarray) -> tuple[Rows, list[Parameters]]:
    """Every image with VTracer's defaults and some other sets, converted for real."""
    index, tabular, ssim, size, everything = [], [], [], [], []
    for place, image in enumerate(images):
        sets = [
            Parameters(),
            *sobol_sets(N_SETS // 2, "everyday", place),
            *sobol_sets(N_SETS // 2 - 1, "full", place),
        ]
        found = [measure(image.rgb, one) for one in sets]
        index += [place] * len(sets)
        tabular.append(tabular_inputs(descriptors[place], sets))
        ssim += [one.ssim for one in found]
        size += [one.svg_bytes for one in found]
        everything += sets
    features = np.random.default_rng(0).normal(size=(len(images), D_FEATURES))
    return Rows(
        features.astype(np.float32), np.array(index), np.concatenate(tabular),
        np.array(ssim, np.float32), np.log(np.array(size, np.float32)),
    ), everything  # fmt: skip
