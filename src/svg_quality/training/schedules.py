"""How the learning rate goes through a training: torch's schedulers behind one door."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from svg_quality.errors import SettingsError

Schedule = Literal["one-cycle", "cosine", "plateau", "step", "constant"]

_RATES: Final = ("lr", "initial_lr", "max_lr", "min_lr")  # of a parameter group


class RateSchedule:
    """Sets the learning rate of an optimizer, after each step or after each epoch.

    =========  ==========================================================================
    one-cycle  up to the rate and down again by cosines, in steps [1]_
    cosine     from the rate down to 0 by a cosine, in steps
    step       a tenth after each third of the epochs
    plateau    half, once the validation loss has not fallen for ``patience`` epochs
    constant   the rate
    =========  ==========================================================================

    Args:
        optimizer: whose rate is the highest.
        kind: one of these.
        n_epochs: of the training, at most.
        n_steps: per epoch.
        warm_up_share: of the steps of the cycle that go up.
        patience: epochs, of the plateau.

    Raises:
        SettingsError: there is no such kind.

    References:
        .. [1] Smith, Topin (2018), Super-convergence, arXiv:1708.07120
    """

    def __init__(
        self,
        optimizer: Optimizer,
        kind: Schedule,
        n_epochs: int,
        n_steps: int,
        warm_up_share: float,
        patience: int = 2,
    ) -> None:
        if kind not in get_args(Schedule):
            raise SettingsError(f"schedule must be one of {get_args(Schedule)}, got {kind!r}")
        self.optimizer = optimizer
        self._by_step = kind in ("one-cycle", "cosine")
        self._scheduler: LRScheduler | ReduceLROnPlateau
        match kind:
            case "one-cycle":
                self._scheduler = OneCycleLR(
                    optimizer, self.rate, total_steps=n_epochs * n_steps, pct_start=warm_up_share
                )
            case "cosine":
                self._scheduler = CosineAnnealingLR(optimizer, n_epochs * n_steps)
            case "step":
                self._scheduler = StepLR(optimizer, max(n_epochs // 3, 1))
            case "plateau":
                self._scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=patience)
            case "constant":
                self._scheduler = ConstantLR(optimizer, factor=1.0, total_iters=0)

    @property
    def rate(self) -> float:
        """Of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def after_step(self) -> None:
        """The optimizer has made a step."""
        if self._by_step:
            self._scheduler.step()  # type: ignore[call-arg]

    def after_epoch(self, validation_loss: float) -> None:
        """An epoch has ended."""
        if isinstance(self._scheduler, ReduceLROnPlateau):
            self._scheduler.step(validation_loss)
        elif not self._by_step:
            self._scheduler.step()

    def halve(self) -> None:
        """Half of the rate from here on, whatever the schedule says."""
        for group in self.optimizer.param_groups:
            for name in _RATES:
                if name in group:
                    group[name] /= 2
        if hasattr(self._scheduler, "base_lrs"):
            self._scheduler.base_lrs = [rate / 2 for rate in self._scheduler.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Numbers and texts; the rates themselves are in the optimizer's state."""
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        self._scheduler.load_state_dict(state)
