"""A bundle against one split of a release: what both `train` and `evaluate` report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.images import load_image
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release
from svg_quality.dataset.tables import parameters_of
from svg_quality.evaluation import baselines
from svg_quality.evaluation.metrics import coverage, regions, score
from svg_quality.evaluation.report import EvaluationReport, write_report
from svg_quality.features.inputs import tabular_rows
from svg_quality.features.store import FeatureStore
from svg_quality.prediction.bundle import Bundle
from svg_quality.stages.pipeline import StageContext
from svg_quality.training.data import Rows

RANDOM_BACKBONE: Final = (
    "The backbone's weights are random (seeded, batch norm calibrated on the training logos): "
    "ImageNet's could not be downloaded or were not asked for. Its features carry little."
)


@dataclass(frozen=True, slots=True)
class ImageInputs:
    """Where the inputs of a release's images are."""

    store: FeatureStore
    features: str  # kind: the backbone's fingerprint
    descriptors: str  # kind

    def rows(self, frame: pd.DataFrame) -> Rows:
        """A split's conversions as a model's rows.

        Raises:
            FeatureError: an image has no features yet.
        """
        image_ids = list(dict.fromkeys(frame["image_id"]))
        places = {image_id: place for place, image_id in enumerate(image_ids)}
        index = frame["image_id"].map(places).to_numpy(np.int64, copy=True)
        descriptors = self.store.read(self.descriptors, image_ids)
        return Rows(
            features=self.store.read(self.features, image_ids),
            image_index=index,
            tabular=tabular_rows(descriptors, index, parameters_of(frame)),
            ssim=frame["ssim"].to_numpy(np.float32),
            log_bytes=np.log(frame["svg_bytes"].to_numpy(np.float32)),
        )

    def reached(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows whose image has both features and descriptors."""
        image_ids = list(dict.fromkeys(frame["image_id"]))
        lost = {
            *self.store.missing(self.features, image_ids),
            *self.store.missing(self.descriptors, image_ids),
        }
        return frame[~frame["image_id"].isin(lost)].reset_index(drop=True)


def assess(
    bundle: Bundle,
    release: Release,
    inputs: ImageInputs,
    split: str,
    library: LogoLibrary,
    context: Mapping[str, str],
) -> EvaluationReport:
    """Predict a split through the bundle, beside baselines fitted on the training split."""
    frame = inputs.reached(release.rows(split))
    train = inputs.rows(inputs.reached(release.rows("train")))
    asked = inputs.rows(frame)
    said = bundle.score_rows(asked.features[asked.image_index], asked.tabular)
    groups = frame["image_id"].map(release.images["group"])
    within = regions(parameters_of(frame))
    rows = frame.assign(
        predicted_ssim=said.ssim,
        ssim_low=said.ssim_low,
        ssim_high=said.ssim_high,
        predicted_svg_bytes=said.svg_bytes,
        everyday=within["everyday"],
        group=groups,
    )
    guesses = baselines.fit_and_predict(train, asked)
    manifest = bundle.manifest
    return EvaluationReport(
        title=f"svg-quality on the {split} split of {release.name} {release.version}",
        context={
            **context,
            "dataset": f"{release.name} {release.version}, digest {release.digest}",
            "split": f"{split}: {groups.nunique()} unlike logos, {len(frame)} conversions",
            "training": f"{len(np.unique(train.image_index))} images, {len(train)} conversions",
            "backbone": f"ResNet-50, {manifest['backbone']['weights']} weights, "
            f"fingerprint {manifest['backbone']['fingerprint'][:12]}",
            "versions": ", ".join(f"{k} {v}" for k, v in manifest["versions"].items()),
        },
        rows=rows,
        metrics=region_metrics(rows, within),
        baselines={
            name.replace("_", " "): region_metrics(
                rows.assign(
                    predicted_ssim=guess.ssim, predicted_svg_bytes=np.exp(guess.log_bytes)
                ).drop(columns=["ssim_low", "ssim_high"]),
                within,
            )
            for name, guess in guesses.items()
        },
        warnings=[RANDOM_BACKBONE] if manifest["backbone"]["weights"] == "random" else [],
        logo_column="group",
        interval=bundle.intervals["ssim"].level,
        load_rgb=lambda path: load_image(library.path(path), bundle.working_size).rgb,
    )


def keep_report(context: StageContext, report: EvaluationReport, split: str) -> Path:
    """Write the page, keep it and the figures with the run; gives the page's path."""
    written = write_report(report, context.reports / context.run.run_id)
    for path in written.values():
        context.run.log_artifact(path, "evaluation")
    context.run.log_metrics(flat_metrics(report.metrics, split))
    return written["html_report"]


def region_metrics(rows: pd.DataFrame, within: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Figures of both targets in each region, and the interval's coverage where there is one.

    Args:
        rows: with ``ssim``, ``svg_bytes``, what was predicted for them, and ``group``.
        within: bool ``(n,)`` for each region.
    """
    metrics: dict[str, Any] = {}
    for region, mask in within.items():
        part = rows[mask]
        n_logos = int(part["group"].nunique())
        sizes = np.log(part[["svg_bytes", "predicted_svg_bytes"]].to_numpy(float)).T
        metrics[region] = {
            "ssim": score(part["ssim"], part["predicted_ssim"]) | {"n_logos": n_logos},
            "log_bytes": score(*sizes) | {"n_logos": n_logos},
        }
        if "ssim_low" in part:
            metrics[region]["coverage"] = coverage(
                part["ssim"], part["ssim_low"], part["ssim_high"], part["group"]
            )
    return metrics


def flat_metrics(metrics: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Nested figures under dotted names, for MLflow; what is not defined is left out."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= flat_metrics(value, f"{prefix}.{name}")
        elif value is not None:
            flat[f"{prefix}.{name}"] = float(value)
    return flat
