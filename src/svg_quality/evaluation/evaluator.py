"""`ModelEvaluator`: any SSIM model against measured values, in numbers and on one page.

Unlike `EvaluationReport` it needs neither logos nor parameters: a torch module and a loader, or
two arrays, are enough.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from svg_quality.errors import DatasetError, ModelError
from svg_quality.evaluation.evaluator_page import write_evaluator_page
from svg_quality.evaluation.feature_statistics import feature_statistics
from svg_quality.evaluation.metrics import checked_pair, cluster_bootstrap, score
from svg_quality.evaluation.residuals import (
    correlation_p_values,
    outliers,
    quality_band_masks,
    residual_figures,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_N_OUTLIERS: Final = 50  # listed, the largest first; the count is of all


class ModelEvaluator:
    """Evaluates one model.

    Args:
        model: a torch module that gives SSIM: a tensor of ``(B,)`` or ``(B, 1)``, a tuple that
            begins with it, or a `Prediction`. None where only `evaluate_predictions` is used.

    Example:
        >>> found = ModelEvaluator().evaluate_predictions([0.9, 0.8, 0.7], [0.9, 0.8, 0.75])
        >>> round(found["mae"], 4)
        0.0167
    """

    def __init__(self, model: nn.Module | None = None) -> None:
        self.model = model

    def evaluate_model(
        self,
        loader: Iterable[Any],
        groups: ArrayLike | None = None,
        types: ArrayLike | None = None,
    ) -> dict[str, Any]:
        """Predict everything a loader gives and evaluate it.

        Args:
            loader: of batches: a `training.rows.Batch`, or a sequence of the model's inputs with
                the measured SSIM last. It must not shuffle where ``groups`` or ``types`` are
                given.
            groups, types: as for `evaluate_predictions`.

        Returns:
            What `evaluate_predictions` does, and ``inference_time`` (``seconds``,
            ``ms_per_row``, ``seconds_per_10000_rows``); and ``feature_statistics`` of the features
            the model gives beside the SSIM, else of its first input where that is ``(B, d)``.

        Raises:
            ModelError: there is no model, or it does not give one number a row.
            DatasetError: the loader gives nothing, or a batch is no such sequence.
        """
        import torch  # heavy

        if self.model is None:
            raise ModelError("evaluate_model must have a model, and got none")
        predicted, measured, features, seconds = [], [], [], 0.0
        training = self.model.training
        self.model.eval()
        try:
            for batch in loader:
                *inputs, target = _inputs_and_target(batch)
                with torch.inference_mode():
                    begun = time.perf_counter()
                    said = self.model(*inputs)
                    seconds += time.perf_counter() - begun
                predicted.append(_ssim_of(said, len(target)).cpu().numpy())
                measured.append(target.reshape(-1).cpu().numpy())
                features += _features_of(said, inputs[0])
        finally:
            self.model.train(training)
        if not predicted:
            raise DatasetError("a loader to evaluate on must give at least one batch, got none")
        results = self.evaluate_predictions(
            np.concatenate(predicted), np.concatenate(measured), groups, types
        )
        n = results["n"]
        results["inference_time"] = {
            "seconds": seconds,
            "ms_per_row": 1000 * seconds / n,
            "seconds_per_10000_rows": 10_000 * seconds / n,
        }
        if features:
            distinct = np.unique(np.concatenate(features), axis=0)
            results["feature_statistics"] = feature_statistics(distinct)
        return results

    def evaluate_predictions(
        self,
        predicted: ArrayLike,
        measured: ArrayLike,
        groups: ArrayLike | None = None,
        types: ArrayLike | None = None,
    ) -> dict[str, Any]:
        """Evaluate predictions that are there already.

        Args:
            predicted, measured: SSIM, ``(n,)`` or ``(n, 1)``, one row or more.
            groups: ``(n,)``, the logo of each row, so that intervals draw whole logos; None
                where every row is another one.
            types: ``(n,)``, a name for each row, such as the type of its logo.

        Returns:
            ``n``, ``mse``, ``rmse``, ``mae``, ``r2``, ``pearson``, ``pearson_p``, ``spearman``,
            ``spearman_p``, ``within_0.05``, ``within_0.10``, ``bias``, ``median``, ``skewness``,
            ``kurtosis``; ``intervals`` (95%, by name), ``clustered`` (whether they draw logos),
            ``bands`` and ``types`` (by name, the same figures), ``residuals`` (quantiles),
            ``outliers`` (``n`` and the largest as ``rows``), ``predictions`` and ``targets``.

        Raises:
            DatasetError: the arrays differ in length, are empty, or hold what is not finite.
        """
        p, y = (np.asarray(values, float).reshape(-1) for values in (predicted, measured))
        checked_pair(y, p)
        if not len(y):
            raise DatasetError("predictions to evaluate must be one or more, got none")
        kinds = None if types is None else np.asarray(types).astype(str)
        logos = np.arange(len(y)) if groups is None else np.asarray(groups)
        for name, values in (("groups", logos), ("types", kinds)):
            if values is not None and len(values) != len(y):
                raise DatasetError(f"{name} must be one a row, got {len(values)} for {len(y)}")
        masks = {} if kinds is None else {name: kinds == name for name in sorted(set(kinds))}
        figures = _figures(y, p)
        residual = p - y
        return figures | {
            "intervals": cluster_bootstrap(y, p, logos),
            "clustered": groups is not None,
            "bands": _by_mask(y, p, quality_band_masks(y)),
            "types": _by_mask(y, p, masks),
            "residuals": {
                f"{share:.0%}": float(np.quantile(residual, share)) for share in _QUANTILES
            },
            "outliers": _outliers(residual, figures),
            "predictions": p,
            "targets": y,
        }

    def generate_evaluation_report(
        self, results: Mapping[str, Any], output_dir: Path | str
    ) -> dict[str, Path]:
        """Write results as a page and as JSON.

        Args:
            results: of `evaluate_model` or `evaluate_predictions`.
            output_dir: made where it does not exist.

        Returns:
            ``html_report`` and ``metrics``: the paths.
        """
        name = "predictions" if self.model is None else type(self.model).__name__
        return write_evaluator_page(results, name, Path(output_dir))


def _figures(measured: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    p_values = correlation_p_values(measured, predicted)
    return (
        score(measured, predicted)
        | residual_figures(measured, predicted)
        | {f"{name}_p": value for name, value in p_values.items()}
    )


def _by_mask(
    measured: np.ndarray, predicted: np.ndarray, masks: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    return {name: _figures(measured[mask], predicted[mask]) for name, mask in masks.items()}


def _outliers(residual: np.ndarray, figures: Mapping[str, Any]) -> dict[str, Any]:
    found = np.flatnonzero(outliers(residual))
    worst = found[np.argsort(-np.abs(residual[found]), kind="stable")][:_N_OUTLIERS]
    return {"n": figures["outliers"], "rows": worst.tolist()}


def _inputs_and_target(batch: Any) -> tuple[Tensor, ...]:
    """The model's inputs, then the measured SSIM."""
    if hasattr(batch, "tabular") and hasattr(batch, "ssim"):  # Batch: log bytes come after it
        return batch.features, batch.tabular, batch.ssim
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise DatasetError(
            f"a batch must be the model's inputs and the measured SSIM, got {type(batch).__name__}"
        )
    return tuple(batch)


def _features_of(said: Any, first: Tensor) -> list[np.ndarray]:
    """The distinct features of a batch as one array, or nothing where there are none."""
    beside = said[1] if type(said) in (tuple, list) and len(said) > 1 else first
    if getattr(beside, "ndim", 0) != 2:
        return []
    return [np.unique(beside.cpu().numpy(), axis=0)]


def _ssim_of(said: Any, n: int) -> Tensor:
    """The SSIM in what a model gave, ``(n,)``."""
    if isinstance(said, tuple | list):  # a Prediction too
        said = said[0]
    if not hasattr(said, "numel") or said.numel() != n:
        shape = tuple(getattr(said, "shape", ()))
        raise ModelError(f"a model to evaluate must give one SSIM a row, got {shape} for {n} rows")
    flat: Tensor = said.reshape(-1)
    return flat
