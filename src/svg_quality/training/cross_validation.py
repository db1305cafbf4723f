"""Cross-validation by logo: every row is predicted by a head that never saw a logo like it.

The folds are the release's own (`dataset.splits.folds`). The head that predicts a fold is fitted
to the others; one group in `VALIDATION_PART` of these is kept back to stop it in time, so that
the fold itself has no part in the training. Rows in no fold (synthetic ones) are always trained
on; the test split is never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from svg_quality.errors import DatasetError
from svg_quality.training.recipe import Recipe, fit_head
from svg_quality.training.rows import Rows
from svg_quality.training.trainer import OnEpoch, predict_rows

VALIDATION_PART: Final = 8  # one group in so many stops the training


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Which rows do what while one fold is predicted; int64 indices, without a common group."""

    number: int
    train: np.ndarray
    validation: np.ndarray  # for early stopping
    held: np.ndarray  # to be predicted


@dataclass(frozen=True, slots=True, eq=False)
class FoldPrediction:
    """What a head says of the rows it was kept from; arrays ``(len(fold.held),)``."""

    fold: Fold
    ssim: np.ndarray
    ssim_spread: np.ndarray
    log_bytes: np.ndarray
    fitted: dict[str, Any]  # what `fit_head` says


def plan_folds(
    fold_of_row: np.ndarray, groups: np.ndarray, n_folds: int = 0, seed: int = 0
) -> list[Fold]:
    """The folds of a release, in order.

    Args:
        fold_of_row: int ``(n,)``: 0, 1, ...; below 0 for rows that are always trained on. Rows
            of the test split must not be among them.
        groups: ``(n,)``, the logo (with its near-duplicates) of each row.
        n_folds: how many to plan, from the first on; 0 for all.
        seed: of the groups that stop a training.

    Raises:
        DatasetError: a group is in two folds, there are fewer than two folds or than asked, or
            what a fold leaves cannot be trained on.
    """
    numbers = sorted(set(fold_of_row[fold_of_row >= 0].tolist()))
    if len(numbers) < 2:
        raise DatasetError(f"cross-validation needs two or more folds, got {len(numbers)}")
    if n_folds > len(numbers):
        raise DatasetError(f"n_folds must be at most the release's {len(numbers)}, got {n_folds}")
    names, group = np.unique(groups, return_inverse=True)
    lowest, highest = (np.full(len(names), start) for start in (max(numbers), min(fold_of_row)))
    np.minimum.at(lowest, group, fold_of_row)
    np.maximum.at(highest, group, fold_of_row)
    if (torn := names[lowest != highest]).size:
        raise DatasetError(f"a group must be in one fold, {torn[0]} is in several")
    return [
        _fold(number, fold_of_row, group, seed) for number in numbers[: n_folds or len(numbers)]
    ]


def cross_validate(
    rows: Rows,
    folds: Sequence[Fold],
    recipe: Recipe,
    on_epoch: Callable[[Fold], OnEpoch] | None = None,
) -> Iterator[FoldPrediction]:
    """Fit a head for each fold and predict it, one after the other.

    Args:
        rows: what the folds' indices point into.
        folds: of `plan_folds`.
        recipe: of every head.
        on_epoch: gives, for each fold, what is called after its epochs.

    Raises:
        ModelError: a loss is not finite.
    """
    for fold in folds:
        head, fitted = fit_head(
            rows.take(fold.train),
            rows.take(fold.validation),
            recipe,
            on_epoch=on_epoch(fold) if on_epoch else None,
        )
        said = predict_rows(head, rows.take(fold.held))
        yield FoldPrediction(
            fold=fold,
            ssim=said.ssim.numpy(),
            ssim_spread=said.ssim_spread.numpy(),
            log_bytes=said.log_bytes.numpy(),
            fitted=fitted,
        )


def _fold(number: int, fold_of_row: np.ndarray, group: np.ndarray, seed: int) -> Fold:
    held = fold_of_row == number
    others = np.unique(group[(fold_of_row >= 0) & ~held])
    n_stopping = max(1, len(others) // VALIDATION_PART)
    stopping = np.random.default_rng([seed, number]).choice(others, n_stopping, replace=False)
    validation = np.isin(group, stopping)
    if (held | validation).all():
        raise DatasetError(
            f"a fold must leave two or more logos to learn from, fold {number} leaves {len(others)}"
        )
    return Fold(
        number,
        train=np.flatnonzero(~held & ~validation),
        validation=np.flatnonzero(validation),
        held=np.flatnonzero(held),
    )
