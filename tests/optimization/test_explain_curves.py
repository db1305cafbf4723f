"""What curves say in words, and verdicts that real conversions overrule."""

import numpy as np
import pytest

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.base import Attempt, Predicted
from svg_quality.optimization.explain import Curve, telling_sets, with_measured
from svg_quality.optimization.worth import Worth, settled


def curve(name: str, values: tuple, fixed: object, ssim: list[float], sizes: list[float]) -> Curve:
    seen, size = np.array(ssim), np.array(sizes)
    return Curve(
        name, values, fixed, seen, seen - 0.01, seen + 0.01, size, size / 2, size * 2, None
    )


def attempt(ssim: float, svg_bytes: int, **changed: object) -> Attempt:
    measured = {"ssim": ssim, "svg_bytes": svg_bytes}
    return Attempt(Parameters(**changed), "explain", None, measured, None)


SPECKLES = curve("filter_speckle", (0, 4, 16), 4, [0.99, 0.95, 0.9], [9000, 3000, 800])


def test_conversions_that_come_out_equal_beat_a_prediction() -> None:
    same = [attempt(0.95, 3000, filter_speckle=value) for value in (0, 4, 16)]
    (told,) = with_measured([SPECKLES], Parameters(), same)
    assert told.is_dead
    assert told.strength == 0
    assert "converted with 0, 4 and 16, the SVG came out the same" in told.effect
    assert "it has no patches of that size" in told.effect


def test_one_side_alone_may_do_nothing() -> None:
    found = [attempt(0.99, 9000, filter_speckle=0)]
    found += [attempt(0.95, 3000, filter_speckle=value) for value in (4, 16)]
    (told,) = with_measured([SPECKLES], Parameters(), found)
    assert not told.is_dead
    assert "Above 4 it changes nothing" in told.effect
    assert told.effect.startswith("With 0, SSIM 0.990 and 9,000 bytes; with 16, SSIM 0.950")


def test_a_failed_conversion_is_no_point() -> None:
    failed = Attempt(Parameters(filter_speckle=0), "explain", None, None, "a panic")
    (told,) = with_measured([SPECKLES], Parameters(), [failed, attempt(0.95, 3000)])
    assert [point.value for point in told.measured] == [4]
    assert "(predicted)" in told.effect


def test_the_strongest_comes_first_and_little_hardly_matters() -> None:
    weak = curve("max_iterations", (1, 10, 30), 10, [0.95, 0.9501, 0.9502], [3000, 3001, 3002])
    told = with_measured([weak, SPECKLES], Parameters(), [])
    assert [one.name for one in told] == ["filter_speckle", "max_iterations"]
    assert "Hardly matters here" in told[1].effect


def test_only_what_tells_is_converted() -> None:
    dead = Curve(**{name: getattr(SPECKLES, name) for name in Curve.__slots__} | {"rule": "no"})
    assert telling_sets([dead], Parameters()) == [Parameters()]
    assert telling_sets([SPECKLES], Parameters()) == [
        Parameters(), Parameters(filter_speckle=0), Parameters(filter_speckle=16),
    ]  # fmt: skip


def verdict(kind: str, *measured: Attempt) -> Worth:
    said = Predicted(0.8, 0.75, 0.85, 9000, 8000, 10_000)
    worth = Worth(kind, 0.9, 10_000, 4096, 0.9, ((Parameters(), said),))  # type: ignore[arg-type]
    return settled(worth, measured)


@pytest.mark.parametrize(
    ("before", "measured", "after"),
    [
        ("do_not_vectorise", (0.91, 9999), "vectorise"),
        ("do_not_vectorise", (0.91, 10_001), "do_not_vectorise"),
        ("do_not_vectorise", (0.89, 10), "do_not_vectorise"),
        ("vectorise", (0.89, 10), "unsure"),
        ("unsure", (0.9, 10_000), "vectorise"),
    ],
)
def test_a_conversion_overrules_the_prediction(
    before: str, measured: tuple[float, int], after: str
) -> None:
    assert verdict(before, attempt(*measured)).verdict == after


def test_the_verdict_carries_its_evidence() -> None:
    told = verdict("do_not_vectorise", attempt(0.7, 5000), attempt(0.95, 20_000)).sentence
    assert told == (
        "Do not vectorise: of 4,096 settings none reaches SSIM 0.9 within 10,000 bytes, even at"
        " the upper end of its 90% interval. Best predicted: SSIM 0.800 (up to 0.850) with about"
        " 9,000 bytes; best converted for real: SSIM 0.7000 with 5,000 bytes."
    )
    told = verdict("vectorise", attempt(0.95, 4000), attempt(0.93, 2000)).sentence
    assert "is reached with 2,000 bytes (20% of the ceiling) and SSIM 0.9300" in told
    assert verdict("vectorise").as_dict()["verdict"] == "vectorise"
