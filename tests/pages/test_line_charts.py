"""Line charts: where points land, what is left out, what is refused."""

from __future__ import annotations

import math

import pytest

from svg_quality.errors import DatasetError
from svg_quality.pages.charts import BOTTOM, LEFT, RIGHT, TOP
from svg_quality.pages.lines import line_chart


def places(path: str) -> list[tuple[float, float]]:
    pairs = path.replace("M", "L").split("L")[1:]
    return [tuple(map(float, pair.split())) for pair in pairs]  # type: ignore[misc]


def test_more_is_further_right_and_higher() -> None:
    chart = line_chart("t", "d", {"a": ([1, 2, 3], [10, 20, 40])}, ("x", "y"))
    (x0, y0), (x1, y1), (x2, y2) = places(chart.marks[0].path)
    assert LEFT < x0 < x1 < x2 < RIGHT
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert BOTTOM > y0 > y1 > y2 > TOP
    assert (y1 - y2) == pytest.approx(2 * (y0 - y1), abs=0.21)


def test_logarithmic_axes_make_ratios_equal() -> None:
    chart = line_chart(
        "t", "d", {"a": ([1, 10, 100], [1, 2, 4])}, ("x", "y"), log_x=True, log_y=True
    )
    (x0, y0), (x1, y1), (x2, y2) = places(chart.marks[0].path)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert [text for _, text in chart.x.ticks] == ["1", "10", "100"]
    thousands = line_chart("t", "d", {"a": ([0, 1500], [0, 1])}, ("x", "y"))
    assert [text for _, text in thousands.x.ticks][-1] == "1,500"


def test_whole_numbers_have_whole_ticks() -> None:
    chart = line_chart("t", "d", {"a": ([0, 1, 2], [2, 2, 2])}, ("trial", "epochs"))
    assert [text for _, text in chart.x.ticks] == ["0", "1", "2"]
    assert [text for _, text in chart.y.ticks] == ["2"]
    parts = line_chart("t", "d", {"a": ([0, 1, 2], [0.5, 1, 1])}, ("x", "y"))
    assert "0.6" in [text for _, text in parts.y.ticks]


def test_a_point_that_is_not_finite_is_a_gap() -> None:
    chart = line_chart("t", "d", {"a": ([1, 2, 3], [1, math.nan, 3])}, ("x", "y"))
    assert chart.marks[0].path.count("M") == 2
    assert "nan" not in chart.marks[0].path


def test_every_series_has_its_colour_and_name() -> None:
    chart = line_chart("t", "d", {"a": ([0], [0]), "b": ([1], [1])}, ("x", "y"), diagonal=True)
    assert chart.legend == (("series0", "a"), ("series1", "b"))
    assert [mark.style for mark in chart.marks] == ["curve series0", "curve series1"]
    assert chart.guide.startswith("M")


def test_too_many_series_and_no_point_are_refused() -> None:
    with pytest.raises(DatasetError, match="at most 6 series, got 7"):
        line_chart("t", "d", {str(k): ([0], [0]) for k in range(7)}, ("x", "y"))
    with pytest.raises(DatasetError, match="must have a point, 't' has none"):
        line_chart("t", "d", {"a": ([math.nan], [1])}, ("x", "y"))
