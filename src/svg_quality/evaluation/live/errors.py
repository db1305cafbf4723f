"""How far served predictions were off, over time and beside the errors on the test split.

People and optimizers choose other parameters than a release has, and errors depend on the
parameters. So the test split's error is taken at the same mix: its mean in each cell of everyday
or not, colour or black and white, weighted by the share of the measured conversions there (direct
standardisation). Both sides are drawn by logo, and the interval is of their difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import numpy as np
import pandas as pd

from svg_quality.evaluation.comparing.comparison import LEVEL, MIN_GROUPS, absolute_errors
from svg_quality.evaluation.metrics import cluster_mean_interval, covered, draw_means

MAX_WINDOWS: Final = 12
TOLERATED_RISE: Final = 0.25  # of the test split's mean absolute error
TOLERATED_GAP: Final = 0.05  # of coverage below what is promised
_CELL: Final = ["everyday", "colormode"]
ErrorVerdict = Literal["drift", "no drift", "not enough"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean with its 95% interval by logo."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Window:
    """Some consecutive conversions."""

    start: datetime  # UTC, of the first
    end: datetime  # of the last
    n: int
    n_groups: int
    ssim: Figure  # mean absolute error
    log_bytes: Figure  # mean absolute error of the natural logarithm
    coverage: Figure  # share of SSIM intervals that hold what was measured


@dataclass(frozen=True, slots=True)
class BesideTest:
    """One error beside the test split's at the same mix of parameters."""

    name: str
    live: float
    test: float
    difference: float  # live minus test
    low: float  # of the 95% interval
    high: float
    limit: float  # difference that is too much
    drifted: bool  # the interval lies above zero and the difference above the limit


@dataclass(frozen=True, slots=True)
class CoverageCheck:
    """How often the intervals held, beside what they promise."""

    promised: float
    found: Figure
    limit: float  # coverage that is too little
    drifted: bool  # the interval lies below the promise and the coverage below the limit


@dataclass(frozen=True, slots=True)
class LiveErrors:
    """Everything told of measured predictions of one model version."""

    verdict: ErrorVerdict
    reason: str
    n: int
    n_groups: int
    n_without_test: int  # conversions of a kind that the test split has none of
    bias: float | None  # mean of predicted minus measured SSIM
    windows: tuple[Window, ...]  # oldest first
    beside: tuple[BesideTest, ...]  # SSIM and log bytes
    coverage: CoverageCheck | None


def live_errors(rows: pd.DataFrame, test: pd.DataFrame, n_draws: int, seed: int = 0) -> LiveErrors:
    """Judge what was measured.

    Args:
        rows: of `joining.join`, of one version; each set once.
        test: predictions of that version's test split (`predictions.parquet` of its run).
        n_draws, seed: of the bootstrap over logos.
    """
    n_groups = int(rows["group"].nunique())
    if n_groups < MIN_GROUPS:
        return LiveErrors(
            verdict="not enough",
            reason=f"{n_groups} distinct logos were measured, a verdict takes {MIN_GROUPS}",
            n=len(rows), n_groups=n_groups, n_without_test=0, bias=None, windows=(), beside=(),
            coverage=None,
        )  # fmt: skip
    comparable = rows[_cells(rows).isin(set(_cells(test)))]
    beside: tuple[BesideTest, ...] = ()
    if comparable["group"].nunique() >= MIN_GROUPS:
        beside = tuple(
            _beside(name, comparable, test, column, n_draws, seed)
            for name, column in (("SSIM", "ssim"), ("log bytes", "log_bytes"))
        )
    held = _coverage_check(rows, n_draws, seed)
    verdict, reason = _verdict(rows, beside, held)
    return LiveErrors(
        verdict=verdict,
        reason=reason,
        n=len(rows),
        n_groups=n_groups,
        n_without_test=len(rows) - len(comparable),
        bias=float((rows["predicted_ssim"] - rows["ssim"]).mean()),
        windows=tuple(_window(part, n_draws, seed) for part in _windows(rows)),
        beside=beside,
        coverage=held,
    )


def held(rows: pd.DataFrame) -> np.ndarray:
    """Whether each SSIM interval holds what was measured, bool ``(n,)``."""
    return covered(rows["ssim"], rows["ssim_low"], rows["ssim_high"])


def mean_by_logo(values: np.ndarray, rows: pd.DataFrame, n_draws: int, seed: int = 0) -> Figure:
    """A mean over one or more rows and its interval."""
    value = float(values.mean())
    ends = cluster_mean_interval(values, rows["group"], n_draws, LEVEL, seed) or (value, value)
    return Figure(value, *ends)


def _windows(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """In the order of time, at most `MAX_WINDOWS`, each with enough logos for an interval."""
    ordered = rows.sort_values("at", kind="stable")
    least = max(MIN_GROUPS, int(np.ceil(ordered["group"].nunique() / MAX_WINDOWS)))
    shortest = np.ceil(len(ordered) / MAX_WINDOWS)  # rows: the same logos may come again and again
    starts, seen = [0], set[int]()
    for place, group in enumerate(ordered["group"]):
        if len(seen) >= least and group not in seen and place - starts[-1] >= shortest:
            starts.append(place)
            seen = set()
        seen.add(group)
    if len(seen) < least and len(starts) > 1:
        starts.pop()  # the rest is too small for a window: the one before takes it in
    for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True):
        yield ordered.iloc[start:end]


def _window(rows: pd.DataFrame, n_draws: int, seed: int) -> Window:
    return Window(
        start=rows["at"].iloc[0].to_pydatetime(),
        end=rows["at"].iloc[-1].to_pydatetime(),
        n=len(rows),
        n_groups=int(rows["group"].nunique()),
        ssim=mean_by_logo(absolute_errors(rows, "ssim"), rows, n_draws, seed),
        log_bytes=mean_by_logo(absolute_errors(rows, "log_bytes"), rows, n_draws, seed),
        coverage=mean_by_logo(held(rows), rows, n_draws, seed),
    )


def _cells(rows: pd.DataFrame) -> pd.Series[str]:
    return rows["everyday"].map({True: "everyday ", False: "other "}) + rows["colormode"]


def _beside(
    name: str, rows: pd.DataFrame, test: pd.DataFrame, target: str, n_draws: int, seed: int
) -> BesideTest:
    live = absolute_errors(rows, target)
    drawn_live = draw_means(rows["group"], n_draws, seed)(live)
    expected, drawn_test = _standardised(rows, test, target, n_draws, seed + 1)
    low, high = np.quantile(drawn_live - drawn_test, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    difference = float(live.mean()) - expected
    limit = TOLERATED_RISE * expected
    return BesideTest(
        name=name,
        live=float(live.mean()),
        test=expected,
        difference=difference,
        low=float(low),
        high=float(high),
        limit=limit,
        drifted=bool(low > 0 and difference > limit),
    )


def _standardised(
    rows: pd.DataFrame, test: pd.DataFrame, target: str, n_draws: int, seed: int
) -> tuple[float, np.ndarray]:
    """The test split's mean error at the rows' mix of cells, and the same in each draw."""
    errors, of_test = absolute_errors(test, target), _cells(test).to_numpy()
    shares = _cells(rows).value_counts(normalize=True)
    mean = draw_means(test["group"], n_draws, seed)
    expected, drawn = 0.0, np.zeros(n_draws)
    for cell, share in shares.items():
        mask = of_test == cell
        expected += share * float(errors[mask].mean())
        with np.errstate(invalid="ignore"):
            in_draw = mean(errors * mask) / mean(mask.astype(float))
        # A draw may hold no logo with this cell; the cell's own mean stands in.
        drawn += share * np.where(np.isfinite(in_draw), in_draw, errors[mask].mean())
    return expected, drawn


def _coverage_check(rows: pd.DataFrame, n_draws: int, seed: int) -> CoverageCheck:
    promised = float(rows["level"].mean())
    found = mean_by_logo(held(rows), rows, n_draws, seed)
    limit = promised - TOLERATED_GAP
    return CoverageCheck(promised, found, limit, found.high < promised and found.value < limit)


def _verdict(
    rows: pd.DataFrame, beside: tuple[BesideTest, ...], coverage: CoverageCheck
) -> tuple[ErrorVerdict, str]:
    said = [
        f"{line.name} error {line.live:.4f} where the test split has {line.test:.4f}"
        for line in beside
        if line.drifted
    ]
    if coverage.drifted:
        said.append(f"{coverage.found.value:.0%} covered where {coverage.promised:.0%} is promised")
    if said:
        return "drift", "; ".join(said)
    if not beside:
        return "not enough", "the test split has too few conversions of the kind measured"
    return "no drift", f"errors and coverage of {len(rows)} conversions are within the limits"
