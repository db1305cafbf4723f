"""Which parameter sets to try on a logo: presets first, then scrambled Sobol points.

A Sobol point is a vector of eleven numbers in [0, 1); here each becomes a parameter, on a
log-like scale where a step at the low end changes the picture more than one at the high end.
"""

from __future__ import annotations

import hashlib
import math
from typing import Final, Literal

import numpy as np

from svg_quality.conversion.parameters import NAMES, PRESETS, RANGES, Parameters

Region = Literal["everyday", "full"]

# Shares, not ranges: a choice that makes most of the others meaningless gets less of the budget.
_WEIGHTS: Final[dict[Region, dict[str, dict[str, float]]]] = {
    "everyday": {
        "colormode": {"color": 0.9, "binary": 0.1},
        "hierarchical": {"stacked": 0.7, "cutout": 0.3},
        "mode": {"spline": 0.5, "polygon": 0.5},
    },
    "full": {
        "colormode": {"color": 0.9, "binary": 0.1},
        "hierarchical": {"stacked": 0.5, "cutout": 0.5},
        "mode": {"spline": 1 / 3, "polygon": 1 / 3, "none": 1 / 3},
    },
}
LOG_LIKE: Final = {"filter_speckle", "layer_difference"}  # uniform in log(1 + value)
_EVERYDAY_LOW: Final = {"color_precision": 3}
_PATH_PRECISION_SHARE: Final = 0.1  # a size dial that does not depend on the picture
_NEARLY_DEAD: Final = "max_iterations"  # stays at its default but for the full region


def sample_parameters(
    n_sets: int, everyday_share: float, seed: int, image_id: str
) -> list[Parameters]:
    """The sets to convert one image with: VTracer's presets, then Sobol points.

    The same image and seed give the same sets, whatever other images there are. The presets
    are everyday sets and count toward that share.

    Args:
        n_sets: at least the number of presets (4).
        everyday_share: of all sets, in [0, 1].
        seed: of the campaign.
        image_id: SHA-256 of the image's pixels, hexadecimal.

    Returns:
        ``n_sets`` sets, presets first. Sets may repeat where rounding makes two points one.
    """
    n_everyday = max(round(n_sets * everyday_share), len(PRESETS))
    stream = int(hashlib.sha256(f"{seed}:{image_id}".encode()).hexdigest()[:16], 16)
    everyday = sobol_sets(n_everyday - len(PRESETS), "everyday", stream)
    full = sobol_sets(n_sets - n_everyday, "full", stream + 1)
    return [*PRESETS.values(), *everyday, *full]


def sobol_sets(n_sets: int, region: Region, seed: int) -> list[Parameters]:
    """``n_sets`` scrambled Sobol points of a region, as parameter sets."""
    if n_sets <= 0:
        return []
    from scipy.stats import qmc  # half a second, which a command that samples nothing saves

    sobol = qmc.Sobol(d=len(NAMES) + 1, scramble=True, rng=np.random.default_rng(seed))
    points = sobol.random_base2(math.ceil(math.log2(n_sets)))[:n_sets]
    return [_from_point(point, region) for point in points]


def _from_point(point: np.ndarray, region: Region) -> Parameters:
    values: dict[str, object] = {}
    for name, u in zip(NAMES, point[:-1].tolist(), strict=True):
        if name in RANGES:
            values[name] = _scaled(name, u, region)
        else:
            values[name] = _chosen(_WEIGHTS[region][name], u)
    if point[-1] >= _PATH_PRECISION_SHARE:
        del values["path_precision"]
    if region == "everyday":
        del values[_NEARLY_DEAD]
    return Parameters(**values)  # type: ignore[arg-type]


def _scaled(name: str, u: float, region: Region) -> float:
    low, high = RANGES[name]
    if region == "everyday":
        low = _EVERYDAY_LOW.get(name, low)
    if not isinstance(high, int):
        return round(low + u * (high - low), 2)
    if name in LOG_LIKE:
        return min(math.floor(math.expm1(u * math.log(high + 2))), high)
    return math.floor(low + u * (high + 1 - low))


def _chosen(weights: dict[str, float], u: float) -> str:
    total = 0.0
    for name, weight in weights.items():
        total += weight
        if u < total:
            return name
    return next(reversed(weights))
