"""Why a slider does nothing: which parameters VTracer never reads, given the others.

Each rule is one of VTracer's own code, not a guess of a model; a test converts pictures to see
that it holds. Sources: ``cmdapp/src/converter.rs`` of visioncortex/vtracer (what a black and
white conversion passes on), ``src/path/compound.rs`` and ``src/shape`` of
visioncortex/visioncortex (what polygons and pixels are made with: whole numbers, no smoothing),
and ``src/path/smooth.rs`` there (which segments are smoothed).
"""

from __future__ import annotations

from typing import Final

from svg_quality.conversion.parameters import Parameters

_OF_COLOURS: Final = frozenset({"hierarchical", "color_precision", "layer_difference"})
_OF_CURVES: Final = frozenset(
    {"corner_threshold", "length_threshold", "max_iterations", "splice_threshold"}
)
_OF_SMOOTHING: Final = frozenset({"length_threshold", "max_iterations"})


def without_effect(name: str, others: Parameters) -> str | None:
    """Why no value of a parameter changes the SVG, or None where VTracer reads it.

    Args:
        name: of the parameter.
        others: what the other parameters are fixed at.

    Example:
        >>> without_effect("layer_difference", Parameters(colormode="binary"))
        'in binary mode VTracer only asks what is darker than half grey'
        >>> without_effect("layer_difference", Parameters()) is None
        True
    """
    if others.colormode == "binary" and name in _OF_COLOURS:
        return "in binary mode VTracer only asks what is darker than half grey"
    if others.mode != "spline" and name in _OF_CURVES:
        return f"VTracer reads it only when it fits curves, and mode is {others.mode}"
    if others.mode != "spline" and name == "path_precision":
        return (
            f"with mode {others.mode} every corner lies on a whole pixel, so there are no decimals"
        )
    if others.corner_threshold == 0 and name in _OF_SMOOTHING:
        return "with corner_threshold 0 every point is a corner, and nothing between is smoothed"
    return None
