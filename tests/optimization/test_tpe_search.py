"""Method 2: learns, keeps constraints, and takes up what was measured before it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.optimization.base import best_of
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.dials import canonical
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.search import TpeSearch

MakeBowl = Callable[[int], Conversions]


def least(bowl: Conversions, objective: Objective) -> int:
    best = best_of(bowl.attempts, objective)
    assert best is not None
    assert best.figures is not None
    return best.figures[1]


def test_learns_where_the_bottom_is_better_than_chance(logo: Logo, make_bowl: MakeBowl) -> None:
    wanted = Objective.smallest(-1.0)
    found, chance = [], []
    for seed in range(3):
        bowl = make_bowl(40)
        TpeSearch(seed).optimize(logo, wanted, bowl)
        found.append(least(bowl, wanted))
        bowl = make_bowl(40)
        bowl.measure([(x, "tpe", None) for x in sobol_sets(39, "everyday", seed)])
        chance.append(least(bowl, wanted))
    assert np.median(found) < np.median(chance)


def test_learns_where_the_floor_is(logo: Logo, make_bowl: MakeBowl) -> None:
    """In the bowl SSIM is a tenth of the bits: the floor asks for 7, the bottom is at 5."""
    wanted, bowl = Objective.smallest(0.7), make_bowl(40)
    answer = TpeSearch().optimize(logo, wanted, bowl)
    assert answer.status == "found"
    assert answer.chosen is not None
    assert answer.chosen.parameters.color_precision == 7
    late = [attempt.parameters.color_precision for attempt in answer.attempts[20:]]
    assert np.mean([bits >= 7 for bits in late]) > 0.5


def test_takes_up_what_was_measured_before_inside_its_region_or_not(
    logo: Logo, make_bowl: MakeBowl
) -> None:
    bowl = make_bowl(30)
    sets = [
        Parameters(mode="none", color_precision=1),
        Parameters(path_precision=12),
        Parameters(max_iterations=3),
        Parameters(mode="polygon", splice_threshold=90),
    ]
    before = bowl.measure([(one, "front", None) for one in sets])
    answer = TpeSearch().optimize(logo, Objective.smallest(0.1), bowl)
    assert list(answer.attempts[1:5]) == before
    assert answer.n_conversions == 30
    new = [attempt.parameters for attempt in answer.attempts[5:]]
    assert all(one == canonical(one) and one.is_everyday for one in new)


def test_never_proposes_the_twin_of_what_was_measured(logo: Logo, make_bowl: MakeBowl) -> None:
    """A polygon's splice_threshold is never read: with another one it is the same conversion."""
    wanted = Objective.smallest(0.1)
    tried = TpeSearch().optimize(logo, wanted, make_bowl(8)).attempts[1:]
    polygon = next(one.parameters for one in tried if one.parameters.mode == "polygon")
    bowl = make_bowl(9)
    bowl.measure([(replace(polygon, splice_threshold=90), "front", None)])
    again = TpeSearch().optimize(logo, wanted, bowl).attempts[2:]
    assert polygon not in [one.parameters for one in again]
    # The first trials are drawn by the seed alone, so it would have been drawn again.
    assert {one.parameters for one in tried} - {polygon} <= {one.parameters for one in again}


def test_another_seed_proposes_other_sets(logo: Logo, make_bowl: MakeBowl) -> None:
    def tried(seed: int) -> list[Parameters]:
        answer = TpeSearch(seed).optimize(logo, Objective.best_ssim(), make_bowl(8))
        return [attempt.parameters for attempt in answer.attempts]

    assert tried(1) == tried(1)
    assert tried(1) != tried(2)
