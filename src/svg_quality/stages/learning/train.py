"""`train`: from features to a registered version, with its metrics and evaluation page."""

from __future__ import annotations

import math
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import svg_quality
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release
from svg_quality.model.uncertainty import Conformal, calibrate, check_calibration_groups
from svg_quality.pages.environment import fixed
from svg_quality.prediction.bundle import Bundle, write_bundle
from svg_quality.settings import TrainSettings
from svg_quality.stages.console import say
from svg_quality.stages.learning.assess import ImageInputs, assess, flat_metrics, keep_report
from svg_quality.stages.learning.cut_short import training_folder
from svg_quality.stages.learning.extract import EXTRACT
from svg_quality.stages.learning.extracted import Extracted
from svg_quality.stages.learning.fitting import fit_watched
from svg_quality.stages.learning.shipping import Shipped, choose_backbone, training_reference
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.registry import register

if TYPE_CHECKING:
    from svg_quality.model.quality_head import QualityHead

VERSION_TAG: Final = "model.version"
REPORT: Final = "evaluation/evaluation.html"
_BYTES_FLOOR: Final = 0.01  # natural logarithm: 1% of the size
_SHIPPED: Final = (  # what a prediction imports
    "defusedxml", "mlflow", "numpy", "onnxruntime", "opencv-python-headless", "pandas", "pillow",
    "resvg_py", "vtracer",
)  # fmt: skip
_RECORDED: Final = ("torch", "onnxruntime", "numpy", "vtracer", "resvg_py")


def _train(context: StageContext) -> None:
    settings: TrainSettings = context.settings
    extracted = Extracted.of(context)
    release = extracted.release
    context.run.log_dataset(release.name, release.digest, release.path, "training")
    calibrated_on = extracted.reached(release.rows("validation"))["group"].to_numpy()
    check_calibration_groups(calibrated_on, settings.interval)
    with (
        training_folder(
            context.data / "training", context.run.run_id, context.run.work, settings.resume
        ) as folder,
        TemporaryDirectory(prefix="svg-quality-") as scratch,
    ):
        train, validation = (extracted.part(release.rows(x)) for x in ("train", "validation"))
        head, _ = fit_watched(context, train.rows, validation.rows, folder)
        shipped = choose_backbone(head, extracted, validation)
        if shipped.movement is not None:
            context.run.log_metrics({"int8_movement": shipped.movement})
        bundle = Path(scratch) / "bundle"
        digest = _bundle(context, bundle, head, shipped)
        _evaluate(context, Bundle(bundle), release, shipped.extracted.inputs)
        number = _register(context, bundle, release, extracted.weights)
    context.run.set_tags(
        {
            VERSION_TAG: str(number),
            "backbone.weights": extracted.weights,
            "backbone.precision": shipped.precision,
        }
    )
    context.run.set_output(digest)
    say(f"train      registered as svg-quality version {number}")


def _bundle(context: StageContext, folder: Path, head: QualityHead, shipped: Shipped) -> str:
    """Write the bundle; gives its digest."""
    from svg_quality.model.exporting.export import export_head

    release, summary = shipped.extracted.release, shipped.extracted.summary
    with TemporaryDirectory(prefix="svg-quality-") as scratch:
        graph = Path(scratch) / "head.onnx"
        export_head(head, graph)
        return write_bundle(
            folder,
            backbone=context.root / summary["backbone"],
            head=graph,
            intervals=_intervals(shipped, context.settings.interval),
            reference=training_reference(shipped.extracted),
            facts={
                "backbone": {
                    "fingerprint": summary["fingerprint"], "precision": shipped.precision,
                    "weights": summary["weights"], "fit": summary["fit"],
                },
                "dataset": {
                    "name": release.name, "version": release.version, "digest": release.digest,
                },
                "working_size": release.working_size,
                "settings": context.settings.model_dump(),
                "versions": {name: version(name) for name in _RECORDED},
            },
        )  # fmt: skip


def _intervals(shipped: Shipped, level: float) -> dict[str, Conformal]:
    """Intervals that hold for new logos, from logos the head was not fitted to."""
    said, rows = shipped.said, shipped.validation.rows
    groups = shipped.validation.frame["group"].to_numpy()
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
    code=(
        "model",
        "training",
        "evaluation",
        "features/boosting.py",
        "features/inputs.py",
        "prediction",
        "stages/learning/assess.py",
        "stages/learning/extracted.py",
        "stages/learning/fitting.py",
        "stages/learning/recipe.py",
        "stages/learning/shipping.py",
        "stages/learning/train.py",
    ),
    act=_train,
)
