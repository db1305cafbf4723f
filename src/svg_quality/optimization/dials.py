"""VTracer's parameters as dials: which are read at all, and where an optimizer turns them.

Optimizers turn within the everyday region: 3 bits or more, spline or polygon, ``max_iterations``
at its default. They turn ``path_precision`` from 0 to 3 decimals: at 512 px the fourth is never
seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from svg_quality.conversion.parameters import CHOICES, NAMES, RANGES, Parameters
from svg_quality.optimization.rules import without_effect

DIALS: Final[dict[str, tuple[float, float]]] = {  # numbers, with the ends between which to turn
    "filter_speckle": RANGES["filter_speckle"],
    "color_precision": (3, 8),
    "layer_difference": RANGES["layer_difference"],
    "corner_threshold": RANGES["corner_threshold"],
    "length_threshold": RANGES["length_threshold"],
    "splice_threshold": RANGES["splice_threshold"],
    "path_precision": (0, 3),
}
SWITCHES: Final[dict[str, tuple[str, ...]]] = {
    "colormode": CHOICES["colormode"],
    "hierarchical": CHOICES["hierarchical"],
    "mode": ("spline", "polygon"),
}


def canonical(parameters: Parameters) -> Parameters:
    """The set that gives the same SVG, with every parameter that is not read at its default.

    Example:
        >>> canonical(Parameters(mode="polygon", splice_threshold=90, filter_speckle=2))
        ... # doctest: +ELLIPSIS
        Parameters(colormode='color', hierarchical='stacked', mode='polygon', filter_speckle=2, ...
        >>> canonical(Parameters(mode="polygon", splice_threshold=90)).splice_threshold
        45
    """
    plain = Parameters()
    dead = {n: getattr(plain, n) for n in NAMES if without_effect(n, parameters) is not None}
    return replace(parameters, **dead)


def live(parameters: Parameters) -> tuple[str, ...]:
    """The dials that VTracer reads, the other parameters as they are.

    Example:
        >>> live(Parameters(mode="polygon"))
        ('filter_speckle', 'color_precision', 'layer_difference')
    """
    return tuple(name for name in DIALS if without_effect(name, parameters) is None)


def within_dials(parameters: Parameters) -> bool:
    """Whether every dial and switch, and ``max_iterations``, is where an optimizer puts it."""
    if parameters.max_iterations != Parameters().max_iterations:
        return False
    turned = all(low <= getattr(parameters, name) <= high for name, (low, high) in DIALS.items())
    return turned and all(
        getattr(parameters, name) in choices for name, choices in SWITCHES.items()
    )
