"""The command line for VTracer: the names its own source declares, nothing lost, shell-safe."""

import shlex
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from svg_quality.conversion.parameters import CHOICES, RANGES, Parameters
from svg_quality.optimization.vtracer_command import changed_text, unlike_command, vtracer_command

# `Arg::new(...).long(...)` of cmdapp/src/main.rs, visioncortex/vtracer at 0057457.
DECLARED = {
    "input", "output", "colormode", "hierarchical", "preset", "filter_speckle", "color_precision",
    "gradient_step", "corner_threshold", "segment_length", "splice_threshold", "mode",
    "path_precision",
}  # fmt: skip
WORDS = {  # what that file compares the values with
    "colormode": {"color", "bw"},
    "hierarchical": {"stacked", "cutout"},
    "mode": {"spline", "polygon", "pixel"},
}
NUMBERS = {
    name: st.integers(*map(int, ends)) for name, ends in RANGES.items() if isinstance(ends[0], int)
}
SETS = st.builds(
    Parameters,
    **{name: st.sampled_from(allowed) for name, allowed in CHOICES.items()},
    **NUMBERS,
    length_threshold=st.integers(350, 1000).map(lambda hundredths: hundredths / 100),
)


@given(SETS, st.text("ab '\"$;&*-ä", min_size=1, max_size=12))
def test_every_option_is_one_that_vtracer_declares(parameters: Parameters, name: str) -> None:
    logo = Path("-folder") / f"{name}.png"
    words = shlex.split(vtracer_command(parameters, logo, Path("a.svg")))
    assert words[0] == "vtracer"
    given_options = dict(zip(words[1::2], words[2::2], strict=True))
    named = {option.removeprefix("--"): value for option, value in given_options.items()}
    assert set(named) <= DECLARED
    assert named["input"] == str(logo)
    for option, allowed in WORDS.items():
        assert named[option] in allowed
    assert float(named["segment_length"]) == parameters.length_threshold
    assert int(named["gradient_step"]) == parameters.layer_difference


def test_what_differs_is_told() -> None:
    assert unlike_command(Parameters(), reduced=False, transparent=False) is None
    told = unlike_command(
        Parameters(colormode="binary", max_iterations=3), reduced=True, transparent=True
    )
    for part in ("full size", "transparent", "red channel", "max_iterations"):
        assert told is not None
        assert part in told
    assert changed_text(Parameters()) == ""
