"""What gradient boosting would lose without an input: shuffle it and measure again.

Permutation importance (Breiman 2001, doi:10.1023/A:1010933404324), on rows the trees have not
seen. Inputs that say the same stand in for each other, so each alone looks unimportant: hence
also whole blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from svg_quality.errors import FeatureError
from svg_quality.features.boosting import Predict


@dataclass(frozen=True, slots=True)
class Importance:
    """Of one input, or of a block of them."""

    name: str
    error_rise: float  # of the mean absolute error, in the target's unit, mean over shufflings
    error_rise_sd: float  # over the shufflings
    r2_loss: float  # mean over the shufflings


@dataclass(frozen=True, slots=True)
class Importances:
    """Of all inputs of one model, and what it reaches with all of them in place."""

    mae: float
    r2: float
    found: tuple[Importance, ...]  # the largest rise of the error first


def permutation_importance(
    predict: Predict,
    inputs: np.ndarray,
    target: np.ndarray,
    columns: Mapping[str, Sequence[int]],
    n_repeats: int,
    seed: int,
) -> Importances:
    """How much worse predictions get when columns are shuffled over the rows.

    Args:
        predict: of rows ``(m, d)``; gives ``(m,)``.
        inputs: ``(n, d)``, rows that were not fitted on, of pictures that were not either.
        target: ``(n,)``.
        columns: by name, those that are shuffled together, in the same order.
        n_repeats: shufflings of each.
        seed: of the shufflings.

    Raises:
        FeatureError: there are fewer than two rows, or the target never varies.
    """
    if len(inputs) < 2 or not np.ptp(target) > 0:
        raise FeatureError(f"importance needs rows with different targets, got {len(inputs)}")
    rng = np.random.default_rng(seed)
    mae, r2 = _figures(predict(inputs), target)
    found = []
    for name, places in columns.items():
        worse = []
        for _ in range(n_repeats):
            shuffled = inputs.copy()
            shuffled[:, list(places)] = inputs[rng.permutation(len(inputs))][:, list(places)]
            worse.append(_figures(predict(shuffled), target))
        errors, shares = np.array(worse).T
        found.append(
            Importance(
                name, float(errors.mean()) - mae, float(errors.std()), r2 - float(shares.mean())
            )
        )
    found.sort(key=lambda each: -each.error_rise)
    return Importances(mae, r2, tuple(found))


def _figures(said: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Mean absolute error and R2."""
    errors = target - said
    return float(np.abs(errors).mean()), 1 - float(np.square(errors).mean() / target.var())
