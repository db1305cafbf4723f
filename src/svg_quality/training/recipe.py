"""A recipe and what it makes of rows: the one way in which a head is fitted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.training.data import RowLoader, build_head
from svg_quality.training.rows import Rows
from svg_quality.training.trainer import OnEpoch, QualityModelTrainer, TrainingConfig

if TYPE_CHECKING:
    from svg_quality.training.monitoring.monitor import TrainingMonitor

_MEASURED_AT_ONCE: Final = 1024  # validation rows: a ranking loss looks at all pairs of them


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training, but for the rows."""

    head: HeadConfig = field(default_factory=HeadConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    batch_size: int = 256
    n_bins: int = 8  # of the piecewise-linear encoding, at most


def fit_head(
    train: Rows,
    validation: Rows,
    recipe: Recipe,
    *,
    checkpoint_dir: Path | None = None,
    on_epoch: OnEpoch | None = None,
    monitor: TrainingMonitor | None = None,
    resume: bool = False,
) -> tuple[QualityHead, dict[str, Any]]:
    """Fit a head; gives it with its best epoch's weights, and what `QualityModelTrainer` says.

    Args:
        train, validation: rows; scaling and weights come from the first alone.
        recipe: to follow.
        checkpoint_dir: for checkpoints and for the state to resume from.
        on_epoch: called with the epoch from 1 and its metrics; what it raises ends the training.
        monitor: told of each step and epoch.
        resume: go on with what was cut short in ``checkpoint_dir``.

    Raises:
        ModelError: the loss is not finite, again and again, or what was cut short followed
            another recipe or read other rows.
    """
    torch.manual_seed(recipe.training.seed)
    head = build_head(train, recipe.head, recipe.n_bins)
    trainer = QualityModelTrainer(head, recipe.training, checkpoint_dir, on_epoch, monitor)
    said = trainer.train(
        RowLoader(train, recipe.batch_size, shuffle=True, seed=recipe.training.seed),
        RowLoader(validation, _MEASURED_AT_ONCE),
        resume=resume,
        identity=identity(train, validation, recipe) if checkpoint_dir is not None else "",
    )
    return head, said


def identity(train: Rows, validation: Rows, recipe: Recipe) -> str:
    """SHA-256 of all that decides the weights."""
    followed = json.dumps(asdict(recipe), sort_keys=True)
    parts = [followed, train.digest(), validation.digest(), torch.__version__]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
