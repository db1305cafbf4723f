"""What kind of logo a picture is, and how complex, said by rules from its descriptors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from svg_quality.features.descriptors import DESCRIPTOR_NAMES


def complexity(descriptors: np.ndarray) -> float:
    """How much there is to trace, in [0, 1].

    The mean of three shares at the default precision of 6 bits: boundary length per pixel over
    0.3, logarithm of the kept regions over that of 1,000, luminance entropy over 8 bits; each
    at most 1.
    """
    value = _named(descriptors)
    boundary = min(value("boundary_p6") / 0.3, 1.0)
    regions = min(value("log_kept_p6_f4_l16") / math.log(1000), 1.0)
    return (boundary + regions + min(value("entropy") / 8, 1.0)) / 3


def estimate_logo_type(descriptors: np.ndarray) -> str:
    """``gradient``, ``complex``, ``text`` or ``simple``, by the first rule that holds.

    * gradient: over 5% of the pixels have a soft slope (0.4 to 4 grey levels per px) and lie
      more than 8 px from any edge, where a JPEG file is flat;
    * complex: over 20 regions are kept at the default parameters;
    * text: 5 or more dark components of letter-like size whose heights differ by under 45%;
    * simple: all others.
    """
    value = _named(descriptors)
    if value("shaded_share") > 0.05:
        return "gradient"
    if value("log_kept_p6_f4_l16") > math.log1p(20):
        return "complex"
    if value("glyph_count") >= math.log1p(5) - 1e-6 and value("glyph_height_spread") < 0.45:
        return "text"
    return "simple"


def _named(descriptors: np.ndarray) -> Callable[[str], float]:
    return lambda name: float(descriptors[DESCRIPTOR_NAMES.index(name)])
