"""Accuracy on held-out logos, which no release of the demo contains, beside gradient boosting.

Asks the model in Production for every row through its registered bundle. Intervals are 95%, from
a bootstrap by logo.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from held_out import (
    HeldOut,
    counted,
    held_out_logos,
    in_production,
    measure_logos,
    refuse_leaks,
    regions_of,
)
from record import write_result

from svg_quality.evaluation.baselines import BaselinePrediction, fit_and_predict
from svg_quality.evaluation.metrics import (
    cluster_bootstrap,
    cluster_mean_interval,
    coverage,
    covered,
    score,
)
from svg_quality.evaluation.residuals import quality_band_masks
from svg_quality.prediction.bundle import Scores
from svg_quality.tracking.store import project_root

N_DRAWS = 2000


def main() -> None:
    root = project_root()
    resolved, bundle, release = in_production(root)
    held_out = measure_logos(root, held_out_logos(root), resolved.path, bundle)
    refuse_leaks(held_out.frame, release.images.index)
    rows = held_out.rows
    said = bundle.score_rows(rows.features[rows.image_index], rows.tabular)
    train = held_out.inputs.rows(held_out.inputs.reached(release.rows("train")))
    figures = {
        "model_version": resolved.version,
        "backbone_weights": bundle.manifest["backbone"]["weights"],
        "dataset": bundle.manifest["dataset"],
        "training_logos": len(np.unique(train.image_index)),
        "training_rows": len(train),
        **counted(held_out),
        "regions": region_figures(held_out, said, fit_and_predict(train, rows)),
        "interval_90_by_band": by_band(held_out, said),
    }
    write_result("accuracy", figures)


def region_figures(
    held_out: HeldOut, said: Scores, baselines: dict[str, BaselinePrediction]
) -> dict[str, Any]:
    """Model and baselines in every region, with intervals and the paired difference."""
    rows, figures = held_out.rows, {}
    for region, mask in regions_of(held_out.frame).items():
        groups = held_out.frame["group"].to_numpy()[mask]
        entry: dict[str, Any] = {"rows": int(mask.sum())}
        entry["ssim"] = compared(rows.ssim[mask], said.ssim[mask], groups)
        entry["log_bytes"] = compared(rows.log_bytes[mask], np.log(said.svg_bytes)[mask], groups)
        for name, guess in baselines.items():
            entry["ssim"][name] = score(rows.ssim[mask], guess.ssim[mask])
            entry["log_bytes"][name] = score(rows.log_bytes[mask], guess.log_bytes[mask])
            if "boosting" in name:
                entry["ssim"][f"mae_less_{name}"] = mae_difference(
                    rows.ssim[mask], said.ssim[mask], guess.ssim[mask], groups
                )
        entry["interval_90"] = coverage_with_interval(
            rows.ssim[mask], said.ssim_low[mask], said.ssim_high[mask], groups
        )
        figures[region] = entry
    return figures


def by_band(held_out: HeldOut, said: Scores) -> dict[str, Any]:
    """Coverage by band of the measured SSIM, all rows and the everyday region."""
    ssim, everyday = held_out.rows.ssim, regions_of(held_out.frame)["everyday"]
    groups = held_out.frame["group"].to_numpy()
    figures: dict[str, Any] = {}
    for name, inside in quality_band_masks(ssim).items():
        for region, mask in (("full", inside), ("everyday", inside & everyday)):
            figures.setdefault(region, {})[name] = {"rows": int(mask.sum())} | coverage(
                ssim[mask], said.ssim_low[mask], said.ssim_high[mask], groups[mask]
            )
    return figures


def compared(measured: np.ndarray, predicted: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    return {
        "model": score(measured, predicted),
        "model_interval_95": cluster_bootstrap(measured, predicted, groups),
    }


def mae_difference(
    measured: np.ndarray, model: np.ndarray, other: np.ndarray, groups: np.ndarray
) -> dict[str, Any]:
    """Paired by row: below zero, the model is better."""
    own, others = np.abs(measured - model), np.abs(measured - other)
    less = own - others
    return {
        "mean": float(less.mean()),
        "interval_95": cluster_mean_interval(less, groups, N_DRAWS),
        "ratio": float(own.mean() / others.mean()),
    }


def coverage_with_interval(
    measured: np.ndarray, low: np.ndarray, high: np.ndarray, groups: np.ndarray
) -> dict[str, Any]:
    held = covered(measured, low, high)
    return coverage(measured, low, high, groups) | {
        "interval_95": cluster_mean_interval(held, groups, N_DRAWS)
    }


if __name__ == "__main__":
    main()
