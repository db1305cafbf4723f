"""Charts: every conversion is drawn, where it belongs."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.evaluation.reporting import charts

seeds = st.integers(0, 2**32 - 1)
SCATTERS = (charts.ssim_scatter, charts.error_scatter, charts.bytes_scatter)
HISTOGRAMS = (charts.ssim_error_histogram, charts.bytes_error_histogram)


def drawings(rows: pd.DataFrame) -> list[charts.Chart]:
    return [draw(rows).chart for draw in SCATTERS] + [draw(rows) for draw in HISTOGRAMS]


def table(seed: int, n: int | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = n or int(rng.integers(1, 200))
    return pd.DataFrame(
        {
            "ssim": rng.uniform(-0.2, 1, n),
            "predicted_ssim": rng.uniform(0, 1, n),
            "svg_bytes": rng.integers(1, 10**7, n),
            "predicted_svg_bytes": rng.uniform(1, 1e7, n),
            "region": rng.choice(list(charts.STYLES), n),
        }
    )


def dots(plot: charts.Plot, region: str) -> np.ndarray:
    path = "".join(mark.path for mark in plot.chart.marks if mark.style == f"dots {region}")
    return np.array(re.findall(r"M([\d.]+) ([\d.]+)h0", path), float).reshape(-1, 2)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_every_row_is_one_dot_inside_the_plot(seed: int) -> None:
    rows = table(seed)
    for draw in SCATTERS:
        places = {style: dots(draw(rows), style) for style in charts.STYLES}
        for style, found in places.items():
            assert len(found) == (rows.region == style).sum()
        everything = np.vstack(list(places.values()))
        assert everything[:, 0].min() >= charts.LEFT
        assert everything[:, 0].max() <= charts.RIGHT
        assert everything[:, 1].min() >= charts.TOP
        assert everything[:, 1].max() <= charts.BOTTOM


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_the_script_is_told_where_each_dot_lies(seed: int) -> None:
    rows = table(seed).assign(region="mono")
    error = rows.predicted_ssim - rows.ssim
    columns = {"ssim": rows.ssim, "predicted": rows.predicted_ssim, "error": error,
               "bytes": np.log10(rows.svg_bytes),
               "predicted_bytes": np.log10(rows.predicted_svg_bytes)}  # fmt: skip
    for draw in SCATTERS:
        plot = draw(rows)
        ends = (plot.x, plot.x_limits, charts.LEFT, charts.RIGHT), (
            plot.y, plot.y_limits, charts.BOTTOM, charts.TOP)  # fmt: skip
        for side, (name, (low, high), start, end) in enumerate(ends):
            expected = start + (columns[name] - low) / (high - low) * (end - start)
            drawn = np.sort(dots(plot, "mono")[:, side])
            np.testing.assert_allclose(drawn, np.sort(expected), atol=0.051)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_ticks_lie_on_their_axis(seed: int) -> None:
    for chart in drawings(table(seed)):
        assert all(charts.LEFT - 0.1 <= place <= charts.RIGHT + 0.1 for place, _ in chart.x.ticks)
        assert all(charts.TOP - 0.1 <= place <= charts.BOTTOM + 0.1 for place, _ in chart.y.ticks)
        assert len(chart.x.ticks) >= 2
        assert len(chart.y.ticks) >= 2


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_the_bars_hold_every_row(seed: int) -> None:
    rows = table(seed)
    chart = charts.ssim_error_histogram(rows)
    per_row = (charts.BOTTOM - charts.TOP) / 1.05  # heights are in units of the highest bar
    heights = {
        mark.style: sum(
            float(bottom) - float(top)
            for bottom, top in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)H", mark.path)
        )
        for mark in chart.marks
    }
    share = (rows.region == "everyday").mean()
    total = sum(heights.values())
    assert total >= per_row - 1  # the highest bar alone is as high
    assert heights["bars everyday"] / total == pytest.approx(share, abs=0.03)


def test_a_perfect_prediction_lies_on_the_diagonal() -> None:
    rows = table(1)
    rows = rows.assign(
        predicted_ssim=rows.ssim, predicted_svg_bytes=rows.svg_bytes, region="everyday"
    )
    for draw in (charts.ssim_scatter, charts.bytes_scatter):
        places = dots(draw(rows), "everyday")
        across = (places[:, 0] - charts.LEFT) / (charts.RIGHT - charts.LEFT)
        upwards = (charts.BOTTOM - places[:, 1]) / (charts.BOTTOM - charts.TOP)
        np.testing.assert_allclose(across, upwards, atol=0.001)


def test_a_crowd_is_thinned_evenly() -> None:
    rows = table(2, 3 * charts.MAX_DOTS).assign(region="everyday")
    assert charts.thinned(rows).index.tolist() == list(range(0, len(rows), 3))
    few = rows.head(7).assign(region=["rest", "mono"] * 3 + ["everyday"])
    assert sorted(charts.thinned(few).index) == list(range(7))


def test_a_row_is_drawn_in_the_narrowest_region_it_is_in() -> None:
    rows = pd.DataFrame({"everyday": [True, True, False], "everyday_colour": [True, False, False]})
    assert charts.style_classes(rows).tolist() == ["everyday", "mono", "rest"]


def test_one_row_and_equal_rows_can_be_drawn() -> None:
    for rows in (table(3, 1), pd.concat([table(3, 1)] * 4)):
        for chart in drawings(rows):
            assert chart.marks
        counts = [text for _, text in charts.ssim_error_histogram(rows).y.ticks]
        assert all(text.isdecimal() for text in counts)  # there is no half conversion


def test_sizes_are_told_in_units() -> None:
    rows = table(4, 2).assign(svg_bytes=[90, 5000], predicted_svg_bytes=[200.0, 2e9])
    texts = [text for _, text in charts.bytes_scatter(rows).chart.x.ticks]
    assert texts == ["100 B", "1 kB", "10 kB", "100 kB", "1 MB", "10 MB", "100 MB", "1 GB"]
