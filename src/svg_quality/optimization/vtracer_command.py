"""The same conversion for VTracer's own command line, under the names it uses.

Source: ``cmdapp/src/main.rs`` of visioncortex/vtracer 0.6. It has no option for
``max_iterations``. It traces the file itself: transparent pixels as they are, at full size.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from svg_quality.conversion.parameters import Parameters

_OPTIONS: Final = {  # ours: theirs, where they differ
    "layer_difference": "gradient_step",
    "length_threshold": "segment_length",
}
_WORDS: Final = {("colormode", "binary"): "bw", ("mode", "none"): "pixel"}
_WITHOUT_OPTION: Final = "max_iterations"


def vtracer_command(parameters: Parameters, logo: Path, svg: Path) -> str:
    """A line for a shell.

    Example:
        >>> vtracer_command(Parameters(mode="none"), Path("a b.png"), Path("a.svg"))[:61]
        "vtracer --input 'a b.png' --output a.svg --colormode color --"
    """
    words = ["vtracer", "--input", str(logo), "--output", str(svg)]
    for name, value in parameters.as_dict().items():
        if name != _WITHOUT_OPTION:
            number = f"{value:g}" if isinstance(value, float) else str(value)
            words += [f"--{_OPTIONS.get(name, name)}", _WORDS.get((name, value), number)]
    return shlex.join(words)


def unlike_command(parameters: Parameters, *, reduced: bool, transparent: bool) -> str | None:
    """What makes VTracer's own command line give another SVG, or None.

    Args:
        parameters: of the conversion.
        reduced: whether a smaller copy of the logo was traced.
        transparent: whether the logo has transparent pixels.
    """
    reasons = []
    if reduced:
        reasons.append("it traces the logo at full size")
    if transparent:
        reasons.append("it does not lay transparent pixels on white")
    if parameters.colormode == "binary":
        reasons.append("its binary mode looks at the red channel only")
    if parameters.max_iterations != Parameters().max_iterations:
        reasons.append("it has no option for max_iterations")
    return "; ".join(reasons) or None


def changed_text(parameters: Parameters) -> str:
    """What differs from VTracer's defaults, as ``NAME=VALUE`` apart by blanks.

    Example:
        >>> changed_text(Parameters(mode="polygon", filter_speckle=8))
        'mode=polygon filter_speckle=8'
    """
    return " ".join(f"{name}={value}" for name, value in parameters.changed().items())
