"""A bundle against one split of a release: what both `train` and `evaluate` report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from svg_quality.conversion.images import load_image
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release
from svg_quality.dataset.tables import parameters_of
from svg_quality.evaluation import baselines
from svg_quality.evaluation.comparing.predictions import predictions_of
from svg_quality.evaluation.feature_statistics import feature_statistics
from svg_quality.evaluation.metrics import Score, coverage, regions, score
from svg_quality.evaluation.regret import choice_figures
from svg_quality.evaluation.reporting.evaluation import EvaluationReport
from svg_quality.evaluation.reporting.figures import MS_PER_10000
from svg_quality.evaluation.reporting.report import write_report
from svg_quality.evaluation.residuals import residual_figures
from svg_quality.features.inputs import tabular_rows
from svg_quality.features.mapped import map_features
from svg_quality.features.store import FeatureStore
from svg_quality.model.uncertainty import Conformal
from svg_quality.prediction.bundle import Bundle, Scores
from svg_quality.stages.pipeline import StageContext
from svg_quality.training.rows import Features, Rows

ARTIFACTS: Final = "evaluation"  # folder of a run's page, figures and predictions
IN_MEMORY: Final = 16_384  # images, 128 MiB of features
_MANY: Final = 10_000  # parameter sets, as a search scores them
SEEN: Final = {
    "train": "The model was fitted to this very split: its figures say nothing of new logos.",
    "validation": "Training stopped by this split and its intervals were calibrated on it: its "
    "figures are better than those of new logos.",
}
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
            features=self._features_of(image_ids),
            image_index=index,
            tabular=tabular_rows(descriptors, index, parameters_of(frame)),
            ssim=frame["ssim"].to_numpy(np.float32),
            log_bytes=np.log(frame["svg_bytes"].to_numpy(np.float32)),
        )

    def _features_of(self, image_ids: list[str]) -> Features:
        """In memory; of very many images in a file beside the store, read on demand."""
        read = self.store.read if len(image_ids) <= IN_MEMORY else partial(map_features, self.store)
        return read(self.features, image_ids)

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
    said = _score(bundle, asked)
    groups = frame["image_id"].map(release.images["group"])
    within = regions(parameters_of(frame))
    rows = frame.assign(
        predicted_ssim=said.ssim,
        ssim_low=said.ssim_low,
        ssim_high=said.ssim_high,
        predicted_svg_bytes=said.svg_bytes,
        everyday=within["everyday"],
        everyday_colour=within["everyday_colour"],
        group=groups,
    )
    guesses = baselines.fit_and_predict(train, asked)
    manifest = bundle.manifest
    facts = {"dataset": release.name, "version": release.version, "digest": release.digest,
             "split": split}  # fmt: skip
    return EvaluationReport(
        title=f"svg-quality on the {split} split of {release.name} {release.version}",
        context={
            **context,
            "dataset": f"{release.name} {release.version}, digest {release.digest}",
            "split": f"{split}: {groups.nunique()} distinct logos, {len(frame)} conversions",
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
        warnings=_warnings(split, manifest["backbone"]["weights"]),
        logo_column="group",
        interval=bundle.intervals["ssim"].level,
        load_rgb=lambda path: load_image(library.path(path), bundle.working_size).rgb,
        timing=prediction_times(bundle, asked),
        features=feature_statistics(_all(asked.features), _all(train.features)),
        predictions=predictions_of(rows, guesses, facts),
        levels=_intervals_at_levels(bundle.intervals["ssim"], said),
    )


def _score(bundle: Bundle, rows: Rows) -> Scores:
    """In parts: features repeated for every conversion are 8 KiB a row."""
    parts = [
        bundle.score_rows(
            rows.features[rows.image_index[start : start + _MANY]],
            rows.tabular[start : start + _MANY],
        )
        for start in range(0, len(rows), _MANY)
    ]
    columns = ([getattr(part, name) for part in parts] for name in Scores.__slots__)
    return Scores(*map(np.concatenate, columns))


def _warnings(split: str, weights: str) -> list[str]:
    told = [SEEN[split]] if split in SEEN else []
    return [*told, RANDOM_BACKBONE] if weights == "random" else told


def _intervals_at_levels(
    interval: Conformal, said: Scores
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """What was said, at every level the model is calibrated at."""
    return {
        level: interval.at(level).interval(said.ssim, said.ssim_spread) for level in interval.levels
    }


def _all(features: Features) -> np.ndarray:
    return np.asarray(features[np.arange(len(features))], np.float32)


def prediction_times(bundle: Bundle, asked: Rows) -> dict[str, float]:
    """Milliseconds for one parameter set and for 10,000 of one picture, features at hand."""
    picture = asked.features[:1]
    many = np.resize(asked.tabular, (_MANY, asked.tabular.shape[1]))
    return {
        "ms_per_set_alone": _median_ms(lambda: bundle.score_rows(picture, many[:1]), 21),
        MS_PER_10000: _median_ms(lambda: bundle.score_rows(picture, many), 3),
    }


def _median_ms(work: Callable[[], object], n_times: int) -> float:
    work()  # the first call prepares
    taken = []
    for _ in range(n_times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return 1000 * float(np.median(taken))


def keep_report(context: StageContext, report: EvaluationReport, split: str) -> Path:
    """Write the page, keep it with the figures and the predictions; gives the page's path."""
    written = write_report(report, context.reports / context.run.run_id)
    for path in written.values():
        context.run.log_artifact(path, ARTIFACTS)
    context.run.log_metrics(
        flat_metrics(report.metrics, split) | flat_metrics(report.timing, "prediction")
    )
    return written["html_report"]


def region_metrics(rows: pd.DataFrame, within: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Figures of both targets and of the choice in each region; coverage where intervals are.

    Args:
        rows: with ``ssim``, ``svg_bytes``, what was predicted for them, ``image_id``, the eleven
            parameters and ``group``.
        within: bool ``(n,)`` for each region.
    """
    metrics: dict[str, Any] = {}
    for region, mask in within.items():
        part = rows[mask]
        n_logos = int(part["group"].nunique())
        sizes = np.log(part[["svg_bytes", "predicted_svg_bytes"]].to_numpy(float)).T
        metrics[region] = {
            "ssim": _target_figures(part["ssim"], part["predicted_ssim"], n_logos),
            "log_bytes": _target_figures(sizes[0], sizes[1], n_logos),
            "choice": choice_figures(part),
        }
        if "ssim_low" in part:
            metrics[region]["coverage"] = coverage(
                part["ssim"], part["ssim_low"], part["ssim_high"], part["group"]
            )
    return metrics


def _target_figures(measured: ArrayLike, predicted: ArrayLike, n_logos: int) -> Score:
    return score(measured, predicted) | residual_figures(measured, predicted) | {"n_logos": n_logos}


def flat_metrics(metrics: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Nested figures under dotted names, for MLflow; what is not defined is left out."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= flat_metrics(value, f"{prefix}.{name}")
        elif isinstance(value, tuple):  # an interval
            flat |= {f"{prefix}.{name}_low": value[0], f"{prefix}.{name}_high": value[1]}
        elif value is not None:
            flat[f"{prefix}.{name}"] = float(value)
    return flat
