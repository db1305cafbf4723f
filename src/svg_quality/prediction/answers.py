"""What a predictor answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from svg_quality.conversion.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a conversion would give; with status ``unavailable`` every figure is None."""

    status: Literal["ok", "unavailable"]
    reason: str | None  # why it is unavailable
    image: str  # the path, or what kind of thing was given
    parameters: Parameters  # that it is about; VTracer's defaults where none were given
    ssim: float | None  # in [-1, 1]
    ssim_low: float | None  # lower end of the interval
    ssim_high: float | None
    interval: float | None  # its promised coverage, in (0, 1)
    svg_bytes: int | None
    bytes_low: int | None  # lower end of an interval of the same coverage
    bytes_high: int | None
    unlike_training: bool | None  # the model was never shown such a picture: do not trust it
    model_name: str
    model_version: str | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, the parameters as a mapping of all eleven."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"parameters": self.parameters.as_dict()}


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether predictions can be had, and of which model."""

    available: bool
    reason: str | None  # why not; or, where they can, why not of the version asked for
    model_name: str
    model_version: str | None
