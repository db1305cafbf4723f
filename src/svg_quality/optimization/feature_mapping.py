"""Method 1: rules from a logo's descriptors; one conversion beside the default's, to verify.

The rules speak of what VTracer will do, and were set on 80 validation logos
(experiments/LOG.md, 2026-11-21). In the order they are asked:

* **polygon**: corners lie on whole pixels, so a path takes about a quarter of a curve's bytes,
  and four logos in five keep the default's SSIM;
* **binary**, where black and white alone show the picture;
* **bits**: as few as leave the picture in flat colours above the floor, with ``MARGIN`` to spare
  for what polygons lose of it;
* **filter**: as coarse as the slack allows; not at all where every pixel counts, at some ten
  times the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np

from svg_quality.conversion.parameters import Parameters
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.optimization.base import Answer, Attempt, best_of, conclude
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective

if TYPE_CHECKING:
    from svg_quality.prediction.predictor import Picture

MARGIN: Final = 0.05  # of SSIM: three polygons in four lose less of the flat picture
SLACK: Final = 0.10  # beyond the margin, at which filtering more costs nothing that matters
TWO_COLOURS: Final = 0.03  # mean error of black and white, of the full range, at most
RUNGS: Final = (  # finest first; bytes over the default's, the 75th percentile of 80 logos
    (15.0, Parameters(mode="polygon", color_precision=8, filter_speckle=0)),
    (0.40, Parameters(mode="polygon", color_precision=8, filter_speckle=2, layer_difference=8)),
    (0.33, Parameters(mode="polygon")),
    (0.28, Parameters(mode="polygon", color_precision=4, filter_speckle=8, layer_difference=48)),
    (0.26, Parameters(mode="polygon", color_precision=3, filter_speckle=12, layer_difference=48)),
)
FINEST: Final = Parameters(
    mode="polygon", color_precision=8, filter_speckle=0, layer_difference=4
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """A set, and why."""

    parameters: Parameters
    reason: str


class FeatureMapping:
    """Method 1."""

    name = "feature_mapping"
    default_budget = 2

    def optimize(
        self,
        logo: Logo,
        objective: Objective,
        conversions: Conversions,
        *,
        picture: Picture | None = None,
    ) -> Answer:
        """Choose by rules, and convert that set if the budget allows.

        Where it does not, the answer is the default if that is measured, else the unmeasured
        set of the rules: status "not_reached", since nothing is known of it.
        """
        began = perf_counter()
        default = next((x for x in conversions.attempts if x.figures), None)
        rule = mapped(logo.descriptors, objective, default.figures if default else None)
        made = conversions.measure([(rule.parameters, "rule", None)])
        best = best_of(conversions.attempts, objective)
        unmeasured = Attempt(rule.parameters, "rule", None, None, None)
        return conclude(
            self.name, logo, objective, conversions, began=began, picture=picture,
            chosen=best or (None if made else unmeasured),
            reason=f"By rule: {rule.reason}. {_outcome(rule, best, made, default)}",
            confidence="measured: the set that the rules name was converted" if made
            else f"none: the {conversions.ended_by} left nothing to convert the rules' set",
        )  # fmt: skip


def mapped(
    descriptors: np.ndarray, objective: Objective, default: tuple[float, int] | None
) -> Rule:
    """What the rules say.

    Args:
        descriptors: float32, from `describe`.
        objective: resolved.
        default: SSIM and bytes of VTracer's defaults, where they are known.
    """
    if objective.kind == "smallest" and objective.min_ssim is not None:
        met = default is not None and default[0] >= objective.min_ssim
        return _smallest(descriptors, objective.min_ssim, met)
    if objective.max_bytes is None:
        fact = "8 bits and no filter, since every pixel counts and bytes do not"
        return Rule(FINEST, fact)
    return _within(objective.max_bytes, default)


def _smallest(descriptors: np.ndarray, floor: float, default_meets: bool) -> Rule:
    said = dict(zip(DESCRIPTOR_NAMES, descriptors.tolist(), strict=True))
    two_colours = said["binary_error"] <= TWO_COLOURS
    if two_colours and said["binary_ssim"] - MARGIN >= floor:
        fact = f"black and white alone show it (SSIM about {said['binary_ssim']:.2f})"
        return Rule(Parameters(mode="polygon", colormode="binary"), f"binary, since {fact}")
    for bits in range(3, 9):
        flat = said[f"ssim_flat_p{bits}"]
        if flat - MARGIN < floor:
            continue
        why = f"{bits} bits, in which flat colours leave SSIM {flat:.2f}"
        if flat - MARGIN - SLACK >= floor:
            coarse = Parameters(
                mode="polygon", color_precision=bits, filter_speckle=8, layer_difference=48
            )
            return Rule(coarse, f"polygons of {why}, and a coarse filter, since that is ample")
        return Rule(Parameters(mode="polygon", color_precision=bits), f"polygons of {why}")
    if default_meets:
        fact = "polygons with VTracer's own colours and filter, since flat colours leave little"
        return Rule(Parameters(mode="polygon"), fact)
    fact = "8 bits and no filter, since the floor lies above what flat colours leave"
    return Rule(RUNGS[0][1], f"polygons of {fact}")


def _within(max_bytes: int, default: tuple[float, int] | None) -> Rule:
    if default is None:
        return Rule(RUNGS[-1][1], "the coarsest polygons, since nothing is known of its size")
    fitting = [rung for rung in RUNGS if rung[0] * default[1] <= max_bytes]
    factor, parameters = (fitting or RUNGS[-1:])[0]
    fact = f"such sets take about {factor:g} of the default's {default[1]:,} bytes"
    return Rule(parameters, f"the finest polygons for so many bytes: {fact}")


def _outcome(rule: Rule, best: Attempt | None, made: list[Attempt], default: Attempt | None) -> str:
    if not made:
        return "Not converted."
    if made[0].error:
        return f"Its conversion failed: {made[0].error}."
    if best is not None and best.parameters != rule.parameters:
        return "Converted, it is no better than VTracer's default, which stands."
    if default is None:
        return "Converted; VTracer's default was not."
    return "Converted, it is better than VTracer's default."
