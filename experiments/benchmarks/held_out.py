"""Logos that no training has seen: converted, described, and asked of a model.

Everything lands in the project's own data folder and in an experiment of its own, so that no
stage takes these conversions for its input, and a second measurement finds them there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from record import HERE

from svg_quality.conversion.sampling import sample_parameters
from svg_quality.dataset.cleaning.clean import clean_conversions
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.logos import discover_logos, read_excluded
from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.dataset.splits.split import near_duplicate_groups
from svg_quality.dataset.tables import parameters_of
from svg_quality.evaluation.metrics import regions
from svg_quality.features.extraction import extract_features
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.store import FeatureStore
from svg_quality.prediction.bundle import BACKBONE, Bundle
from svg_quality.settings import Settings
from svg_quality.stages.dataset.convert import CONVERT, TABLE, descriptors_kind
from svg_quality.stages.learning.assess import ImageInputs
from svg_quality.stages.pipeline import run_stage
from svg_quality.tracking.resolve import ResolvedModel, resolve
from svg_quality.training.rows import Rows

N_SETS: Final = 16
EVERYDAY_SHARE: Final = 0.75
SEED: Final = 7
MAX_DISTANCE: Final = 6  # bits of pHash, as in the list of held-out logos
EXPERIMENT: Final = "svg-quality-benchmarks"
NAMES: Final = HERE / "held_out_logos.txt"


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Measured conversions of unseen logos, with what a model is asked from."""

    frame: pd.DataFrame  # with ``group``: a logo with its copies and near-duplicates
    rows: Rows
    inputs: ImageInputs  # where the same of the training images is
    n_logos: int  # copies not counted
    share_reached: float  # of the logo files, those that got features


def held_out_logos(root: Path) -> Path:
    """A folder with the logos of the fixed list."""
    names, folder = read_excluded(NAMES), root / "data" / "held-out"
    for logo in discover_logos("diagrams"):
        if logo.name in names:
            link = folder / logo.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(logo.path)
    return folder


def measure_logos(root: Path, folder: Path, model: Path, bundle: Bundle) -> HeldOut:
    """Convert a folder's logos (16 sets each, a quarter also as JPEG) and make a model's inputs."""
    os.environ["MLFLOW_EXPERIMENT_NAME"] = EXPERIMENT
    settings = Settings.model_validate(
        {
            "convert": {
                "logos": str(folder), "sets_per_image": N_SETS, "everyday_share": EVERYDAY_SHARE,
                "seed": SEED,
            }
        }
    )  # fmt: skip
    run = run_stage(CONVERT, settings)
    readable = 1 - run.metrics["logos_rejected"] / len(discover_logos(str(folder)))
    frame = clean_conversions(pd.read_parquet(run.artifact(TABLE))).kept
    images = frame.groupby("image_id")[["perceptual_hash", "derived_from"]].first()
    groups = near_duplicate_groups(images, max_distance=MAX_DISTANCE)
    frame = frame.assign(group=frame["image_id"].map(groups))
    inputs, reached = _inputs(root, model, bundle, frame)
    frame = inputs.reached(frame)
    n_logos = int(images["derived_from"].isna().sum())
    return HeldOut(frame, inputs.rows(frame), inputs, n_logos, reached * readable)


def _inputs(
    root: Path, model: Path, bundle: Bundle, frame: pd.DataFrame
) -> tuple[ImageInputs, float]:
    """Features through the registered backbone, and the share of images that got some."""
    library = LogoLibrary(root / "data" / "logos")
    paths = {
        row["image_id"]: library.path(row["image_path"])
        for row in frame[["image_id", "image_path"]].drop_duplicates().to_dict(orient="records")
    }
    store, kind = FeatureStore(root / "data/features"), bundle.manifest["backbone"]["fingerprint"]
    done = extract_features(
        paths,
        OnnxGraph(model / BACKBONE),
        kind,
        store,
        working_size=bundle.working_size,
        batch_size=16,
    )
    return ImageInputs(store, kind, descriptors_kind(bundle.working_size)), done.reached_share


def regions_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The regions of every report, and the rows that were drawn over the full ranges."""
    sets = parameters_of(frame)
    n_everyday = round(N_SETS * EVERYDAY_SHARE)
    full_draws = {
        image_id: set(sample_parameters(N_SETS, EVERYDAY_SHARE, SEED, image_id)[n_everyday:])
        for image_id in frame["image_id"].unique()
    }
    drawn = [chosen in full_draws[i] for i, chosen in zip(frame["image_id"], sets, strict=True)]
    return {**regions(sets), "drawn_over_the_full_ranges": np.array(drawn)}


def in_production(root: Path) -> tuple[ResolvedModel, Bundle, Release]:
    """The model in Production, its bundle, and the release that it was trained on."""
    resolved = resolve("models:/svg-quality/Production")
    bundle = Bundle(resolved.path)
    dataset = bundle.manifest["dataset"]
    release = read_release(root / "data/releases" / dataset["name"] / dataset["version"])
    return resolved, bundle, release


def refuse_leaks(frame: pd.DataFrame, trained_on: Iterable[str]) -> None:
    """End the program where a picture of the measurement was trained on.

    Near-duplicates are not looked for here: the list of held-out logos was made without any.
    """
    leaked = set(frame["image_id"]) & set(trained_on)
    if leaked:
        raise SystemExit(f"held-out logos must not be in the release, {len(leaked)} are")


def near_trained(frame: pd.DataFrame, release: Release) -> int:
    """Images of a measurement that share a group of near-duplicates with the release's."""
    columns = ["perceptual_hash", "derived_from"]
    asked = frame.groupby("image_id")[columns].first()
    groups = near_duplicate_groups(
        pd.concat([asked, release.images[columns]]), max_distance=MAX_DISTANCE
    )
    return int(groups.loc[asked.index].isin(groups.loc[release.images.index]).sum())


def counted(held_out: HeldOut) -> Mapping[str, Any]:
    """What was measured on."""
    return {
        "held_out_logos": held_out.n_logos,
        "held_out_images_with_jpeg_copies": int(held_out.frame["image_id"].nunique()),
        "held_out_rows": len(held_out.frame),
        "share_that_reached_the_feature_store": held_out.share_reached,
    }
