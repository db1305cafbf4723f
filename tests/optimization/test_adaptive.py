"""Method 3: moves stay in the everyday region, get finer, and find what a pattern search should."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.adaptive import N_HALVINGS, STEPS, Adaptive, moves
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.dials import DIALS, SWITCHES, canonical, live
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective

everyday = st.builds(
    Parameters,
    **{name: st.sampled_from(choices) for name, choices in SWITCHES.items()},
    **{
        name: st.integers(int(low), int(high))
        if isinstance(low, int)
        else st.floats(low, high).map(lambda value: round(value, 2))
        for name, (low, high) in DIALS.items()
    },
).map(canonical)


@given(everyday, st.integers(0, N_HALVINGS))
def test_a_move_changes_one_thing_that_vtracer_reads(around: Parameters, n_halved: int) -> None:
    found = list(moves(around, n_halved))
    assert len({moved for _, moved in found}) == len(found)
    for name, moved in found:
        assert moved != around
        assert moved.is_everyday
        assert moved == canonical(moved)
        assert name in live(around) or (name in SWITCHES and n_halved == 0)
        if name in DIALS:
            turned: dict[str, Any] = {name: getattr(moved, name)}
            assert moved == canonical(replace(around, **turned))
            low, high = DIALS[name]
            assert low <= getattr(moved, name) <= high
    dials = {name for name, _ in found} & set(DIALS)
    assert dials == set(live(around))  # each can be turned at least one way


def test_steps_halve_and_whole_numbers_move_by_one_at_least() -> None:
    around = Parameters(layer_difference=63)

    def reach(name: str, n_halved: int) -> list[float]:
        return sorted(getattr(x, name) for n, x in moves(around, n_halved) if n == name)

    assert [reach("filter_speckle", n) for n in range(4)] == [[0, 8], [2, 6], [3, 5], [3, 5]]
    assert reach("corner_threshold", 1) == [40, 80]
    assert reach("length_threshold", 0) == [3.5, 6.0]  # 3.5 is the end of the dial
    # By hand: 64 / 4 - 1 and 64 * 4 - 1; then a factor of 2 and of its root.
    assert [reach("layer_difference", n) for n in range(3)] == [[15, 255], [31, 127], [44, 90]]
    assert set(STEPS) == set(DIALS)


def test_finds_the_bottom_of_a_bowl_and_ends_there(
    logo: Logo, make_bowl: Callable[[int], Conversions]
) -> None:
    bowl = make_bowl(200)
    answer = Adaptive().optimize(logo, Objective.smallest(0.1), bowl)
    assert answer.chosen is not None
    best = answer.chosen.parameters
    assert (best.mode, best.filter_speckle, best.color_precision) == ("polygon", 11, 5)
    assert abs(best.layer_difference - 90) <= 5  # finest steps: a factor of 1.19
    assert answer.n_conversions < 80
    assert "to the smallest steps" in answer.reason
