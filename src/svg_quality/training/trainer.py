"""Fitting a `QualityHead`: steps, epochs, early stopping, the best epoch kept.

Knows nothing of MLflow or of progress bars: what happens goes out through ``on_epoch``, the
monitor and the returned values. It is a plain loop because Lightning has neither our exact
resume nor the way back from a loss that is not finite: both would be as long as callbacks.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import torch

from svg_quality.errors import ModelError, SettingsError
from svg_quality.model.checkpoint import save_checkpoint
from svg_quality.model.losses import LossConfig, TrainingLoss
from svg_quality.model.quality_head import Prediction, QualityHead
from svg_quality.training.data import RowLoader
from svg_quality.training.optimizer import Algorithm, build_optimizer
from svg_quality.training.resume import STATE, load_state, save_state
from svg_quality.training.rows import Rows
from svg_quality.training.schedules import RateSchedule, Schedule
from svg_quality.training.session import TrainingSession
from svg_quality.training.steps import NotFiniteError, train_epoch

if TYPE_CHECKING:
    from svg_quality.training.monitoring.monitor import TrainingMonitor

OnEpoch = Callable[[int, dict[str, float]], None]
MAX_ROLLBACKS: Final = 3
_PREDICTED_AT_ONCE: Final = 4096  # rows

_log = logging.getLogger(__name__)


class Loader(Protocol):
    """Batches that can be gone through again and again."""

    def __iter__(self) -> Any: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to fit; the architecture is in `HeadConfig`."""

    epochs: int = 40
    learning_rate: float = 1e-2  # the highest of the schedule
    weight_decay: float = 0.1
    bottleneck_weight_decay: float = 0.3
    warm_up_share: float = 0.15  # of all steps, in a one-cycle schedule
    gradient_norm: float = 1.0  # longer gradients are shortened to it
    patience: int = 10  # epochs without a better validation loss
    seed: int = 0
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: Algorithm = "adamw"
    schedule: Schedule = "one-cycle"
    accumulation: int = 1  # batches whose gradients make one step
    checkpoint_every: int = 10  # epochs, beside the best
    n_threads: int = 1  # of torch: steps are short, and threads wait for each other (LOG.md)

    def __post_init__(self) -> None:
        counts = ("epochs", "patience", "accumulation", "checkpoint_every", "n_threads")
        for name in counts:
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "gradient_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise SettingsError(f"{name} must be positive, got {getattr(self, name)}")


class QualityModelTrainer:
    """Fits a head; the head it is given holds the best epoch's weights afterwards.

    Args:
        model: with its scaling set.
        config: how to fit.
        checkpoint_dir: where to write the checkpoints ``best`` and ``epoch-0010``, ..., and the
            state to resume from, if anywhere.
        on_epoch: called with the epoch from 1 and its metrics. What it raises ends the training.
        monitor: told of each step and epoch, and of what went wrong.
    """

    def __init__(
        self,
        model: QualityHead,
        config: TrainingConfig,
        checkpoint_dir: Path | None = None,
        on_epoch: OnEpoch | None = None,
        monitor: TrainingMonitor | None = None,
    ) -> None:
        self.model, self.config = model, config
        self.checkpoint_dir, self.on_epoch, self.monitor = checkpoint_dir, on_epoch, monitor
        self.loss = TrainingLoss(config.loss)

    def train(
        self, train_loader: Loader, val_loader: Loader, *, resume: bool = False, identity: str = ""
    ) -> dict[str, Any]:
        """Fit until the epochs end or the validation loss stops falling.

        However it ends, the model holds the weights of the best epoch so far, and torch has its
        number of threads again. With ``resume``, a training that was killed in the same
        ``checkpoint_dir`` goes on after its last whole epoch, and ends with the same weights,
        bit for bit (on a CPU, with the same number of threads), as if it had not been.

        Args:
            train_loader: of the training rows.
            val_loader: of the validation rows.
            resume: whether to go on; where there is no state, it begins.
            identity: digest of what must be the same for that: the recipe and the rows.

        Returns:
            ``training_time`` (s), ``epochs_completed``, ``best_epoch``, ``best_val_loss``,
            ``final_train_metrics`` and ``final_val_metrics`` (of the best epoch's weights) and
            ``training_history`` (one mapping per epoch).

        Raises:
            ModelError: a loss or gradient was not finite once more after three returns to the
                last good epoch, or the state is damaged or of another identity.
        """
        config = self.config
        torch.manual_seed(config.seed)
        session = self._session(train_loader, resume, identity)
        start = perf_counter() - (session.history[-1]["elapsed"] if session.history else 0.0)
        with _threads(config.n_threads):
            with _ending_with_the_best(session):
                while not self._is_over(session):
                    try:
                        metrics = self._one_epoch(session, train_loader, val_loader)
                    except NotFiniteError as error:
                        self._roll_back(session, str(error))
                        continue
                    metrics["elapsed"] = perf_counter() - start
                    self._keep_epoch(session, metrics, identity)
            final_train, final_val = self.measure(train_loader), self.measure(val_loader)
        return {
            "training_time": perf_counter() - start,
            "epochs_completed": len(session.history),
            "best_epoch": session.best_epoch,
            "best_val_loss": session.best_loss,
            "final_train_metrics": final_train,
            "final_val_metrics": final_val,
            "training_history": session.history,
        }

    def measure(self, loader: Loader) -> dict[str, float]:
        """Loss and errors of the model as it is: ``loss``, ``ssim_mae``, ``ssim_r2``, ..."""
        self.model.eval()
        self.loss.eval()
        total, rows = 0.0, 0
        said: list[np.ndarray] = []
        measured: list[np.ndarray] = []
        with torch.no_grad():
            for batch in loader:
                members = self.model.members(batch.features, batch.tabular)
                total += self.loss(members, batch.ssim, batch.log_bytes).item() * len(batch.ssim)
                rows += len(batch.ssim)
                said.append(torch.stack([members.ssim.mean(1), members.log_bytes.mean(1)]).numpy())
                measured.append(torch.stack([batch.ssim, batch.log_bytes]).numpy())
        y, p = np.concatenate(measured, 1), np.concatenate(said, 1)
        metrics = {"loss": total / rows}
        for name, actual, guess in zip(("ssim", "log_bytes"), y, p, strict=True):
            metrics[f"{name}_mae"] = float(np.abs(actual - guess).mean())
            variance = float(actual.var())
            if variance > 0:
                metrics[f"{name}_r2"] = 1 - float(np.square(actual - guess).mean()) / variance
        return metrics

    def _is_over(self, session: TrainingSession) -> bool:
        done = len(session.history)
        return done >= self.config.epochs or done - session.best_epoch >= self.config.patience

    def _session(self, loader: Loader, resume: bool, identity: str) -> TrainingSession:
        config, model = self.config, self.model
        optimizer = build_optimizer(
            config.optimizer, model, self.loss, config.learning_rate, config.weight_decay,
            config.bottleneck_weight_decay,
        )  # fmt: skip
        n_steps = math.ceil(len(loader) / config.accumulation)
        schedule = RateSchedule(
            optimizer, config.schedule, config.epochs, n_steps, config.warm_up_share
        )
        session = TrainingSession(model, self.loss, optimizer, schedule, loader)
        if resume and self.checkpoint_dir is not None:
            state = load_state(self.checkpoint_dir / STATE)
            if state is not None:
                session.load_state_dict(state, identity)
        return session

    def _one_epoch(
        self, session: TrainingSession, train_loader: Loader, val_loader: Loader
    ) -> dict[str, float]:
        """Metrics of one more epoch. Raises NotFiniteError."""
        epoch = len(session.history) + 1
        train_loss = train_epoch(session, train_loader, epoch, self.config, self.monitor)
        metrics = {"train_loss": train_loss}
        metrics |= {f"val_{name}": value for name, value in self.measure(val_loader).items()}
        if not math.isfinite(metrics["val_loss"]):
            raise NotFiniteError(
                f"the validation loss must be finite, got {metrics['val_loss']} in epoch {epoch}"
            )
        return {**metrics, "learning_rate": session.schedule.rate}

    def _keep_epoch(
        self, session: TrainingSession, metrics: dict[str, float], identity: str
    ) -> None:
        """The state is on disk before anybody is told of the epoch."""
        is_best, epoch = session.end_epoch(metrics), len(session.history)
        if self.checkpoint_dir is not None:
            names = ["best"] if is_best else []
            names += [f"epoch-{epoch:04}"] if epoch % self.config.checkpoint_every == 0 else []
            for name in names:
                save_checkpoint(self.model, self.checkpoint_dir / name, metrics)
            save_state(self.checkpoint_dir / STATE, session.state_dict(identity))
        if self.monitor is not None:
            self.monitor.record_epoch(epoch, metrics)
        if self.on_epoch is not None:
            self.on_epoch(epoch, metrics)

    def _roll_back(self, session: TrainingSession, fact: str) -> None:
        if session.n_rollbacks == MAX_ROLLBACKS:
            raise ModelError(
                f"{fact}, after the learning rate was halved {MAX_ROLLBACKS} times; give a lower"
                " one, or look for inputs out of range"
            )
        session.roll_back()
        text = (
            f"{fact}: back to the end of epoch {len(session.history)}, and half the learning rate"
            f" ({session.n_rollbacks} of at most {MAX_ROLLBACKS} times)"
        )
        if self.monitor is not None:
            self.monitor.note("rollback", text)  # which also warns
        else:
            _log.warning(text)


@contextmanager
def _ending_with_the_best(session: TrainingSession) -> Iterator[None]:
    try:
        yield
    finally:
        session.model.load_state_dict(session.best)
        session.model.eval()


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def predict_rows(model: QualityHead, rows: Rows) -> Prediction:
    """The model's prediction for each row, in order; tensors ``(n,)`` without gradients."""
    model.eval()
    batches = RowLoader(rows, _PREDICTED_AT_ONCE)
    with torch.no_grad():
        parts = [model(batch.features, batch.tabular) for batch in batches]
    return Prediction(*(torch.cat(column) for column in zip(*parts, strict=True)))
