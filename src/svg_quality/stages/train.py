"""`train`: from features to a registered version, with its metrics and evaluation page."""

from __future__ import annotations

import json
import math
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import svg_quality
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.features.store import FeatureStore
from svg_quality.model.uncertainty import Conformal, calibrate, check_calibration_groups
from svg_quality.pages.environment import fixed
from svg_quality.prediction.bundle import Bundle, write_bundle
from svg_quality.settings import TrainSettings
from svg_quality.stages.assess import ImageInputs, assess, flat_metrics, keep_report
from svg_quality.stages.console import say
from svg_quality.stages.cut_short import training_folder
from svg_quality.stages.extract import EXTRACT, SUMMARY
from svg_quality.stages.fitting import fit_watched
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.stages.shipping import Shipped, choose_backbone
from svg_quality.tracking.registry import register

if TYPE_CHECKING:
    import pandas as pd

    from svg_quality.model.mlp import QualityHead

VERSION_TAG: Final = "model.version"
REPORT: Final = "evaluation/evaluation.html"
_BYTES_FLOOR: Final = 0.01  # natural logarithm: 1% of the size
_SHIPPED: Final = (  # what a prediction imports
    "defusedxml", "mlflow", "numpy", "onnxruntime", "opencv-python-headless", "pandas", "pillow",
    "resvg_py",
)  # fmt: skip
_RECORDED: Final = ("torch", "onnxruntime", "numpy", "vtracer", "resvg_py")


def _train(context: StageContext) -> None:
    settings: TrainSettings = context.settings
    extracted: dict[str, Any] = json.loads(context.source.artifact(SUMMARY).read_text())
    release = read_release(context.root / extracted["release"])
    store = FeatureStore(context.data / "features")
    inputs = ImageInputs(store, extracted["fingerprint"], extracted["descriptors"])
    context.run.log_dataset(release.name, release.digest, release.path, "training")
    validation = inputs.reached(release.rows("validation"))
    check_calibration_groups(_groups(release, validation), settings.interval)
    with (
        training_folder(
            context.data / "training", context.run.run_id, context.run.work, settings.resume
        ) as folder,
        TemporaryDirectory(prefix="svg-quality-") as scratch,
    ):
        train = inputs.rows(inputs.reached(release.rows("train")))
        head, _ = fit_watched(context, train, inputs.rows(validation), folder)
        shipped = choose_backbone(head, release, store, extracted, context.root)
        if shipped.movement is not None:
            context.run.log_metrics({"int8_movement": shipped.movement})
        bundle = Path(scratch) / "bundle"
        digest = _bundle(context, bundle, head, shipped, release, extracted)
        _evaluate(context, Bundle(bundle), release, shipped.inputs)
        number = _register(context, bundle, release, extracted["weights"])
    context.run.set_tags(
        {
            VERSION_TAG: str(number),
            "backbone.weights": extracted["weights"],
            "backbone.precision": shipped.precision,
        }
    )
    context.run.set_output(digest)
    say(f"train      registered as svg-quality version {number}")


def _bundle(
    context: StageContext,
    folder: Path,
    head: QualityHead,
    shipped: Shipped,
    release: Release,
    extracted: dict[str, Any],
) -> str:
    """Write the bundle; gives its digest."""
    from svg_quality.model.exporting.export import export_head

    with TemporaryDirectory(prefix="svg-quality-") as scratch:
        graph = Path(scratch) / "head.onnx"
        export_head(head, graph)
        return write_bundle(
            folder,
            backbone=shipped.onnx,
            head=graph,
            intervals=_intervals(shipped, release, context.settings.interval),
            facts={
                "backbone": {
                    "fingerprint": shipped.fingerprint, "precision": shipped.precision,
                    "weights": extracted["weights"], "fit": extracted["fit"],
                },
                "dataset": {
                    "name": release.name, "version": release.version, "digest": release.digest,
                },
                "working_size": release.working_size,
                "settings": context.settings.model_dump(),
                "versions": {name: version(name) for name in _RECORDED},
            },
        )  # fmt: skip


def _intervals(shipped: Shipped, release: Release, level: float) -> dict[str, Conformal]:
    """Intervals that hold for new logos, from logos the head was not fitted to."""
    groups, said, rows = _groups(release, shipped.frame), shipped.said, shipped.rows
    return {
        "ssim": calibrate(rows.ssim, said.ssim.numpy(), said.ssim_spread.numpy(), groups, level),
        "log_bytes": calibrate(
            rows.log_bytes,
            said.log_bytes.numpy(),
            said.log_bytes_spread.numpy(),
            groups,
            level,
            floor=_BYTES_FLOOR,
            limits=(-math.inf, math.inf),
        ),
    }


def _groups(release: Release, frame: pd.DataFrame) -> np.ndarray:
    groups: np.ndarray = frame["image_id"].map(release.images["group"]).to_numpy()
    return groups


def _evaluate(context: StageContext, bundle: Bundle, release: Release, inputs: ImageInputs) -> None:
    report = assess(
        bundle,
        release,
        inputs,
        "test",
        LogoLibrary(context.data / "logos"),
        {"run": context.run.run_id, "model": "svg-quality, the version this run registers"},
    )
    keep_report(context, report, "test")
    for name, metrics in report.baselines.items():
        context.run.log_metrics(flat_metrics(metrics, f"baseline.{name.replace(' ', '_')}"))
    full, everyday = (report.metrics[region]["ssim"] for region in ("full", "everyday"))
    say(
        f"train      test split, SSIM: full region Pearson {fixed(full['pearson'])}, MAE "
        f"{fixed(full['mae'], 4)}; everyday R2 {fixed(everyday['r2'])}, MAE "
        f"{fixed(everyday['mae'], 4)}"
    )


def _register(context: StageContext, bundle: Path, release: Release, weights: str) -> int:
    import pandas as pd

    from svg_quality.prediction import signature

    first = release.rows("validation").iloc[0]
    example = (context.data / "logos" / str(first["image_path"])).read_bytes()
    package = Path(svg_quality.__file__).parent
    return register(
        context.run.run_id,
        bundle,
        package / "prediction" / "pyfunc.py",
        input_example=pd.DataFrame({"image": [example], "color_precision": [6.0]}),
        signature=signature.model_signature(),
        pip_requirements=[f"{name}=={version(name)}" for name in _SHIPPED],
        code_paths=[package],
        tags={"backbone.weights": weights, "dataset.digest": release.digest},
    )


TRAIN = Stage(
    name="train",
    after=(EXTRACT,),
    code=("model", "training", "evaluation", "features/inputs.py", "prediction", "stages/assess.py",
          "stages/recipe.py", "stages/shipping.py", "stages/train.py"),
    act=_train,
)  # fmt: skip
