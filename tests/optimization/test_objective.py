"""Objectives: a total order in which what meets comes first; refusals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import SettingsError
from svg_quality.optimization.base import Attempt, best_of
from svg_quality.optimization.objective import TOLERATED, Objective

ssims = st.floats(-1, 1)
sizes = st.integers(1, 10**9)
figures = st.tuples(ssims, sizes)
objectives = st.one_of(
    st.builds(Objective.best_ssim, st.none() | ssims),
    st.builds(Objective.smallest, ssims, st.none() | sizes),
    st.builds(Objective.best_ssim_within, sizes, st.none() | ssims),
)


@given(objectives, figures, figures, figures)
def test_the_order_is_total_and_what_meets_comes_first(
    objective: Objective, a: tuple[float, int], b: tuple[float, int], c: tuple[float, int]
) -> None:
    keys = [objective.key(*x) for x in (a, b, c)]
    assert all(math.isfinite(number) for key in keys for number in key)
    for x, y in ((a, b), (b, c), (a, c)):
        one, other = objective.key(*x), objective.key(*y)
        assert (one < other) + (other < one) + (one == other) == 1
        if objective.meets(*x) and not objective.meets(*y):
            assert one < other
        if one == other:  # nobody is left out: equal keys are equal figures
            assert x == y
    if keys[0] <= keys[1] <= keys[2]:
        assert keys[0] <= keys[2]


@given(objectives, figures)
def test_meeting_is_keeping_floor_and_ceiling(objective: Objective, x: tuple[float, int]) -> None:
    ssim, svg_bytes = x
    floor = -2 if objective.min_ssim is None else objective.min_ssim
    ceiling = math.inf if objective.max_bytes is None else objective.max_bytes
    assert objective.meets(ssim, svg_bytes) == (ssim >= floor and svg_bytes <= ceiling)


@given(ssims, sizes, sizes)
def test_fewer_bytes_or_more_ssim_is_never_worse(ssim: float, one: int, other: int) -> None:
    small, large = sorted((one, other))
    for objective in (
        Objective.smallest(0.3), Objective.best_ssim(), Objective.best_ssim_within(5000),
    ):  # fmt: skip
        assert objective.key(ssim, small) <= objective.key(ssim, large)
        assert objective.key(max(ssim, 0.5), small) <= objective.key(min(ssim, 0.5), small)


def test_floor_and_ceiling_are_met_exactly_and_missed_by_the_least_step() -> None:
    both = Objective.smallest(min_ssim=0.9, max_bytes=1000)
    assert both.meets(0.9, 1000)
    assert not both.meets(0.9, 1001)
    assert not both.meets(math.nextafter(0.9, 0), 1000)
    assert not Objective.smallest(min_ssim=0.0).meets(-math.ulp(0.0), 1)


def test_what_misses_is_ranked_by_how_far() -> None:
    both = Objective.smallest(min_ssim=0.9, max_bytes=1000)
    near, far = both.key(0.89, 1000), both.key(0.80, 1000)
    assert near < far < both.key(0.80, 2000)
    assert both.key(0.9, 1001) < both.key(0.9, 2000)
    # By hand: 0.02 of SSIM weigh as much as 2.7 times the bytes.
    assert both.key(0.88, 1000)[0] == pytest.approx(both.key(0.9, 2718)[0], abs=1e-3)


def test_the_floor_of_the_default_is_a_thousandth_below_it() -> None:
    wanted = Objective.smallest(max_bytes=900)
    assert wanted.needs_default
    assert wanted.resolved(0.94) == Objective.smallest(0.94 - TOLERATED, 900)
    assert wanted.resolved(-1.0).min_ssim == -1.0
    for objective in (
        Objective.smallest(0.5),
        Objective.best_ssim(),
        Objective.best_ssim_within(1),
    ):
        assert not objective.needs_default
        assert objective.resolved(None) is objective
    with pytest.raises(SettingsError, match="min_ssim must be given where the default cannot"):
        wanted.resolved(None)


def test_the_words_of_command_line_and_api() -> None:
    said = Objective.from_words
    assert said("smallest", "default", 0) == Objective.smallest()
    assert said("smallest", 0.0, 900) == Objective.smallest(0.0, 900)
    assert said("best-ssim", "default", 0) == Objective.best_ssim()
    assert said("best-ssim", 0.5, 0) == Objective.best_ssim(0.5)
    assert said("best-ssim", 0.5, 900) == Objective.best_ssim_within(900, 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Objective.smallest(1.2), r"min_ssim must be in \[-1, 1\], got 1.2"),
        (lambda: Objective.smallest(math.nan), "min_ssim must be in .* got nan"),
        (lambda: Objective.best_ssim_within(0), "max_bytes must be at least 1, got 0"),
        (lambda: Objective("best_ssim", None, 9), "best_ssim_within takes max_bytes and best_ssim"),
        (lambda: Objective("best_ssim_within"), "best_ssim_within takes max_bytes and best_ssim"),
    ],
)
def test_refuses(make: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()  # type: ignore[operator]


def test_the_best_is_measured_and_of_equals_the_nearest_to_the_default() -> None:
    def attempt(bits: int, ssim: float | None) -> Attempt:
        measured = None if ssim is None else {"ssim": ssim, "svg_bytes": 100}
        return Attempt(Parameters(color_precision=bits), "tpe", None, measured, None)

    attempts = [attempt(3, None), attempt(4, 0.5), attempt(5, 0.9), attempt(7, 0.9)]
    assert best_of(attempts, Objective.best_ssim()) is attempts[2]  # as near as the last, earlier
    default = attempt(6, 0.9)
    assert best_of([*attempts, default], Objective.best_ssim()) is default
    assert best_of(attempts[:1], Objective.best_ssim()) is None
