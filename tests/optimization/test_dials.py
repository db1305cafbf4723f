"""Dials: a set and its canonical one give the same SVG; the region is the everyday one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.conversion.parameters import CHOICES, RANGES, Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.conversion.tracing import trace
from svg_quality.errors import ConversionError
from svg_quality.optimization.dials import DIALS, SWITCHES, canonical, live, within_dials
from svg_quality.optimization.logo import Logo

anywhere = st.builds(
    Parameters,
    **{name: st.sampled_from(choices) for name, choices in CHOICES.items()},
    **{
        name: st.integers(low, high)  # type: ignore[arg-type]
        if isinstance(low, int)
        else st.floats(low, high)
        for name, (low, high) in RANGES.items()
    },
)


@given(anywhere)
def test_canonical_is_of_its_own_kind_and_live_dials_are_kept(parameters: Parameters) -> None:
    plain = canonical(parameters)
    assert canonical(plain) == plain
    assert live(plain) == live(parameters)
    for name in live(parameters):
        assert getattr(plain, name) == getattr(parameters, name)
    assert (plain.colormode, plain.mode) == (parameters.colormode, parameters.mode)


@pytest.mark.parametrize("region", ["everyday", "full"])
def test_the_canonical_set_gives_the_same_svg(logo: Logo, region: str) -> None:
    """VTracer is the judge."""
    n_changed = 0
    for parameters in sobol_sets(64, region, 7):  # type: ignore[arg-type]
        plain = canonical(parameters)
        n_changed += plain != parameters
        try:
            assert trace(logo.image.rgb, plain) == trace(logo.image.rgb, parameters), parameters
        except ConversionError:  # a panic: then of both
            with pytest.raises(ConversionError):
                trace(logo.image.rgb, plain)
    assert n_changed > 20


def test_live_dials_change_the_svg(logo: Logo) -> None:
    for around in (Parameters(), Parameters(mode="polygon")):
        usual = trace(logo.image.rgb, around)
        for name in live(around):
            values = around.as_dict()
            ends = [Parameters(**{**values, name: end}) for end in DIALS[name]]
            assert any(trace(logo.image.rgb, end) != usual for end in ends), name


def test_dials_and_switches_are_the_everyday_region() -> None:
    assert {*DIALS, *SWITCHES, "max_iterations"} == set(Parameters.__slots__)
    for place in (0, -1):
        ends = {name: values[place] for name, values in (DIALS | SWITCHES).items()}
        assert Parameters(**ends).is_everyday  # type: ignore[arg-type]
    plain = Parameters()
    assert all(low <= getattr(plain, name) <= high for name, (low, high) in DIALS.items())
    assert within_dials(plain)
    for odd in ({"max_iterations": 11}, {"mode": "none"}, {"color_precision": 2}):
        assert not within_dials(Parameters(**odd))  # type: ignore[arg-type]
