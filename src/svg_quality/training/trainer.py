"""Fitting a `QualityHead`: AdamW on a one-cycle schedule, early stopping, the best epoch kept.

Knows nothing of MLflow or of progress bars: what happens goes out through ``on_epoch`` and the
returned values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import torch
from torch.optim.lr_scheduler import OneCycleLR

from svg_quality.errors import ModelError, SettingsError
from svg_quality.model.checkpoint import save_checkpoint
from svg_quality.model.losses import LossConfig, member_loss
from svg_quality.model.mlp import Prediction, QualityHead
from svg_quality.training.data import Batch

OnEpoch = Callable[[int, dict[str, float]], None]


class Loader(Protocol):
    """Batches that can be gone through again and again."""

    def __iter__(self) -> Any: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to fit; the architecture is in `HeadConfig`."""

    epochs: int = 24
    learning_rate: float = 1e-2  # the highest of the cycle
    weight_decay: float = 0.1
    bottleneck_weight_decay: float = 0.3
    warm_up_share: float = 0.15  # of all steps
    gradient_norm: float = 1.0  # longer gradients are shortened to it
    patience: int = 10  # epochs without a better validation loss
    seed: int = 0
    loss: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        if min(self.epochs, self.patience) < 1:
            raise SettingsError(f"epochs and patience must be at least 1, got {self}")
        if not 0 < self.learning_rate < math.inf:
            raise SettingsError(f"learning_rate must be positive, got {self.learning_rate}")


class QualityModelTrainer:
    """Fits a head; the head it is given holds the best epoch's weights afterwards.

    Args:
        model: with its scaling set.
        config: how to fit.
        checkpoint_dir: where to write ``last`` and ``best`` checkpoints, if anywhere.
        on_epoch: called with the epoch from 1 and its metrics.
    """

    def __init__(
        self,
        model: QualityHead,
        config: TrainingConfig,
        checkpoint_dir: Path | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> None:
        self.model, self.config = model, config
        self.checkpoint_dir, self.on_epoch = checkpoint_dir, on_epoch

    def train(self, train_loader: Loader, val_loader: Loader) -> dict[str, Any]:
        """Fit until the epochs end or the validation loss stops falling.

        Returns:
            ``training_time`` (s), ``epochs_completed``, ``best_epoch``, ``best_val_loss``,
            ``final_train_metrics`` and ``final_val_metrics`` (of the best epoch's weights) and
            ``training_history`` (one mapping per epoch).

        Raises:
            ModelError: the loss is not finite.
        """
        torch.manual_seed(self.config.seed)
        start, config = perf_counter(), self.config
        optimizer = self._optimizer()
        schedule = OneCycleLR(
            optimizer,
            config.learning_rate,
            total_steps=config.epochs * len(train_loader),
            pct_start=config.warm_up_share,
        )
        history: list[dict[str, float]] = []
        best, best_epoch, best_state = math.inf, 0, self._state()
        for epoch in range(1, config.epochs + 1):
            metrics: dict[str, float] = {
                "train_loss": self._one_epoch(train_loader, optimizer, schedule, epoch)
            }
            metrics |= {f"val_{name}": value for name, value in self.measure(val_loader).items()}
            metrics["learning_rate"] = float(schedule.get_last_lr()[0])
            metrics["elapsed"] = perf_counter() - start
            history.append(metrics)
            if metrics["val_loss"] < best:
                best, best_epoch, best_state = metrics["val_loss"], epoch, self._state()
                self._write("best", metrics)
            self._write("last", metrics)
            if self.on_epoch:
                self.on_epoch(epoch, metrics)
            if epoch - best_epoch >= config.patience:
                break
        self.model.load_state_dict(best_state)
        return {
            "training_time": perf_counter() - start,
            "epochs_completed": len(history),
            "best_epoch": best_epoch,
            "best_val_loss": best,
            "final_train_metrics": self.measure(train_loader),
            "final_val_metrics": self.measure(val_loader),
            "training_history": history,
        }

    def measure(self, loader: Loader) -> dict[str, float]:
        """Loss and errors of the model as it is: ``loss``, ``ssim_mae``, ``ssim_r2``, ...

        Raises:
            ModelError: the loss is not finite.
        """
        self.model.eval()
        total, rows = 0.0, 0
        said: list[np.ndarray] = []
        measured: list[np.ndarray] = []
        with torch.no_grad():
            for batch in loader:
                members = self.model.members(batch.features, batch.tabular)
                loss = member_loss(members, batch.ssim, batch.log_bytes, self.config.loss)
                total += loss.item() * len(batch.ssim)
                rows += len(batch.ssim)
                said.append(torch.stack([members.ssim.mean(1), members.log_bytes.mean(1)]).numpy())
                measured.append(torch.stack([batch.ssim, batch.log_bytes]).numpy())
        if not math.isfinite(total):
            raise ModelError("the validation loss must be finite; lower the learning rate")
        y, p = np.concatenate(measured, 1), np.concatenate(said, 1)
        metrics = {"loss": total / rows}
        for name, actual, guess in zip(("ssim", "log_bytes"), y, p, strict=True):
            metrics[f"{name}_mae"] = float(np.abs(actual - guess).mean())
            variance = float(actual.var())
            if variance > 0:
                metrics[f"{name}_r2"] = 1 - float(np.square(actual - guess).mean()) / variance
        return metrics

    def _one_epoch(
        self, loader: Loader, optimizer: torch.optim.Optimizer, schedule: OneCycleLR, epoch: int
    ) -> float:
        self.model.train()
        total, rows = 0.0, 0
        for step, batch in enumerate(loader):
            said = self.model.members(batch.features, batch.tabular)
            loss = member_loss(said, batch.ssim, batch.log_bytes, self.config.loss)
            value = loss.item()
            if not math.isfinite(value):
                raise ModelError(f"the loss must be finite, got {value} in epoch {epoch}, {step=}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_norm)
            optimizer.step()
            schedule.step()
            total += value * len(batch.ssim)
            rows += len(batch.ssim)
        return total / rows

    def _optimizer(self) -> torch.optim.AdamW:
        """Weight decay on matrices only, and more of it on the bottleneck."""
        decayed, narrow, free = [], [], []
        for name, parameter in self.model.named_parameters():
            if name == "bottleneck.weight":
                narrow.append(parameter)
            elif parameter.ndim > 1:
                decayed.append(parameter)
            else:
                free.append(parameter)
        return torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": self.config.weight_decay},
                {"params": narrow, "weight_decay": self.config.bottleneck_weight_decay},
                {"params": free, "weight_decay": 0.0},
            ],
            lr=self.config.learning_rate,
        )

    def _state(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def _write(self, name: str, metrics: dict[str, float]) -> None:
        if self.checkpoint_dir is not None:
            save_checkpoint(self.model, self.checkpoint_dir / name, metrics)


def predict_rows(model: QualityHead, batches: Iterable[Batch]) -> Prediction:
    """The model's prediction for each row, in order; tensors ``(n,)`` without gradients."""
    model.eval()
    with torch.no_grad():
        parts = [model(batch.features, batch.tabular) for batch in batches]
    return Prediction(*(torch.cat(column) for column in zip(*parts, strict=True)))
