"""A project whose registered model says what its own probe gave, and a service that uses it.

Predicting by the probe is a sound, if simple, model: nearer than chance, off by a little, and
exact to shift. So a challenger that is as good, and one that is worse, can be planted.
"""

import io
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from svg_quality.conversion.images import LogoImage, load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.evaluation.comparing.predictions import Predictions, write_predictions
from svg_quality.evaluation.metrics import regions
from svg_quality.features.descriptors import describe
from svg_quality.features.inputs import TABULAR_NAMES
from svg_quality.model.exporting.export import export_head
from svg_quality.model.quality_head import HeadConfig, Prediction
from svg_quality.model.uncertainty import Conformal
from svg_quality.optimization.base import Attempt
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.use_log import UseLog
from svg_quality.prediction.bundle import Bundle, write_bundle
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.prediction.reference import reference_of
from svg_quality.serving.challenger import ChallengerRouter
from svg_quality.serving.prediction_log import PredictionLog
from svg_quality.tracking.identity import Work
from svg_quality.tracking.registry import MODEL, put_in_production
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import open_store

ROOT = Path(__file__).parents[3]
N_TRAINING, N_TEST, N_SERVED, SIDE = 80, 40, 40, 48
Enter = Callable[[Path, pytest.MonkeyPatch], None]
SETS = [Parameters(filter_speckle=k, corner_threshold=c) for k, c in ((2, 180), (1, 90), (3, 60))]


def draw(seed: int) -> Image.Image:
    """Three discs of random colours on white."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(picture)
    for _ in range(3):
        low, high = sorted(rng.integers(2, SIDE - 2, 2).tolist())
        pen.ellipse((low, low, high + 1, high + 1), fill=tuple(rng.integers(0, 200, 3).tolist()))
    return picture


def as_file(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


TRAINING, TEST, SERVED = (range(k * 1000, k * 1000 + n)
                          for k, n in enumerate((N_TRAINING, N_TEST, N_SERVED)))  # fmt: skip


class ProbeHead(nn.Module):
    """SSIM and log bytes of one probe, the SSIM shifted."""

    config = HeadConfig(d_tabular=len(TABULAR_NAMES), d_features=8)

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, features: torch.Tensor, tabular: torch.Tensor) -> Prediction:
        nothing = 0 * features.sum()
        ssim = tabular[:, TABULAR_NAMES.index("probe_ssim_rounded")] + self.shift + nothing
        log_bytes = tabular[:, TABULAR_NAMES.index("probe_log_bytes_rounded")] + nothing
        spread = torch.ones_like(ssim)
        return Prediction(ssim, log_bytes, 0.05 * spread, 0.3 * spread)


@pytest.fixture(scope="session")
def bundles(
    tmp_path_factory: pytest.TempPathFactory, small_backbone: Path
) -> Callable[[str, float], Path]:
    """Makes a model's folder: its name, and how far its SSIM is shifted."""
    made = tmp_path_factory.mktemp("models")
    images = [load_image(as_file(draw(seed))) for seed in TRAINING]
    reference = reference_of(
        [image.image_id for image in images],
        np.arange(N_TRAINING),
        np.stack([describe(image.rgb, image.transparent_share) for image in images]),
        np.arange(N_TRAINING),
        [Parameters()] * N_TRAINING,
        np.full(N_TRAINING, 0.9),
        np.full(N_TRAINING, 1000),
    )

    def make(name: str, shift: float) -> Path:
        head = made / f"{name}.onnx"
        export_head(ProbeHead(shift), head)  # type: ignore[arg-type]
        write_bundle(
            made / name / "artifacts" / "bundle",
            backbone=small_backbone,
            head=head,
            intervals={
                "ssim": Conformal(level=0.9, quantile=2.0, floor=0.01),
                "log_bytes": Conformal(0.9, 2.0, 0.05, low=-np.inf, high=np.inf),
            },
            reference=reference,
            facts={
                "backbone": {"fingerprint": "f", "weights": "test", "fit": "pad"},
                "dataset": {"name": "drawn", "version": "1", "digest": "d" * 64},
                "working_size": 512,
            },
        )
        return made / name

    return make


def tested(bundle: Path, folder: Path) -> Path:
    """Predictions of a test split, as a run keeps them."""
    model, rows = Bundle(bundle), []
    for seed in TEST:
        image = load_image(as_file(draw(seed)))
        scores = model.score_image(image, SETS)
        for place, chosen in enumerate(SETS):
            found = measure(image.rgb, chosen)
            rows.append(
                {
                    "conversion_id": f"{seed} {place}", "image_id": image.image_id, "group": seed,
                    "logo_type": "simple", "format": "PNG", "source": "drawn",
                    **chosen.as_dict(), "ssim": found.ssim, "svg_bytes": found.svg_bytes,
                    "predicted_ssim": scores.ssim[place], "ssim_low": scores.ssim_low[place],
                    "ssim_high": scores.ssim_high[place],
                    "predicted_svg_bytes": scores.svg_bytes[place],
                }
            )  # fmt: skip
    within = regions(SETS * len(TEST))
    frame = pd.DataFrame(rows).assign(**{k: v for k, v in within.items() if k != "full"})
    facts = {"dataset": "drawn", "version": "1", "digest": "d" * 64, "split": "test"}
    return write_predictions(Predictions(frame, facts), folder)


@dataclass(frozen=True)
class Project:
    """Its model's versions: 1 in Production, 2 the same again, 3 with SSIMs 0.2 too low."""

    root: Path

    def serve(
        self,
        pictures: Iterable[Image.Image],
        challenger: str | None = None,
        share: float = 1.0,
        convert: bool = True,
    ) -> list[LogoImage]:
        """What the service does: answer, log, convert for real."""
        champion = QualityPredictor()
        rival = QualityPredictor(challenger) if challenger else None
        router = ChallengerRouter(champion, rival, share, PredictionLog(self.root / "data"))
        conversions, served = UseLog(self.root / "data"), []
        for picture in pictures:
            logo = Logo.read(as_file(picture), champion.working_size)
            role, predictor = router.predictor_for(logo.image.image_id)
            answered = predictor.picture(logo.data)
            router.record(role, logo.data, answered, SETS, converted=True)
            if convert:
                conversions.append(logo, [measured(logo, chosen) for chosen in SETS], "predictive")
            served.append(logo.image)
        return served

    def training(self, n: int) -> list[Image.Image]:
        """The first pictures that every version was trained on."""
        return [draw(seed) for seed in TRAINING[:n]]


def measured(logo: Logo, chosen: Parameters) -> Attempt:
    found = measure(logo.image.rgb, chosen)
    names = [name for name in found.__slots__ if name != "svg"]
    figures = {name: getattr(found, name) for name in names}
    return Attempt(chosen, "front", None, figures, None)


@pytest.fixture(scope="session")
def made_project(
    tmp_path_factory: pytest.TempPathFactory, bundles: Callable[[str, float], Path], enter: Enter
) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    models = {name: bundles(name, shift)
              for name, shift in (("first", 0.0), ("again", 0.0), ("worse", -0.2))}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        open_store().client.create_registered_model(MODEL)
        for name, model in models.items():
            with stage_run(Work("train", {"name": name})) as run:
                kept = tested(model / "artifacts" / "bundle", folder / run.run_id)
                run.log_artifact(kept, "evaluation")
            client = open_store().client
            client.create_model_version(MODEL, str(model), run_id=run.run_id)
        put_in_production(open_store(), 1)
    return folder


@pytest.fixture
def project(made_project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The working directory; nothing was served in it yet."""
    enter(made_project, monkeypatch)
    shutil.rmtree(made_project / "data", ignore_errors=True)
    return Project(made_project)


@pytest.fixture
def served_pictures() -> list[Image.Image]:
    """Of the same source as the training pictures, and new."""
    return [draw(seed) for seed in SERVED]


@pytest.fixture
def many_sets() -> list[Parameters]:
    return sobol_sets(200, "full", 0)
