"""Method 1: each rule at its own picture, its reason in words, and the unmeasured answer."""

import numpy as np
import pytest

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import WorkerPool
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.feature_mapping import MARGIN, FeatureMapping, mapped
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective

FLAT = {3: 0.80, 4: 0.90, 5: 0.94, 6: 0.96, 7: 0.98, 8: 0.99}  # SSIM of flat colours, by bits


def described(**changes: float) -> np.ndarray:
    flat = {f"ssim_flat_p{bits}": ssim for bits, ssim in FLAT.items()}
    said = {"binary_error": 0.2, "binary_ssim": 0.5, **flat, **changes}
    return np.array([said.get(name, 0.0) for name in DESCRIPTOR_NAMES], np.float32)


@pytest.mark.parametrize(
    ("floor", "bits"), [(0.76, 4), (0.84, 4), (0.86, 5), (0.90, 6), (0.92, 7), (0.935, 8)]
)
def test_bits_are_the_fewest_that_leave_the_floor_with_a_margin(floor: float, bits: int) -> None:
    assert MARGIN == 0.05  # by hand: FLAT less 0.05 is the highest floor for each
    rule = mapped(described(), Objective.smallest(floor), (0.99, 5000))
    assert rule.parameters == Parameters(mode="polygon", color_precision=bits)
    assert f"{bits} bits, in which flat colours leave SSIM {FLAT[bits]:.2f}" in rule.reason


def test_slack_is_spent_on_a_coarse_filter() -> None:
    rule = mapped(described(), Objective.smallest(0.6), (0.99, 5000))
    assert rule.parameters == Parameters(
        mode="polygon", color_precision=3, filter_speckle=8, layer_difference=48
    )
    assert "a coarse filter, since that is ample" in rule.reason


def test_above_what_flat_colours_leave_it_matters_whether_the_default_meets_the_floor() -> None:
    wanted = Objective.smallest(0.97)
    kept = mapped(described(), wanted, (0.98, 5000))
    assert kept.parameters == Parameters(mode="polygon")
    for default in ((0.95, 5000), None):
        fine = mapped(described(), wanted, default)
        assert (fine.parameters.color_precision, fine.parameters.filter_speckle) == (8, 0)
        assert "the floor lies above what flat colours leave" in fine.reason


def test_black_and_white_pictures_are_traced_so() -> None:
    inked = described(binary_error=0.01, binary_ssim=0.96)
    rule = mapped(inked, Objective.smallest(0.9), (0.97, 5000))
    assert rule.parameters == Parameters(mode="polygon", colormode="binary")
    assert "black and white alone show it (SSIM about 0.96)" in rule.reason
    for other, floor in ((inked, 0.92), (described(binary_error=0.1, binary_ssim=0.96), 0.9)):
        assert mapped(other, Objective.smallest(floor), None).parameters.colormode == "color"


def test_quality_is_bought_with_bytes() -> None:
    best = mapped(described(), Objective.best_ssim(), (0.9, 5000)).parameters
    assert (best.color_precision, best.filter_speckle, best.layer_difference) == (8, 0, 4)
    bits = [
        mapped(described(), Objective.best_ssim_within(b), (0.9, 10_000)).parameters.color_precision
        for b in (200_000, 4_500, 3_500, 2_900, 2_650, 100)
    ]
    assert bits == [8, 8, 6, 4, 3, 3]
    unknown = mapped(described(), Objective.best_ssim_within(9000), None)
    assert unknown.parameters.color_precision == 3


def test_without_a_budget_the_answer_is_marked_as_unmeasured(logo: Logo, pool: WorkerPool) -> None:
    nothing = Conversions(logo, pool, None, "method-1", 0)
    answer = FeatureMapping().optimize(logo, Objective.smallest(0.8), nothing)
    assert (answer.status, answer.n_conversions, answer.attempts) == ("not_reached", 0, ())
    assert answer.chosen is not None
    assert (answer.chosen.measured, answer.chosen.origin) == (None, "rule")
    assert "Not converted" in answer.reason
    assert answer.confidence.startswith("none: the budget left nothing")
