"""What a search may change of the settings of `train`, and within which limits.

``width``, ``depth`` and ``taper`` stand for ``hidden_dims``: the first hidden layer is ``width``
wide, and each one after it ``taper`` times as wide as the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from svg_quality.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Numbers:
    """A range of numbers, both ends included."""

    low: float
    high: float
    step: int = 0  # of whole numbers; 0 for real ones
    log: bool = False

    def __contains__(self, value: Any) -> bool:
        on_grid = not self.step or (value - self.low) % self.step == 0
        return self.low <= value <= self.high and on_grid


@dataclass(frozen=True, slots=True)
class Names:
    """One of a few values without an order."""

    choices: tuple[bool | str, ...]

    def __contains__(self, value: Any) -> bool:
        return value in self.choices


SPACE: Final[Mapping[str, Numbers | Names]] = {
    "width": Numbers(128, 768, step=128),
    "depth": Numbers(1, 4, step=1),
    "taper": Numbers(0.5, 1.0),
    "dropout_rate": Numbers(0.0, 0.6),
    "batch_norm": Names((True, False)),
    "loss": Names(("huber", "mse", "mae", "ssim", "focal", "combined")),
    "ranking_weight": Numbers(0.0, 1.0),
    # Not down to 0: the value of a trial says nothing of the size, and would let it go.
    "bytes_weight": Numbers(0.25, 1.0),
    "learning_rate": Numbers(1e-3, 3e-2, log=True),
    "weight_decay": Numbers(1e-3, 1.0, log=True),
    "batch_size": Numbers(128, 512, step=128),
    "d_bottleneck": Numbers(0, 16, step=4),
    "n_members": Numbers(1, 4, step=1),
}
_OF_WIDTHS: Final = ("width", "depth", "taper")
_NARROWEST: Final = 16


def settings_of(chosen: Mapping[str, Any], base: TrainSettings) -> TrainSettings:
    """The settings of `train` with what a trial chose.

    Args:
        chosen: a value for each name of `SPACE`.
        base: what the search leaves alone.
    """
    changes = {name: value for name, value in chosen.items() if name not in _OF_WIDTHS}
    widths = hidden_dims(*(chosen[name] for name in _OF_WIDTHS))
    return TrainSettings.model_validate({**base.model_dump(), **changes, "hidden_dims": widths})


def hidden_dims(width: int, depth: int, taper: float) -> str:
    """Such as ``512-384``: widths in multiples of 16.

    Example:
        >>> hidden_dims(512, 3, 0.5)
        '512-256-128'
    """
    exact = (width * taper**layer for layer in range(depth))
    return "-".join(str(max(round(value / _NARROWEST) * _NARROWEST, _NARROWEST)) for value in exact)


def chosen_by(settings: TrainSettings) -> dict[str, Any] | None:
    """What a trial has to choose to get these settings; None where the space does not reach."""
    widths = [int(width) for width in settings.hidden_dims.split("-")]
    taper = widths[1] / widths[0] if len(widths) > 1 else 1.0
    chosen = {name: getattr(settings, name) for name in SPACE if name not in _OF_WIDTHS}
    chosen |= {"width": widths[0], "depth": len(widths), "taper": taper}
    reached = all(chosen[name] in limits for name, limits in SPACE.items())
    same = hidden_dims(widths[0], len(widths), taper) == settings.hidden_dims
    return {name: chosen[name] for name in SPACE} if reached and same else None
