"""All that changes while a head is fitted: what a resumed training must have again."""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.optim import Optimizer

from svg_quality.errors import ModelError
from svg_quality.model.losses import TrainingLoss
from svg_quality.model.quality_head import QualityHead
from svg_quality.training.resume import snapshot
from svg_quality.training.schedules import RateSchedule


@runtime_checkable
class Ordered(Protocol):
    """A loader whose coming orders can be kept; of another, torch's own generator decides."""

    def state_dict(self) -> dict[str, Tensor]:
        """From what the next order follows."""
        ...

    def load_state_dict(self, state: dict[str, Tensor], /) -> None:
        """Give the orders that followed the state."""
        ...


class TrainingSession:
    """The weights, what moves them, the best of them, and how far the training has come.

    Args:
        model: that is fitted.
        loss: whose weights may be learnt beside it.
        optimizer: of both.
        schedule: of the optimizer's rate.
        loader: of the training rows.
    """

    def __init__(
        self,
        model: QualityHead,
        loss: TrainingLoss,
        optimizer: Optimizer,
        schedule: RateSchedule,
        loader: object,
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.schedule, self.loader = schedule, loader
        self.history: list[dict[str, float]] = []
        self.best_loss, self.best_epoch = math.inf, 0
        self.best = snapshot(model.state_dict())
        self.n_steps = 0  # of the optimizer
        self.n_rollbacks = 0
        self._good = self._moving()

    def end_epoch(self, metrics: dict[str, float]) -> bool:
        """Keep an epoch that went well; gives whether it is the best so far."""
        self.history.append(metrics)
        self.schedule.after_epoch(metrics["val_loss"])
        is_best = metrics["val_loss"] < self.best_loss
        if is_best:
            self.best_loss, self.best_epoch = metrics["val_loss"], len(self.history)
            self.best = snapshot(self.model.state_dict())
        self._good = self._moving()
        return is_best

    def roll_back(self) -> None:
        """To the end of the last good epoch, with half the rate; orders and chance go on."""
        self._set(self._good)
        self.schedule.halve()
        self.n_rollbacks += 1
        self._good = self._moving()

    def state_dict(self, identity: str) -> dict[str, Any]:
        """The state at the end of the last good epoch, for `resume.save_state`."""
        return {
            "identity": identity,
            "history": self.history,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "best": self.best,
            "n_rollbacks": self.n_rollbacks,
            "random": torch.get_rng_state(),
            "loader": self.loader.state_dict() if isinstance(self.loader, Ordered) else {},
            **self._good,
        }

    def load_state_dict(self, state: dict[str, Any], identity: str) -> None:
        """Go on where `state_dict` was made.

        Raises:
            ModelError: the state is of another recipe or of other rows.
        """
        if state["identity"] != identity:
            raise ModelError(
                "a training must go on with the recipe and rows it began with, and its state is of"
                f" others ({state['identity'][:12]}, not {identity[:12]}): start it anew"
            )
        self.history, self.best = state["history"], state["best"]
        self.best_loss, self.best_epoch = state["best_loss"], state["best_epoch"]
        self.n_rollbacks = state["n_rollbacks"]
        moments = state["optimizer"]["state"]  # JSON has no numbers for keys
        state["optimizer"]["state"] = {int(place): value for place, value in moments.items()}
        self._set(state)
        self._good = self._moving()
        torch.set_rng_state(state["random"])
        if isinstance(self.loader, Ordered):
            self.loader.load_state_dict(state["loader"])

    def _moving(self) -> dict[str, Any]:
        return snapshot(
            {
                "model": self.model.state_dict(),
                "loss": self.loss.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "n_steps": self.n_steps,
            }
        )

    def _set(self, state: dict[str, Any]) -> None:
        state = snapshot(state)
        self.model.load_state_dict(state["model"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.n_steps = state["n_steps"]
