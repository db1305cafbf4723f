"""`extract`: from a release to the features and descriptors of its images."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from svg_quality.conversion.images import load_image
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.errors import ConversionError, FeatureError, ImageError
from svg_quality.features.descriptors import describe
from svg_quality.features.extraction import Extraction, extract_features
from svg_quality.features.failures import Failure, count_failures
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.store import FeatureStore
from svg_quality.settings import ExtractSettings, Settings
from svg_quality.stages.console import progress, progress_bar, say
from svg_quality.stages.dataset.convert import descriptors_kind
from svg_quality.stages.dataset.dataset import DATASET
from svg_quality.stages.learning.backbones import StoredBackbone, stored_backbones
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.identity import file_digest

SUMMARY: Final = "extraction.json"
_ROWS_A_FILE: Final = 256  # described pictures that a killed extraction may lose


def _extract(context: StageContext) -> None:
    settings: ExtractSettings = context.settings
    release = read_release(context.source.output_path)
    context.run.log_dataset(release.name, release.digest, release.path, "extraction")
    library = LogoLibrary(context.data / "logos")
    paths = {str(i): library.path(p) for i, p in release.images["image_path"].items()}
    train = sorted(release.images.index[release.images["split"] == "train"])
    weights, backbones = stored_backbones(
        context.data / "backbones", settings, [paths[i] for i in train], release.working_size
    )
    store = FeatureStore(context.data / "features")
    done = {
        backbone.precision: _features(paths, backbone, store, settings, release.working_size)
        for backbone in backbones
    }
    failed = _describe_missing(store, paths, release.working_size)
    for extraction in done.values():
        failed |= extraction.failed
    _check_any(failed, paths)
    first = backbones[0]  # training reads it
    context.run.log_json(_summary(context, release, weights, backbones, failed), SUMMARY)
    metrics = _metrics(done, count_failures(failed.values()), first.precision)
    if len(backbones) > 1:
        metrics |= _agreement(store, backbones, [i for i in paths if i not in failed])
    context.run.log_metrics(metrics)
    context.run.set_tags(
        {
            "backbone.weights": weights,
            "backbone.fingerprint": first.fingerprint,
            "backbone.precision": settings.precision,
            "backbone.fit": settings.fit,
        }
    )
    digest = _output_digest(release, backbones, failed)
    context.run.set_output(digest, store.root / first.fingerprint)
    _say(len(paths), done, failed, weights, metrics)


def _features(
    paths: Mapping[str, Path],
    backbone: StoredBackbone,
    store: FeatureStore,
    settings: ExtractSettings,
    working_size: int,
) -> Extraction:
    known = len(paths) - len(store.missing(backbone.fingerprint, list(paths)))
    with progress_bar(len(paths), f"features, {backbone.precision}", known) as bar:
        return extract_features(
            paths, OnnxGraph(backbone.path), backbone.fingerprint, store,
            working_size=working_size, batch_size=settings.batch_size, fit=settings.fit,
            on_images=bar.update,
        )  # fmt: skip


def _describe_missing(
    store: FeatureStore, paths: Mapping[str, Path], working_size: int
) -> dict[str, Failure]:
    """Descriptors that no `convert` of this checkout has made; gives failures by image_id."""
    kind = descriptors_kind(working_size)
    missing = store.missing(kind, list(paths))
    failed: dict[str, Failure] = {}
    rows: dict[str, np.ndarray] = {}
    known = len(paths) - len(missing)
    for image_id in progress(missing, len(paths), "descriptors", known) if missing else ():
        try:
            image = load_image(paths[image_id], working_size)
            rows[image_id] = describe(image.rgb, image.transparent_share)
        except (ConversionError, ImageError, MemoryError) as error:
            failed[image_id] = Failure.of(error)
        if len(rows) == _ROWS_A_FILE or (rows and image_id == missing[-1]):
            store.add(kind, list(rows), np.stack(list(rows.values())))
            rows = {}
    return failed


def _check_any(failed: Mapping[str, Failure], paths: Mapping[str, Path]) -> None:
    if len(failed) == len(paths):
        first = next((failure.reason for failure in failed.values()), "there is none")
        raise FeatureError(
            f"at least one image must have features, none of {len(paths)} has: {first}"
        )


def _summary(
    context: StageContext,
    release: Release,
    weights: str,
    backbones: Sequence[StoredBackbone],
    failed: Mapping[str, Failure],
) -> dict[str, Any]:
    """What was extracted, of what and by what, where it is, and which pictures failed."""
    first, *others = backbones
    return {
        "release": str(release.path.relative_to(context.root)),
        "dataset_digest": release.digest,
        "descriptors": descriptors_kind(release.working_size),
        "weights": weights,
        "precision": first.precision,
        "fit": context.settings.fit,
        **first.as_dict(context.root),
        "int8": others[0].as_dict(context.root) if others else None,
        "failed": {image_id: failure.reason for image_id, failure in failed.items()},
        "errors": count_failures(failed.values()),
    }


def _output_digest(
    release: Release, backbones: Sequence[StoredBackbone], failed: Mapping[str, Failure]
) -> str:
    """SHA-256 of what decides the numbers in the store, and of which pictures have none."""
    parts = [release.digest, *(each.fingerprint for each in backbones),
             descriptors_kind(release.working_size), *sorted(failed)]  # fmt: skip
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _agreement(
    store: FeatureStore, backbones: Sequence[StoredBackbone], image_ids: Sequence[str]
) -> dict[str, float]:
    from svg_quality.features.quantization import cosines

    found = cosines(*(store.read(each.fingerprint, image_ids) for each in backbones))
    return {"int8.cosine_mean": float(found.mean()), "int8.cosine_min": float(found.min())}


def _metrics(
    done: Mapping[str, Extraction], errors: Mapping[str, int], trained_on: str
) -> dict[str, float]:
    metrics: dict[str, float] = {f"errors.{name}": count for name, count in errors.items()}
    for precision, extraction in done.items():
        prefix = "" if precision == trained_on else f"{precision}."
        metrics |= {
            f"{prefix}images_computed": extraction.n_computed,
            f"{prefix}images_reused": extraction.n_reused,
            f"{prefix}images_failed": len(extraction.failed),
            f"{prefix}reached_share": extraction.reached_share,
            f"{prefix}images_per_second": extraction.images_per_second,
            f"{prefix}batch_size_reached": extraction.batch_size,
            f"{prefix}peak_process_memory_mib": extraction.peak_memory_mib,
        }
    return metrics


def _say(
    n_images: int,
    done: Mapping[str, Extraction],
    failed: Mapping[str, Failure],
    weights: str,
    metrics: Mapping[str, float],
) -> None:
    n_reused = min(extraction.n_reused for extraction in done.values())
    say(
        f"extract    features of {n_images - len(failed):,} of {n_images:,} images"
        f" ({n_reused:,} were there already), backbone weights: {weights}"
    )
    for precision, extraction in done.items():
        if extraction.n_computed:
            say(
                f"           {precision}: {extraction.images_per_second:.1f} images/s, at most"
                f" {extraction.peak_memory_mib:,.0f} MiB of memory so far"
            )
    if "int8.cosine_min" in metrics:
        say(
            f"           int8 against fp32: cosine {metrics['int8.cosine_mean']:.4f} on average,"
            f" {metrics['int8.cosine_min']:.4f} at worst"
        )
    for category, count in count_failures(failed.values()).items():
        if count:
            first = next(each.reason for each in failed.values() if each.category == category)
            say(f"           {category.replace('_', ' ')}: {count:,}, the first: {first}")


def _weights_digest(settings: Settings) -> dict[str, str]:
    path = Path(settings.extract.weights)
    return {"weights": file_digest(path)} if path.is_file() else {}


EXTRACT = Stage(
    name="extract",
    after=(DATASET,),
    code=(
        "features",
        "conversion/images.py",
        "stages/learning/extract.py",
        "stages/learning/backbones.py",
    ),
    act=_extract,
    own_digests=_weights_digest,
)
