"""Small bundles, each a real network, scaler-free head, intervals and measured training logos."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from svg_quality.conversion.images import image_from_pixels
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import PRESETS
from svg_quality.features.descriptors import describe
from svg_quality.features.inputs import TABULAR_NAMES
from svg_quality.model.exporting.export import export_head
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.model.uncertainty import Conformal
from svg_quality.prediction.bundle import write_bundle
from svg_quality.prediction.reference import Reference, reference_of

D_FEATURES = 8
N_LOGOS = 24


def drawn_logo(seed: int) -> np.ndarray:
    """A few flat shapes on white, uint8 (64, 72, 3)."""
    rng = np.random.default_rng(seed)
    canvas = np.full((64, 72, 3), 255, np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        colour = tuple(rng.integers(0, 220, 3).tolist())
        x, y = rng.integers(8, 56, 2).tolist()
        size = int(rng.integers(3, 20))
        if rng.random() < 0.5:
            cv2.circle(canvas, (x, y), size, colour, -1)
        else:
            cv2.rectangle(canvas, (x, y), (x + size, y + size // 2), colour, -1)
    return canvas


@pytest.fixture(scope="session")
def training_logos() -> SimpleNamespace:
    """Drawn logos, described and converted for real."""
    pictures = [drawn_logo(seed) for seed in range(N_LOGOS)]
    sets = list(PRESETS.values())
    measured = [measure(picture, one) for picture in pictures for one in sets]
    return SimpleNamespace(
        pictures=pictures,
        ids=[image_from_pixels(picture).image_id for picture in pictures],
        descriptors=np.stack([describe(picture, 0.0) for picture in pictures]),
        parameters=sets * N_LOGOS,
        image_index=np.repeat(np.arange(N_LOGOS), len(sets)),
        ssim=np.array([one.ssim for one in measured]),
        svg_bytes=np.array([one.svg_bytes for one in measured]),
    )


@pytest.fixture(scope="session")
def reference(training_logos: SimpleNamespace) -> Reference:
    logos = training_logos
    return reference_of(
        logos.ids, np.arange(N_LOGOS), logos.descriptors, logos.image_index, logos.parameters,
        logos.ssim, logos.svg_bytes,
    )  # fmt: skip


@pytest.fixture(scope="session")
def make_bundle(
    tmp_path_factory: pytest.TempPathFactory, reference: Reference, small_backbone: Path
) -> Callable[[int], Path]:
    """Writes a bundle; another seed gives other predictions."""
    graphs = tmp_path_factory.mktemp("graphs")

    def make(seed: int) -> Path:
        torch.manual_seed(seed)
        config = HeadConfig(d_tabular=len(TABULAR_NAMES), d_features=D_FEATURES, hidden_dims=(16,))
        export_head(QualityHead(config).eval(), graphs / "head.onnx")
        folder = tmp_path_factory.mktemp("model") / "artifacts" / "bundle"
        write_bundle(
            folder,
            backbone=small_backbone,
            head=graphs / "head.onnx",
            intervals={
                "ssim": Conformal(level=0.9, quantile=1.5, floor=0.01),
                "log_bytes": Conformal(0.9, 1.5, 0.05, low=-np.inf, high=np.inf),
            },
            reference=reference,
            facts={
                "backbone": {"fingerprint": "f", "weights": "test", "fit": "pad"},
                "working_size": 512,
            },
        )
        return folder

    return make


@pytest.fixture(scope="session")
def bundle_folder(make_bundle: Callable[[int], Path]) -> Path:
    return make_bundle(0)


@pytest.fixture(scope="session")
def other_bundle_folder(make_bundle: Callable[[int], Path]) -> Path:
    return make_bundle(1)
