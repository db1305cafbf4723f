"""Histograms: every conversion is in a bar, ticks are round and lie on their axis."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.pages.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Chart,
    round_ticks,
    size_text,
    stacked_histogram,
)
from svg_quality.pages.environment import environment

counts = st.lists(st.integers(0, 500), min_size=1, max_size=30)


def chart(inner: list[int], outer: list[int], guide_at: float | None = None) -> Chart:
    edges = np.linspace(-1, 1, len(inner) + 1)
    styles = {"everyday": np.array(inner), "rest": np.array(outer)}
    axis = ("value", [-1, 0, 1], ["low", "0", "high"])
    return stacked_histogram("title", "told", edges, styles, axis, guide_at)


def bars(drawn: Chart, style: str) -> np.ndarray:
    """Left, bottom, top, right of each bar."""
    path = next(mark.path for mark in drawn.marks if mark.style == f"bars {style}")
    found = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)V[\d.]+Z", path)
    return np.array(found, float).reshape(-1, 4)


@given(counts)
def test_bars_are_as_high_as_their_counts_and_stacked(inner: list[int]) -> None:
    outer = inner[::-1]
    drawn = chart(inner, outer)
    unit = (BOTTOM - TOP) / (1.05 * max(*np.add(inner, outer).tolist(), 1))
    lower, upper = bars(drawn, "everyday"), bars(drawn, "rest")
    np.testing.assert_allclose(
        lower[:, 1] - lower[:, 2], [n * unit for n in inner if n * unit > 0], atol=0.11
    )
    np.testing.assert_allclose(
        BOTTOM - upper[:, 2],
        [(a + b) * unit for a, b in zip(inner, outer, strict=True) if b],
        atol=0.11,
    )
    for left, bottom, top, right in (*lower, *upper):
        assert LEFT <= left < right <= RIGHT
        assert TOP <= top <= bottom <= BOTTOM


def test_a_histogram_without_a_count_can_be_drawn() -> None:
    drawn = chart([0, 0], [0, 0])
    assert [mark.path for mark in drawn.marks] == ["", ""]
    assert all(text.isdecimal() for _, text in drawn.y.ticks)


def test_a_guide_stands_at_its_value_and_only_where_asked_for() -> None:
    assert chart([1, 2], [2, 1]).guide == ""
    middle = (LEFT + RIGHT) / 2
    assert chart([1, 2], [2, 1], guide_at=0.0).guide == f"M{middle} {BOTTOM}V{TOP}"


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_two_to_six_inside_and_evenly_spaced(low: float, width: float) -> None:
    ticks = round_ticks(low, low + width)
    assert 2 <= len(ticks) <= 6
    slack = 1e-6 * max(width, abs(low) * 1e-6, 1e-3)
    assert low - slack <= ticks[0] < ticks[-1] <= low + width + slack
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3)


def test_ticks_that_people_would_choose() -> None:
    assert round_ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert round_ticks(-3, 17) == [0, 5, 10, 15]


@pytest.mark.parametrize(
    ("power", "text"), [(0, "1 B"), (2, "100 B"), (3, "1 kB"), (6, "1 MB"), (9, "1 GB")]
)
def test_bytes_in_units(power: float, text: str) -> None:
    assert size_text(power) == text


def test_the_template_draws_ticks_marks_and_guide() -> None:
    template = environment("svg_quality.dataset").from_string(
        '{% import "chart.html.j2" as figure %}{{ figure.draw(chart) }}'
    )
    drawn = chart([1, 2], [2, 1], guide_at=0.0)
    page = template.render(chart=drawn)
    assert page.count('class="tick"') == len(drawn.x.ticks) + len(drawn.y.ticks)
    assert all(mark.path in page for mark in drawn.marks)
    assert 'class="line"' in page
    assert 'class="line"' not in template.render(chart=chart([1], [1]))
