"""Errors of served predictions beside the test split's, and champion beside challenger."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.conversion.parameters import Parameters
from svg_quality.evaluation.comparing.comparison import absolute_errors
from svg_quality.evaluation.live.errors import (
    LiveErrors,
    live_errors,
    mean_by_logo,
)
from svg_quality.evaluation.live.side_by_side import side_by_side

DRAWS = 200


def rows(
    seed: int, n_logos: int, noise: float = 0.02, n_sets: int = 4, *, binary: float = 0.0,
    bytes_noise: float = 0.1, start: int = 0, ssim_seed: int = 99,
) -> pd.DataFrame:  # fmt: skip
    """Predictions that are off by so much; black-and-white sets err three times as much."""
    rng, truth = np.random.default_rng(seed), np.random.default_rng(ssim_seed)
    n = n_logos * n_sets
    ssim = truth.uniform(0.5, 0.95, n)
    is_binary = truth.random(n) < binary
    off = noise * np.where(is_binary, 3, 1) * rng.normal(size=n)
    logos = np.repeat(np.arange(start, start + n_logos), n_sets)
    return pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in logos], "working_size": 512, "group": logos,
            **Parameters().as_dict(), "filter_speckle": np.tile(np.arange(n_sets), n_logos),
            "colormode": np.where(is_binary, "binary", "color"), "everyday": True,
            "everyday_colour": ~is_binary, "logo_type": "simple", "format": "PNG", "level": 0.9,
            "role": "only", "version": "svg-quality 1",
            "ssim": ssim, "svg_bytes": 1000,
            "predicted_ssim": ssim + off, "ssim_low": ssim + off - 1.645 * noise,
            "ssim_high": ssim + off + 1.645 * noise,
            "predicted_svg_bytes": 1000 * np.exp(bytes_noise * rng.normal(size=n)),
            "at": [pd.Timestamp(datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=k))
                   for k in range(n)],
        }
    )  # fmt: skip


def verdict(live: pd.DataFrame, test: pd.DataFrame) -> LiveErrors:
    return live_errors(live, test, DRAWS)


def test_the_same_errors_are_no_drift_and_larger_ones_are() -> None:
    test = rows(0, 60)
    same = verdict(rows(1, 60), test)
    assert same.verdict == "no drift"
    assert same.n_groups == 60
    worse = verdict(rows(2, 60, 0.04), test)
    assert worse.verdict == "drift"
    assert "SSIM error" in worse.reason
    assert "log bytes" not in worse.reason
    by_name = {line.name: line for line in worse.beside}
    assert by_name["SSIM"].low > 0
    assert not by_name["log bytes"].drifted
    bytes_worse = verdict(rows(3, 60, bytes_noise=0.3), test)
    assert "log bytes error" in bytes_worse.reason


def test_one_logo_makes_no_drift() -> None:
    live = rows(1, 12)
    live.loc[live["group"] == 3, "predicted_ssim"] += 0.5
    line = verdict(live, rows(0, 60)).beside[0]
    assert line.difference > line.limit
    assert line.low <= 0
    assert not line.drifted


def test_more_of_what_is_hard_is_no_drift() -> None:
    """Live sets are mostly black and white, which err three times as much on the test split too."""
    test, live = rows(0, 200, binary=0.1), rows(1, 200, binary=0.9, ssim_seed=5)
    plain = absolute_errors(live, "ssim").mean() / absolute_errors(test, "ssim").mean()
    assert plain > 2
    told = verdict(live, test)
    line = next(line for line in told.beside if line.name == "SSIM")
    assert not line.drifted
    hard = test["colormode"] == "binary"
    share = (live["colormode"] == "binary").mean()
    errors = absolute_errors(test, "ssim")
    expected = share * errors[hard].mean() + (1 - share) * errors[~hard].mean()
    assert line.test == pytest.approx(expected)


def test_kinds_the_test_split_lacks_are_counted_and_left_out() -> None:
    live = rows(1, 40, binary=0.5)
    told = verdict(live, rows(0, 40))
    assert told.n_without_test == int((live["colormode"] == "binary").sum())
    only = live[live["colormode"] == "color"]
    assert told.beside[0].live == pytest.approx(absolute_errors(only, "ssim").mean())
    nothing = verdict(rows(1, 40, binary=1.0), rows(0, 40))
    assert nothing.beside == ()
    assert nothing.verdict in ("not enough", "drift")  # coverage can still be told


def test_intervals_that_promise_too_much_are_found() -> None:
    live = rows(1, 60)
    narrow = live.assign(
        ssim_low=live["predicted_ssim"] - 0.015, ssim_high=live["predicted_ssim"] + 0.015
    )
    told = verdict(narrow, rows(0, 60))
    assert told.coverage is not None
    assert told.coverage.drifted
    assert "covered where 90% is promised" in told.reason


def test_few_logos_make_no_verdict() -> None:
    told = verdict(rows(1, 9, 0.5), rows(0, 60))
    assert told.verdict == "not enough"
    assert told.reason == "9 distinct logos were measured, a verdict takes 10"
    assert told.windows == ()
    assert verdict(rows(1, 60).head(0), rows(0, 60)).verdict == "not enough"


@settings(max_examples=25, deadline=None)
@given(st.integers(10, 200), st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**16))
def test_windows_are_in_order_and_hold_every_row_once(
    n: int, n_sets: int, n_visits: int, seed: int
) -> None:
    once = rows(1, n, n_sets=n_sets)  # the same logos may come again and again
    visits = [once.assign(at=once["at"] + pd.Timedelta(days=99 * k)) for k in range(n_visits)]
    live = pd.concat(visits, ignore_index=True).sample(frac=1, random_state=seed)
    windows = live_errors(live, rows(0, 20), 20).windows
    assert sum(window.n for window in windows) == len(live)
    assert all(window.n_groups >= 10 for window in windows)
    assert len(windows) <= 12
    for one, after in pairwise(windows):
        assert one.start <= one.end <= after.start
    total = sum(window.n * window.ssim.value for window in windows) / len(live)
    assert total == pytest.approx(absolute_errors(live, "ssim").mean())


def test_what_got_worse_shows_in_the_last_window() -> None:
    early, late = rows(1, 40), rows(2, 40, 0.1, start=40)
    late["at"] += pd.Timedelta(days=30)
    windows = verdict(pd.concat([early, late]), rows(0, 60)).windows
    assert windows[-1].ssim.low > windows[0].ssim.high
    assert windows[-1].end.tzinfo is not None


def test_an_interval_by_logo_is_wider_than_by_row() -> None:
    live = rows(1, 30)
    alike = live.assign(group=live["group"] // 3)
    values = np.repeat(np.random.default_rng(0).normal(size=10), 12)
    by_row = mean_by_logo(values, live.assign(group=np.arange(len(live))), DRAWS)
    by_logo = mean_by_logo(values, alike, DRAWS)
    assert by_logo.high - by_logo.low > 2 * (by_row.high - by_row.low)


def both(champion: pd.DataFrame, challenger: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(
        [champion.assign(role="champion"),
         challenger.assign(role="challenger", version="svg-quality 2")],
        ignore_index=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("challenger", "expected"),
    [
        (rows(7, 60, 0.05, bytes_noise=0.1), "worse"),
        (rows(7, 60, 0.004), "better"),
        (rows(7, 60, 0.004, bytes_noise=0.4), "mixed"),
        (rows(0, 60), "no difference"),
    ],
)
def test_verdicts_on_a_challenger(challenger: pd.DataFrame, expected: str) -> None:
    (found,) = side_by_side(both(rows(0, 60), challenger), 0.0005, DRAWS)
    assert found.verdict == expected
    assert (found.champion, found.challenger, found.n) == ("svg-quality 1", "svg-quality 2", 240)
    assert found.comparison is not None
    told = found.comparison.differences["full"]["ssim"]
    if expected == "worse":
        assert told.low > 0
    if expected == "better":
        assert told.high < 0
    plain = absolute_errors(challenger, "ssim").mean() - absolute_errors(rows(0, 60), "ssim").mean()
    assert told.difference == pytest.approx(plain)


def test_no_difference_is_said_of_models_that_err_alike() -> None:
    """Errors drawn anew for each, 40 times: one in twenty may look different, by the interval."""
    found = [
        side_by_side(both(rows(seed, 40), rows(seed + 500, 40)), 0.0, DRAWS)[0].comparison
        for seed in range(40)
    ]
    n_wrong = sum(
        one is not None and one.differences["full"]["ssim"].verdict != "no difference"
        for one in found
    )
    assert n_wrong <= 6  # P(7 or more of 40 at 0.05) = 0.003


def test_only_sets_that_both_predicted_are_compared() -> None:
    champion, challenger = rows(0, 60), rows(7, 60, 0.05)
    (found,) = side_by_side(both(champion.sample(frac=1, random_state=0).head(200),
                                 challenger.head(160)), 0.0005, DRAWS)  # fmt: skip
    common = set(zip(champion["image_id"], champion["filter_speckle"], strict=True))
    assert 0 < found.n < 160 < len(common)
    assert side_by_side(both(champion.head(20), challenger.tail(20)), 0.0005, DRAWS) == []
    assert side_by_side(champion, 0.0005, DRAWS) == []  # nobody challenged


def test_too_few_logos_and_the_newest_pair_first() -> None:
    (found,) = side_by_side(both(rows(0, 9), rows(7, 9, 0.3)), 0.0005, DRAWS)
    assert found.verdict == "not enough"
    assert found.comparison is None
    assert "9 distinct logos have predictions of both" in found.reason
    later = rows(8, 30, start=100).assign(version="svg-quality 3")
    later["at"] += pd.Timedelta(days=9)
    champion = pd.concat([rows(0, 30), rows(9, 30, start=100).assign(at=later["at"])])
    challengers = pd.concat([rows(7, 30).assign(version="svg-quality 2"), later])
    found_two = side_by_side(
        pd.concat([champion.assign(role="champion"), challengers.assign(role="challenger")],
                  ignore_index=True), 0.0005, DRAWS,
    )  # fmt: skip
    assert [pair.challenger for pair in found_two] == ["svg-quality 3", "svg-quality 2"]
