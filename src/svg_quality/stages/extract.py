"""`extract`: from a release to the features and descriptors of its images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np

from svg_quality.conversion.images import load_image
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.errors import ImageError
from svg_quality.features.descriptors import describe
from svg_quality.features.extraction import extract_features
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.preprocessing import preprocess
from svg_quality.features.store import FeatureStore
from svg_quality.settings import ExtractSettings, Settings
from svg_quality.stages.console import progress, progress_bar, say
from svg_quality.stages.convert import descriptors_kind
from svg_quality.stages.dataset import DATASET
from svg_quality.stages.pipeline import Stage, StageContext

SUMMARY: Final = "extraction.json"
_CALIBRATION_IMAGES: Final = 64


def _extract(context: StageContext) -> None:
    settings: ExtractSettings = context.settings
    release = read_release(context.source.output_path)
    library = LogoLibrary(context.data / "logos")
    paths = {str(i): library.path(p) for i, p in release.images["image_path"].items()}
    fingerprint, weights, onnx = _backbone(context, release, paths)
    store = FeatureStore(context.data / "features")
    start = perf_counter()
    with progress_bar(len(paths), "features") as bar:
        extraction = extract_features(
            paths, OnnxGraph(onnx), fingerprint, store,
            working_size=release.working_size, batch_size=settings.batch_size,
            on_images=bar.update,
        )  # fmt: skip
    seconds = perf_counter() - start
    failed = extraction.failed | _describe_missing(store, paths, release.working_size)
    context.run.log_json(
        {
            "release": str(release.path.relative_to(context.root)),
            "dataset_digest": release.digest,
            "fingerprint": fingerprint,
            "weights": weights,
            "backbone": str(onnx.relative_to(context.root)),
            "descriptors": descriptors_kind(release.working_size),
            "failed": failed,
        },
        SUMMARY,
    )
    rate = extraction.n_computed / seconds if extraction.n_computed else 0.0
    context.run.log_metrics(
        {
            "images_computed": extraction.n_computed,
            "images_reused": extraction.n_reused,
            "images_failed": len(failed),
            "reached_share": extraction.reached_share,
            "images_per_second": rate,
        }
    )
    context.run.set_tags({"backbone.weights": weights, "backbone.fingerprint": fingerprint})
    parts = [release.digest, fingerprint, descriptors_kind(release.working_size), *sorted(failed)]
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    context.run.set_output(digest, store.root / fingerprint)
    say(
        f"extract    features of {len(paths) - len(failed):,} of {len(paths):,} images"
        f" ({extraction.n_reused:,} were there already), backbone weights: {weights}"
    )


def _backbone(
    context: StageContext, release: Release, paths: dict[str, Path]
) -> tuple[str, str, Path]:
    """Fingerprint, weights and ONNX file of the backbone asked for."""
    from svg_quality.features.backbone import build_backbone, export_backbone, fingerprint

    settings: ExtractSettings = context.settings
    train = sorted(release.images.index[release.images["split"] == "train"])[:_CALIBRATION_IMAGES]
    images = np.stack([preprocess(load_image(paths[i], release.working_size).rgb) for i in train])
    backbone = build_backbone(settings.weights, images, settings.seed)
    digest = fingerprint(backbone.extractor)
    # The size a picture was reduced to and, in 8 bits, the calibration pictures count too.
    parts = [digest, settings.precision, str(release.working_size), *train]
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    onnx = context.data / "backbones" / f"{digest}.onnx"
    if not onnx.exists():
        unfinished = onnx.with_suffix(".unfinished")
        export_backbone(backbone.extractor, unfinished)
        if settings.precision == "int8":
            from svg_quality.features.quantization import quantize_backbone

            quantize_backbone(unfinished, unfinished, images)
        unfinished.replace(onnx)
    return digest, backbone.weights, onnx


def _describe_missing(
    store: FeatureStore, paths: dict[str, Path], working_size: int
) -> dict[str, str]:
    """Descriptors that no `convert` of this checkout has made; gives reasons by image_id."""
    kind = descriptors_kind(working_size)
    missing = store.missing(kind, list(paths))
    failed: dict[str, str] = {}
    rows: dict[str, np.ndarray] = {}
    for image_id in progress(missing, len(missing), "descriptors") if missing else ():
        try:
            image = load_image(paths[image_id], working_size)
            rows[image_id] = describe(image.rgb, image.transparent_share)
        except ImageError as error:
            failed[image_id] = str(error)
    if rows:
        store.add(kind, list(rows), np.stack(list(rows.values())))
    return failed


def _weights_digest(settings: Settings) -> dict[str, str]:
    path = Path(settings.extract.weights)
    return {"weights": hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}


EXTRACT = Stage(
    name="extract",
    after=(DATASET,),
    code=("features", "conversion/images.py", "stages/extract.py"),
    act=_extract,
    own_digests=_weights_digest,
)
