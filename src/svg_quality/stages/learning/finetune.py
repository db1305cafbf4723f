"""`finetune`: from a release to backbone weights trained on its conversions, for `extract`."""

from __future__ import annotations

import dataclasses
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from svg_quality.conversion.images import load_image
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.dataset.tables import parameters_of
from svg_quality.errors import DatasetError, ImageError
from svg_quality.features.preprocessing import preprocess
from svg_quality.pages.environment import fixed
from svg_quality.settings import FinetuneSettings, Settings
from svg_quality.stages.console import progress, say
from svg_quality.stages.dataset.dataset import DATASET
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.identity import file_digest

if TYPE_CHECKING:
    from svg_quality.features.backbone import ResNetFeatureExtractor
    from svg_quality.training.finetune import Finetuned
    from svg_quality.training.pictures import PictureRows

REPORT: Final = "finetune.json"
_CALIBRATION_IMAGES: Final = 64  # for the batch norm of random weights, as in `extract`


def _finetune(context: StageContext) -> None:
    from svg_quality.features.backbone import build_backbone
    from svg_quality.training.finetune import FinetuneConfig, finetune
    from svg_quality.training.pictures import to_inputs

    settings: FinetuneSettings = context.settings
    release = read_release(context.source.output_path)
    context.run.log_dataset(release.name, release.digest, release.path, "training")
    failed: dict[str, str] = {}
    train = _pictures(context, release, "train", failed)
    validation = _pictures(context, release, "validation", failed)
    first = to_inputs(train.images[:_CALIBRATION_IMAGES]).numpy()
    backbone = build_backbone(settings.weights, first, settings.seed)
    backbone.extractor.freeze(settings.n_frozen)
    config = FinetuneConfig(
        epochs=settings.epochs,
        patience=settings.patience,
        images_per_batch=settings.images_per_batch,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
        device=settings.device,
    )
    said = finetune(
        backbone.extractor, train, validation, config, track=progress, on_epoch=_say_epoch
    )
    path, digest = _write_weights(context.data / "backbones", backbone.extractor)
    _keep(context, said, backbone.weights, path, failed)
    context.run.set_output(digest, path)
    _tell(said, train, path.relative_to(context.root), failed)


def _pictures(
    context: StageContext, release: Release, split: str, failed: dict[str, str]
) -> PictureRows:
    """A split's pictures in memory with their conversions; the unreadable ones go to ``failed``.

    Raises:
        DatasetError: fewer than two can be read.
    """
    import torch

    from svg_quality.model.quality_model import encode_parameters
    from svg_quality.training.pictures import PictureRows, to_pixels

    settings: FinetuneSettings = context.settings
    library, fit = LogoLibrary(context.data / "logos"), context.everything.extract.fit
    frame = release.rows(split)
    pixels: dict[str, np.ndarray] = {}
    asked = _some(frame["image_id"].unique(), settings)
    for image_id in progress(asked, len(asked), f"pictures, {split}"):
        try:
            path = library.path(str(release.images.at[image_id, "image_path"]))
            rgb = load_image(path, release.working_size).rgb
            pixels[image_id] = to_pixels(preprocess(rgb, fit))
        except ImageError as error:
            failed[image_id] = str(error)
    if len(pixels) < 2:
        raise DatasetError(f"two or more pictures of {split} must be readable, got {len(pixels)}")
    places = {image_id: place for place, image_id in enumerate(pixels)}
    kept = frame[frame["image_id"].isin(places)]
    return PictureRows(
        images=torch.from_numpy(np.stack(list(pixels.values()))),
        image_index=torch.from_numpy(kept["image_id"].map(places).to_numpy(np.int64, copy=True)),
        parameters=encode_parameters(parameters_of(kept)),
        ssim=torch.from_numpy(kept["ssim"].to_numpy(np.float32, copy=True)),
    )


def _some(image_ids: np.ndarray, settings: FinetuneSettings) -> list[str]:
    """All of them, or as many as were asked for, drawn by the seed."""
    names = sorted(image_ids.tolist())
    if not settings.max_images or len(names) <= settings.max_images:
        return names
    drawn = np.random.default_rng(settings.seed).choice(
        len(names), settings.max_images, replace=False
    )
    return [names[place] for place in sorted(drawn)]


def _write_weights(folder: Path, extractor: ResNetFeatureExtractor) -> tuple[Path, str]:
    """What `extract --weights` reads; gives its path and fingerprint."""
    from svg_quality.features.backbone import fingerprint, save_weights

    digest = fingerprint(extractor)
    path = folder / f"finetuned-{digest[:12]}.safetensors"
    save_weights(extractor, path)
    return path, digest


def _keep(
    context: StageContext, said: Finetuned, weights: str, path: Path, failed: dict[str, str]
) -> None:
    metrics = {
        f"{name}.{key}": value
        for name in ("frozen", "finetuned", "refitted")
        for key, value in getattr(said, name).items()
    }
    figures = {
        **metrics,
        "gain": said.gain,
        "gain_error": said.gain_error,
        "best_epoch": said.best_epoch,
        "training_time": said.seconds,
        "images_per_second": said.images_per_second,
        "images_failed": len(failed),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    context.run.log_metrics(figures)
    context.run.log_history(said.history, first_step=1)
    context.run.set_tags(
        {"backbone.from": weights, "backbone.file": str(path.relative_to(context.root))}
    )
    known = {f.name: getattr(said, f.name) for f in dataclasses.fields(said) if f.name != "model"}
    context.run.log_json(known | {"figures": figures, "failed": failed}, REPORT)


def _say_epoch(epoch: int, metrics: dict[str, float]) -> None:
    what = f"epoch {epoch}" if epoch else "frozen features"
    rate = f", {metrics['images_per_second']:.1f} images/s" if epoch else ""
    say(
        f"finetune   {what}: validation loss {fixed(metrics['val_loss'], 4)}, R2"
        f" {fixed(metrics['val_r2'])}{rate}"
    )


def _tell(said: Finetuned, train: PictureRows, path: Path, failed: dict[str, str]) -> None:
    before, after, refitted = said.frozen, said.finetuned, said.refitted
    if failed:
        say(f"finetune   {len(failed)} pictures cannot be read; the reasons are in {REPORT}")
    say(
        f"finetune   {train.n_images:,} pictures, {len(train.ssim):,} conversions; best epoch"
        f" {said.best_epoch} of {len(said.history)}, {said.images_per_second:.1f} images/s on"
        f" {said.device}"
    )
    say(
        f"finetune   validation loss {fixed(before['loss'], 4)} on frozen features (R2"
        f" {fixed(before['r2'])}), {fixed(after['loss'], 4)} with the backbone trained"
        f" (R2 {fixed(after['r2'])}); the same head anew on its features:"
        f" {fixed(refitted['loss'], 4)} (R2 {fixed(refitted['r2'])})"
    )
    say(
        f"finetune   {_verdict(said)}: over pictures the loss of such a head falls by"
        f" {fixed(said.gain, 4)}, standard error {fixed(said.gain_error, 4)}"
    )
    say(f"finetune   to use these weights: svg-quality extract --weights {path}")


def _verdict(said: Finetuned) -> str:
    """Two standard errors count as clear."""
    if abs(said.gain) <= 2 * said.gain_error:
        return "no clear difference between the features before and after"
    if said.gain > 0:
        return "it paid, the trained backbone's features are better"
    return "it did not pay, the features it started from are better"


def _weights_digest(settings: Settings) -> dict[str, str]:
    path = Path(settings.finetune.weights)
    content = file_digest(path) if path.is_file() else ""
    return {"fit": settings.extract.fit, "weights": content}


FINETUNE = Stage(
    name="finetune",
    after=(DATASET,),
    code=("conversion/images.py", "features/backbone.py", "features/inputs.py",
          "features/preprocessing.py", "model/dropout.py", "model/losses.py", "model/mlp.py",
          "model/quality_model.py", "training/finetune.py",
          "training/picture_scores.py", "training/pictures.py", "stages/learning/finetune.py"),
    act=_finetune,
    own_digests=_weights_digest,
)  # fmt: skip
