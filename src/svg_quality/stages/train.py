"""`train`: from features to a registered version, with its metrics and evaluation page."""

from __future__ import annotations

import json
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
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.extract import EXTRACT, SUMMARY
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.registry import register
from svg_quality.training.data import RowLoader, Rows, build_head

if TYPE_CHECKING:
    from svg_quality.model.mlp import QualityHead

VERSION_TAG: Final = "model.version"
REPORT: Final = "evaluation/evaluation.html"
_SHIPPED: Final = (  # what a prediction imports
    "defusedxml", "mlflow", "numpy", "onnxruntime", "opencv-python-headless", "pandas", "pillow",
    "resvg_py",
)  # fmt: skip
_RECORDED: Final = ("torch", "onnxruntime", "numpy", "vtracer", "resvg_py")


def _train(context: StageContext) -> None:
    extracted: dict[str, Any] = json.loads(context.source.artifact(SUMMARY).read_text())
    release = read_release(context.root / extracted["release"])
    inputs = ImageInputs(
        FeatureStore(context.data / "features"), extracted["fingerprint"], extracted["descriptors"]
    )
    context.run.log_dataset(release.name, release.digest, release.path, "training")
    with TemporaryDirectory(prefix="svg-quality-") as scratch:
        folder = Path(scratch)
        head, intervals = _fit(context, release, inputs, folder)
        digest = write_bundle(
            folder / "bundle",
            backbone=context.root / extracted["backbone"],
            head=head,
            intervals=intervals,
            facts={
                "backbone": {k: extracted[k] for k in ("fingerprint", "weights")},
                "dataset": {
                    "name": release.name, "version": release.version, "digest": release.digest,
                },
                "working_size": release.working_size,
                "settings": context.settings.model_dump(),
                "versions": {name: version(name) for name in _RECORDED},
            },
        )  # fmt: skip
        _evaluate(context, Bundle(folder / "bundle"), release, inputs)
        number = _register(context, folder / "bundle", release, extracted["weights"])
    context.run.set_tags({VERSION_TAG: str(number), "backbone.weights": extracted["weights"]})
    context.run.set_output(digest)
    say(f"train      registered as svg-quality version {number}")


def _fit(
    context: StageContext, release: Release, inputs: ImageInputs, folder: Path
) -> tuple[Path, dict[str, Conformal]]:
    """Fit the head; gives its ONNX file and the intervals calibrated on the validation split."""
    import torch

    from svg_quality.model.export import export_head
    from svg_quality.model.mlp import HeadConfig
    from svg_quality.training.trainer import QualityModelTrainer, TrainingConfig

    settings: TrainSettings = context.settings
    train = inputs.rows(inputs.reached(release.rows("train")))
    validation_frame = inputs.reached(release.rows("validation"))
    validation = inputs.rows(validation_frame)
    groups = validation_frame["image_id"].map(release.images["group"]).to_numpy()
    check_calibration_groups(groups, settings.interval)
    # A step lasts about a millisecond: where other work holds a core, two threads of OpenMP wait
    # for each other most of the time (15 times as long as one thread, experiments/LOG.md).
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    head = build_head(train, HeadConfig(dropout_rate=settings.dropout_rate))
    config = TrainingConfig(
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        patience=settings.patience,
        seed=settings.seed,
    )
    with progress_bar(settings.epochs, "training") as bar:

        def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
            bar.set_postfix_str(f"validation MAE {metrics['val_ssim_mae']:.4f}", refresh=False)
            bar.update()

        trainer = QualityModelTrainer(head, config, folder / "checkpoints", on_epoch)
        fitted = trainer.train(
            RowLoader(train, settings.batch_size, shuffle=True, seed=settings.seed),
            RowLoader(validation, 4096),
        )
    context.run.log_history(fitted["training_history"], first_step=1)
    context.run.log_metrics(
        {k: fitted[k] for k in ("training_time", "epochs_completed", "best_epoch", "best_val_loss")}
    )
    context.run.log_artifact(folder / "checkpoints", "checkpoints")
    export_head(head, folder / "head.onnx")
    return folder / "head.onnx", _calibrated(head, validation, groups, settings.interval)


def _calibrated(
    head: QualityHead, validation: Rows, groups: np.ndarray, level: float
) -> dict[str, Conformal]:
    """Intervals that hold for new logos, from logos the head was not fitted to."""
    from svg_quality.training.trainer import predict_rows

    said = predict_rows(head, RowLoader(validation, 4096))
    interval = calibrate(
        validation.ssim, said.ssim.numpy(), said.ssim_spread.numpy(), groups, level
    )
    return {"ssim": interval}


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
          "stages/train.py"),
    act=_train,
)  # fmt: skip
