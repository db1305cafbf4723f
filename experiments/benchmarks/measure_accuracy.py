"""Accuracy on held-out logos, which no release of the demo contains, beside gradient boosting.

Converts the logos of `held_out_logos.txt` (16 sets each; a quarter of the logos also as JPEG)
through the `convert` stage in an experiment of its own, then asks the model in Production for
every row through its registered bundle. Intervals are 95%, from a bootstrap by logo.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from record import HERE, write_result

from svg_quality.conversion.sampling import sample_parameters
from svg_quality.dataset.cleaning.clean import clean_conversions
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.logos import discover_logos, read_excluded
from svg_quality.dataset.releases.release import read_release
from svg_quality.dataset.splits.split import near_duplicate_groups
from svg_quality.dataset.tables import parameters_of
from svg_quality.evaluation.baselines import fit_and_predict
from svg_quality.evaluation.metrics import cluster_bootstrap, coverage, score
from svg_quality.features.extraction import extract_features
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.store import FeatureStore
from svg_quality.prediction.bundle import BACKBONE, Bundle
from svg_quality.settings import Settings
from svg_quality.stages.assess import ImageInputs
from svg_quality.stages.convert import CONVERT, TABLE, descriptors_kind
from svg_quality.stages.pipeline import run_stage
from svg_quality.tracking.resolve import resolve
from svg_quality.tracking.store import project_root

N_SETS, EVERYDAY_SHARE, SEED = 16, 0.75, 7
EXPERIMENT = "svg-quality-benchmarks"  # so that no stage takes these conversions for its input


def main() -> None:
    os.environ["MLFLOW_EXPERIMENT_NAME"] = EXPERIMENT
    root = project_root()
    resolved = resolve("models:/svg-quality/Production")
    bundle = Bundle(resolved.path)
    dataset = bundle.manifest["dataset"]
    release = read_release(root / "data/releases" / dataset["name"] / dataset["version"])
    frame, n_logos, readable = held_out_conversions(root)
    leaked = set(frame["image_id"]) & set(release.images.index)
    if leaked:
        raise SystemExit(f"held-out logos must not be in the release, {len(leaked)} are")
    inputs, reached = held_out_inputs(root, resolved.path, bundle, frame)
    frame = inputs.reached(frame)
    rows = inputs.rows(frame)
    said = bundle.score_rows(rows.features[rows.image_index], rows.tabular)
    train = inputs.rows(inputs.reached(release.rows("train")))
    boosted = fit_and_predict(train, rows)
    figures: dict[str, Any] = {
        "model_version": resolved.version,
        "backbone_weights": bundle.manifest["backbone"]["weights"],
        "dataset": dataset,
        "training_logos": len(np.unique(train.image_index)),
        "training_rows": len(train),
        "held_out_logos": n_logos,
        "held_out_images_with_jpeg_copies": int(frame["image_id"].nunique()),
        "held_out_rows": len(frame),
        "share_that_reached_the_feature_store": reached * readable,
        "regions": {},
    }
    for region, mask in regions_of(frame).items():
        groups = frame["group"].to_numpy()[mask]
        entry: dict[str, Any] = {"rows": int(mask.sum())}
        entry["ssim"] = compared(rows.ssim[mask], said.ssim[mask], groups)
        entry["log_bytes"] = compared(rows.log_bytes[mask], np.log(said.svg_bytes)[mask], groups)
        for name, guess in boosted.items():
            entry["ssim"][name] = score(rows.ssim[mask], guess.ssim[mask])
            entry["log_bytes"][name] = score(rows.log_bytes[mask], guess.log_bytes[mask])
        entry["ssim"]["mae_less_gradient_boosting"] = mae_difference(
            rows.ssim[mask], said.ssim[mask], boosted["gradient_boosting"].ssim[mask], groups
        )
        entry["interval_90"] = coverage_with_interval(
            rows.ssim[mask], said.ssim_low[mask], said.ssim_high[mask], groups
        )
        figures["regions"][region] = entry
    write_result("accuracy", figures)


def held_out_conversions(root: Path) -> tuple[pd.DataFrame, int, float]:
    """Measured rows with ``group``, the number of logos (copies not counted), readable share."""
    names = read_excluded(HERE / "held_out_logos.txt")
    folder = root / "data" / "held-out"
    for logo in discover_logos("diagrams"):
        if logo.name in names:
            link = folder / logo.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(logo.path)
    settings = Settings.model_validate(
        {
            "convert": {
                "logos": str(folder), "sets_per_image": N_SETS, "everyday_share": EVERYDAY_SHARE,
                "seed": SEED,
            }
        }
    )  # fmt: skip
    run = run_stage(CONVERT, settings)
    readable = 1 - run.metrics["logos_rejected"] / len(names)
    frame = pd.read_parquet(run.artifact(TABLE))
    frame = clean_conversions(frame).kept
    images = frame.groupby("image_id")[["perceptual_hash", "derived_from"]].first()
    groups = near_duplicate_groups(images, max_distance=6)
    n_logos = int(images["derived_from"].isna().sum())
    return frame.assign(group=frame["image_id"].map(groups)), n_logos, readable


def held_out_inputs(
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
    """The regions of design.md, and two readings of them that a reader may ask for."""
    sets = parameters_of(frame)
    everyday = np.array([chosen.is_everyday for chosen in sets])
    n_everyday = round(N_SETS * EVERYDAY_SHARE)
    full_draws = {
        image_id: set(sample_parameters(N_SETS, EVERYDAY_SHARE, SEED, image_id)[n_everyday:])
        for image_id in frame["image_id"].unique()
    }
    drawn = np.array(
        [chosen in full_draws[i] for i, chosen in zip(frame["image_id"], sets, strict=True)]
    )
    colour = np.array([chosen.colormode == "color" for chosen in sets])
    return {
        "full": np.ones(len(frame), bool),
        "everyday": everyday,
        "drawn_over_the_full_ranges": drawn,
        "everyday_colour_only": everyday & colour,
    }


def compared(measured: np.ndarray, predicted: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    return {
        "model": score(measured, predicted),
        "model_interval_95": cluster_bootstrap(measured, predicted, groups),
    }


def resampled(groups: np.ndarray, values: np.ndarray, n_draws: int = 2000) -> list[float]:
    """95% interval of the mean of ``values``, logos drawn whole."""
    _, of_row = np.unique(groups, return_inverse=True)
    n_groups = of_row.max() + 1
    draws = np.random.default_rng(0).multinomial(n_groups, np.full(n_groups, 1 / n_groups), n_draws)
    means = draws @ np.bincount(of_row, values) / (draws @ np.bincount(of_row))
    return [round(float(end), 6) for end in np.quantile(means, [0.025, 0.975])]


def mae_difference(
    measured: np.ndarray, model: np.ndarray, other: np.ndarray, groups: np.ndarray
) -> dict[str, Any]:
    """Paired by row: below zero, the model is better."""
    less = np.abs(measured - model) - np.abs(measured - other)
    return {"mean": float(less.mean()), "interval_95": resampled(groups, less)}


def coverage_with_interval(
    measured: np.ndarray, low: np.ndarray, high: np.ndarray, groups: np.ndarray
) -> dict[str, Any]:
    held = ((measured >= low) & (measured <= high)).astype(float)
    return coverage(measured, low, high, groups) | {"interval_95": resampled(groups, held)}


if __name__ == "__main__":
    main()
