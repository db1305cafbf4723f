"""VTracer's eleven parameters: their ranges, defaults and presets, in one place.

The ranges are those of VTracer's own command line (``cmdapp/src/main.rs`` and
``cmdapp/src/config.rs`` of visioncortex/vtracer 0.6). Its Python binding checks none of
them: it wraps, panics or silently takes another value, so everything is refused here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from svg_quality.errors import ParameterError

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "colormode": ("color", "binary"),  # the command line says "bw", the binding "binary"
    "hierarchical": ("stacked", "cutout"),
    "mode": ("spline", "polygon", "none"),  # the command line says "pixel" for "none"
}
RANGES: Final[dict[str, tuple[float, float]]] = {
    "filter_speckle": (0, 16),  # px, squared into an area
    "color_precision": (1, 8),  # bits per channel
    "layer_difference": (0, 255),  # grey levels ("gradient_step" on the command line)
    "corner_threshold": (0, 180),  # degrees
    "length_threshold": (3.5, 10.0),  # px ("segment_length" on the command line)
    "max_iterations": (1, 30),  # of the smoothing; 0 panics
    "splice_threshold": (0, 180),  # degrees
    "path_precision": (0, 16),  # decimals; left out, the binding writes full floats
}


def _number(name: str, value: Any, low: float, high: float) -> float:
    whole = isinstance(low, int)
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if whole and not number.is_integer():
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        kind = "a whole number" if whole else "a number"
        raise ParameterError(f"{name} must be {kind}, got {value!r}") from None
    if not (math.isfinite(number) and low <= number <= high):
        raise ParameterError(f"{name} must be in [{low:g}, {high:g}], got {value}")
    return int(number) if whole else number


@dataclass(frozen=True, slots=True)
class Parameters:
    """One complete, valid set of VTracer parameters; the defaults are VTracer's.

    Raises:
        ParameterError: a value is unknown, out of range or of the wrong type.

    Example:
        >>> Parameters(color_precision=8).mode
        'spline'
        >>> Parameters(color_precision=12)
        Traceback (most recent call last):
        svg_quality.errors.ParameterError: color_precision must be in [1, 8], got 12
    """

    colormode: str = "color"
    hierarchical: str = "stacked"
    mode: str = "spline"
    filter_speckle: int = 4
    color_precision: int = 6
    layer_difference: int = 16
    corner_threshold: int = 60
    length_threshold: float = 4.0
    max_iterations: int = 10
    splice_threshold: int = 45
    path_precision: int = 2

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                listed = ", ".join(allowed)
                raise ParameterError(f"{name} must be one of {listed}, got {getattr(self, name)!r}")
        for name, (low, high) in RANGES.items():
            object.__setattr__(self, name, _number(name, getattr(self, name), low, high))

    def as_dict(self) -> dict[str, Any]:
        """All eleven, in the order of VTracer's signature."""
        return {name: getattr(self, name) for name in NAMES}

    def changed(self) -> dict[str, Any]:
        """Those that differ from VTracer's defaults."""
        default = Parameters()
        return {n: value for n, value in self.as_dict().items() if value != getattr(default, n)}

    @property
    def is_everyday(self) -> bool:
        """Whether the set lies in the region people use: 3 bits or more, and curves or lines."""
        return self.color_precision >= 3 and self.mode != "none"


NAMES: Final = tuple(field.name for field in dataclasses.fields(Parameters))

PRESETS: Final[dict[str, Parameters]] = {  # cmdapp/src/config.rs, Config::from_preset
    "default": Parameters(),
    "bw": Parameters(colormode="binary"),
    "poster": Parameters(color_precision=8),
    "photo": Parameters(
        filter_speckle=10, color_precision=8, layer_difference=48, corner_threshold=180
    ),
}


def parameters_from(values: Mapping[str, Any]) -> Parameters:
    """A set from named values (text is parsed); what is not named keeps VTracer's default.

    Raises:
        ParameterError: a name is not one of the eleven, or a value is not allowed.
    """
    for name in values:
        if name not in NAMES:
            listed = ", ".join(NAMES)
            raise ParameterError(f"parameters are {listed}; got {name!r}")
    return Parameters(**values)
