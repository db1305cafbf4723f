"""One pass through the training rows: forward, backward, clip and step.

It stops at the first number that is not finite.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from svg_quality.training.session import TrainingSession

if TYPE_CHECKING:
    from svg_quality.training.monitoring.monitor import TrainingMonitor
    from svg_quality.training.trainer import Loader, TrainingConfig


class NotFiniteError(Exception):
    """What was computed is of no use, and neither may the weights be."""


class StepClock:
    """Seconds of the parts of a step, which may be several batches."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, part: str) -> None:
        """What was done since the last lap was this part."""
        now = perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def next_step(self) -> None:
        """Begin to count anew."""
        self.seconds = {}


def train_epoch(
    session: TrainingSession,
    loader: Loader,
    epoch: int,
    config: TrainingConfig,
    monitor: TrainingMonitor | None,
) -> float:
    """Go through the training rows once; gives their mean loss.

    Gradients of ``config.accumulation`` batches are averaged to one step; the last step of an
    epoch may have fewer.

    Raises:
        NotFiniteError: a loss or the norm of a gradient.
    """
    session.model.train()
    session.loss.train()
    session.optimizer.zero_grad(set_to_none=True)
    n_batches, total, rows, clock = len(loader), 0.0, 0, StepClock()
    for index, batch in enumerate(loader):
        clock.lap("data")
        progress = min((epoch - 1 + index / n_batches) / config.epochs, 1.0)
        said = session.model.members(batch.features, batch.tabular)
        loss = session.loss(said, batch.ssim, batch.log_bytes, progress)
        value = loss.item()
        clock.lap("forward")
        if not math.isfinite(value):
            _tell(monitor, session, clock, value, math.nan)
            raise NotFiniteError(f"the loss must be finite, got {value} in epoch {epoch}")
        first = index // config.accumulation * config.accumulation
        (loss / min(config.accumulation, n_batches - first)).backward()
        clock.lap("backward")
        total += value * len(batch.ssim)
        rows += len(batch.ssim)
        if index + 1 in (first + config.accumulation, n_batches):
            norm = _step(session, config.gradient_norm)
            clock.lap("optimizer")
            _tell(monitor, session, clock, value, norm)
            if not math.isfinite(norm):
                raise NotFiniteError(
                    f"the gradient must be finite, its norm is {norm} in epoch {epoch}"
                )
            clock.next_step()
    return total / rows


def _step(session: TrainingSession, longest: float) -> float:
    """Clip and step; gives the norm before. A gradient that is not finite moves nothing."""
    optimizer = session.optimizer
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, longest))
    session.n_steps += 1
    if math.isfinite(norm):
        optimizer.step()
        session.schedule.after_step()
    optimizer.zero_grad(set_to_none=True)
    return norm


def _tell(
    monitor: TrainingMonitor | None,
    session: TrainingSession,
    clock: StepClock,
    loss: float,
    norm: float,
) -> None:
    if monitor is not None:
        monitor.record_step(session.n_steps, clock.seconds, loss, norm)
