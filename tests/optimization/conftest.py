"""A pool of real workers for all optimizers' tests, and logos to choose parameters for."""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.conversion.workers import PixelsTask, WorkerPool, convert_pixels
from svg_quality.features.inputs import TABULAR_NAMES
from svg_quality.model.exporting.export import export_head
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.model.uncertainty import Conformal
from svg_quality.optimization.base import Attempt
from svg_quality.optimization.conversions import Chosen, Conversions
from svg_quality.optimization.logo import Logo
from svg_quality.prediction.bundle import write_bundle
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.prediction.reference import Reference, reference_of

D_FEATURES = 8


class Bowl(Conversions):
    """A smooth objective in place of conversions: what a search should make of it is known.

    Its bottom, 1,000 bytes, is at polygons, filter_speckle 11, 5 bits and layer_difference 90.
    """

    def measure(self, chosen: Sequence[Chosen]) -> list[Attempt]:
        for parameters, origin, _ in chosen:
            if parameters in self._attempts or self.left <= 0:
                continue
            off = (parameters.mode != "polygon") * 50
            off += abs(parameters.filter_speckle - 11) + 3 * abs(parameters.color_precision - 5)
            off += abs(parameters.layer_difference - 90) / 10
            figures = {
                "ssim": parameters.color_precision / 10,
                "svg_bytes": 1000 + round(100 * off),
            }
            self._attempts[parameters] = Attempt(parameters, origin, None, figures, None)
        return [self._attempts[one[0]] for one in chosen if one[0] in self._attempts]


def drawn(size: tuple[int, int] = (96, 72), seed: int = 0) -> bytes:
    """A PNG of a few smooth shapes on white, edges antialiased as a logo's are."""
    rng = np.random.default_rng(seed)
    fine = Image.new("RGB", (size[0] * 4, size[1] * 4), "white")
    pen = ImageDraw.Draw(fine)
    for number in range(5):
        left, top = (rng.uniform(0.05, 0.5, 2) * fine.size).tolist()
        right, bottom = (rng.uniform(0.55, 0.95, 2) * fine.size).tolist()
        colour = tuple(rng.integers(0, 220, 3).tolist())
        shape = pen.ellipse if number % 2 else pen.rounded_rectangle
        shape((left, top, right, bottom), fill=colour)
    file = io.BytesIO()
    fine.resize(size, Image.Resampling.LANCZOS).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def draw_logo() -> Callable[..., bytes]:
    return drawn


@pytest.fixture(scope="session")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, timeout_s=60) as workers:
        yield workers


@pytest.fixture
def make_bowl(logo: Logo, pool: WorkerPool) -> Callable[[int], Conversions]:
    """A bowl with so many conversions to spend, the default's among them."""

    def make(budget: int) -> Conversions:
        bowl = Bowl(logo, pool, None, "predictive", budget)
        bowl.measure([(Parameters(), "default", None)])
        return bowl

    return make


@pytest.fixture(scope="session")
def logo() -> Logo:
    return Logo.read(drawn(), name="badge.png")


@pytest.fixture(scope="session")
def predictor(
    pool: WorkerPool, small_backbone: Path, tmp_path_factory: pytest.TempPathFactory
) -> QualityPredictor:
    """Of a bundle whose reference is real and whose head knows nothing: the worst of advisers."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    torch.nn.Conv2d(3, D_FEATURES, 7)  # draws first: figures in test_predictive.py are of this head
    config = HeadConfig(d_tabular=len(TABULAR_NAMES), d_features=D_FEATURES, hidden_dims=(16,))
    export_head(QualityHead(config).eval(), folder / "head.onnx")
    write_bundle(
        folder / "bundle",
        backbone=small_backbone,
        head=folder / "head.onnx",
        intervals={
            "ssim": Conformal(level=0.9, quantile=0.14, floor=0.01),  # unsure, yet far too sure
            "log_bytes": Conformal(0.9, 1.5, 0.05, low=-np.inf, high=np.inf),
        },
        reference=measured_reference(pool),
        facts={
            "backbone": {"fingerprint": "f", "weights": "test", "fit": "pad"},
            "working_size": 512,
        },
    )
    return QualityPredictor(str(folder / "bundle"))


def measured_reference(pool: WorkerPool) -> Reference:
    """Twelve logos with six conversions each."""
    logos = [Logo.read(drawn(seed=100 + number)) for number in range(12)]
    sets = [Parameters(), Parameters(mode="polygon"), *sobol_sets(4, "everyday", 0)]
    tasks = [PixelsTask(logo.image.rgb, parameters) for logo in logos for parameters in sets]
    made = [outcome.result for outcome in pool.run(convert_pixels, tasks)]
    assert all(made)
    return reference_of(
        image_ids=[logo.image.image_id for logo in logos],
        groups=np.arange(len(logos)),
        descriptors=np.stack([logo.descriptors for logo in logos]),
        image_index=np.repeat(np.arange(len(logos)), len(sets)),
        parameters=[task.parameters for task in tasks],
        ssim=np.array([one.ssim for one in made if one]),
        svg_bytes=np.array([one.svg_bytes for one in made if one]),
    )
