"""Figures of a cross-validation: of each fold, of all rows together, and their uncertainty.

Together means pooled: each row is predicted once, by the head that did not see its logo, and the
figures are those of all these predictions. Their intervals draw whole logos (`cluster_bootstrap`);
the spread over folds stands beside them, and is no interval: folds share their training rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.evaluation.comparing.comparison import mean_difference
from svg_quality.evaluation.metrics import REGIONS, cluster_bootstrap, region_masks, score

MODEL: Final = "model"
RIVAL: Final = "gradient_boosting"
TARGETS: Final = ("ssim", "log_bytes")
METRICS: Final = ("mae", "rmse", "r2", "pearson", "spearman")
Scores = dict[str, dict[str, dict[str, Any]]]  # region -> target -> figures


def score_folds(
    rows: pd.DataFrame, systems: tuple[str, ...], n_draws: int, tolerance: float, seed: int = 0
) -> dict[str, Any]:
    """Everything a page tells of out-of-fold predictions.

    Args:
        rows: one per predicted conversion, with ``fold``, ``group``, a bool column for each of
            `REGIONS` but ``full``, ``ssim``, ``log_bytes``, and ``<system>.<target>`` for each
            system and target.
        systems: `MODEL` and the baselines, `RIVAL` among them.
        n_draws: of the bootstrap over logos.
        tolerance: a difference of MAE that is none, see `comparison.mean_difference`.
        seed: of the draws.

    Returns:
        ``pooled``: system -> region -> target -> figures of `score` and their ``intervals``;
        ``folds``: number of the fold -> system -> ...; ``spread``: system -> region -> target ->
        metric -> ``mean`` and ``std`` over folds; ``against``: region -> target -> the paired
        difference between the model and `RIVAL`.
    """
    folds = {
        int(str(number)): {system: _scores(part, system) for system in systems}
        for number, part in rows.groupby("fold")
    }
    return {
        "pooled": {system: _scores(rows, system, n_draws=n_draws, seed=seed) for system in systems},
        "folds": folds,
        "spread": {
            system: _spread([of_fold[system] for of_fold in folds.values()]) for system in systems
        },
        "against": {
            region: {
                target: asdict(
                    mean_difference(
                        _error(rows[mask], RIVAL, target),
                        _error(rows[mask], MODEL, target),
                        rows["group"].to_numpy()[mask],
                        tolerance,
                        n_draws,
                        seed,
                    )
                )
                for target in TARGETS
            }
            for region, mask in region_masks(rows).items()
            if mask.any()
        },
    }


def _scores(rows: pd.DataFrame, system: str, n_draws: int = 0, seed: int = 0) -> Scores:
    """With intervals where there are draws."""
    scores: Scores = {}
    for region, mask in region_masks(rows).items():
        part, scores[region] = rows[mask], {}
        for target in TARGETS:
            measured, said = part[target], part[f"{system}.{target}"]
            figures: dict[str, Any] = {
                **score(measured, said), "n_logos": int(part["group"].nunique())
            }  # fmt: skip
            if n_draws:
                figures["intervals"] = cluster_bootstrap(
                    measured, said, part["group"], n_draws, seed=seed
                )
            scores[region][target] = figures
    return scores


def _spread(folds: list[Scores]) -> Mapping[str, Any]:
    """Mean and standard deviation (of the sample) over the folds in which a figure is defined."""
    spread: dict[str, Any] = {}
    for region in REGIONS:
        for target in TARGETS:
            of_target = spread.setdefault(region, {}).setdefault(target, {})
            for metric in METRICS:
                known = [fold[region][target][metric] for fold in folds]
                values = [value for value in known if value is not None]
                of_target[metric] = {
                    "mean": float(np.mean(values)) if values else None,
                    "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
                }
    return spread


def _error(rows: pd.DataFrame, system: str, target: str) -> np.ndarray:
    error: np.ndarray = np.abs((rows[f"{system}.{target}"] - rows[target]).to_numpy(float))
    return error
