"""What monitoring found as one HTML page, one JSON file and lines for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from svg_quality.evaluation.comparing.comparison import MIN_GROUPS
from svg_quality.evaluation.live.drift import (
    MIN_PICTURES,
    MUCH_PSI,
    SOME_PSI,
    UNLIKE_EXPECTED,
    UNLIKE_LIMIT,
    InputDrift,
)
from svg_quality.evaluation.live.errors import (
    TOLERATED_GAP,
    TOLERATED_RISE,
    Figure,
    LiveErrors,
    Window,
)
from svg_quality.pages.charts import Chart
from svg_quality.pages.environment import signed
from svg_quality.pages.lines import line_chart
from svg_quality.pages.report_files import write_report_files

_DRAWN: Final = 4  # numbers whose distributions are drawn
_UNITS: Final = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))


@dataclass(frozen=True, slots=True)
class Monitored:
    """Everything one look at the logs tells of a version."""

    version: str  # name and number
    days: int  # looked back; 0: over the whole log
    inputs: InputDrift
    errors: LiveErrors
    counts: Mapping[str, int]  # what was read, and what was left out
    notes: Sequence[str]  # what is not known, as sentences
    n_draws: int

    @property
    def drifted(self) -> bool:
        """Whether inputs or errors did."""
        return "drift" in (self.inputs.verdict, self.errors.verdict)


def write_monitor(
    told: Monitored,
    reference: Mapping[str, np.ndarray],
    served: Mapping[str, np.ndarray],
    output_dir: Path,
) -> dict[str, Path]:
    """Write ``monitor.html`` and ``monitor.json``, see `write_report_files`.

    Args:
        told: what was found.
        reference, served: the numbers that were compared, see `drift.input_drift`.
        output_dir: made where it does not exist.
    """
    return write_report_files(
        output_dir, "monitor", told, "svg_quality.evaluation", "monitor.html.j2",
        told=told,
        distributions=_distributions(told.inputs, reference, served),
        over_time=_over_time(told.errors),
        limits={
            "pictures": MIN_PICTURES, "logos": MIN_GROUPS, "some": SOME_PSI, "much": MUCH_PSI,
            "unlike": UNLIKE_LIMIT, "expected": UNLIKE_EXPECTED, "rise": TOLERATED_RISE,
            "gap": TOLERATED_GAP,
        },
    )  # fmt: skip


def monitor_lines(told: Monitored) -> list[str]:
    """The verdicts as lines of text, with the thresholds they were taken by."""
    inputs, errors = told.inputs, told.errors
    lines = [f"inputs of {told.version}: {inputs.verdict.upper()} ({inputs.reason})"]
    lines.append(
        f"  a number drifts at PSI {MUCH_PSI:g} or more with p below 0.05 after Holm;"
        f" {MIN_PICTURES} pictures make a verdict"
    )
    if inputs.unlike:
        beyond = inputs.unlike
        lines.append(
            f"  unlike the training logos: {beyond.n_unlike} of {beyond.n_served}"
            f" ({beyond.low:.1%} to {beyond.high:.1%}; {UNLIKE_EXPECTED:.0%} is expected,"
            f" {UNLIKE_LIMIT:.0%} is too many)"
        )
    lines.append(f"errors of {told.version}: {errors.verdict.upper()} ({errors.reason})")
    lines += [
        f"  {line.name + ' error':<16} {line.live:.4f}, test split at the same mix {line.test:.4f},"
        f" difference {signed(line.difference, 4)} ({signed(line.low, 4)} to"
        f" {signed(line.high, 4)}; {signed(line.limit, 4)} is too much)"
        for line in errors.beside
    ]
    if errors.coverage:
        held = errors.coverage
        lines.append(
            f"  covered          {held.found.value:.1%} ({held.found.low:.1%} to"
            f" {held.found.high:.1%}) of {errors.n} conversions of {errors.n_groups} distinct"
            f" logos; {held.promised:.0%} is promised, below {held.limit:.0%} is too little"
        )
    return lines


def _distributions(
    inputs: InputDrift, reference: Mapping[str, np.ndarray], served: Mapping[str, np.ndarray]
) -> list[Chart]:
    """Distribution functions of the numbers that moved most."""
    return [
        line_chart(
            line.name,
            f"PSI {line.psi:.2f}; share of pictures at or below each value, training and served.",
            {
                "training": _steps(reference[line.name]),
                "served": _steps(served[line.name]),
            },
            (line.name, "share of pictures at or below"),
        )
        for line in inputs.numbers[:_DRAWN]
    ]


def _steps(values: np.ndarray) -> tuple[list[float], list[float]]:
    """An empirical distribution function as the corners of its stairs."""
    x, counts = np.unique(values, return_counts=True)
    y = counts.cumsum() / len(values)
    before = np.concatenate([[0.0], y[:-1]])
    return np.repeat(x, 2).tolist(), np.stack([before, y], axis=1).ravel().tolist()


def _over_time(errors: LiveErrors) -> list[Chart]:
    if len(errors.windows) < 2:
        return []
    x, label = _ages(errors.windows)
    charts = [
        _figures_chart(
            f"Mean absolute {line.name} error",
            [window.ssim if line.name == "SSIM" else window.log_bytes for window in errors.windows],
            (x, label),
            ("test split", line.test),
        )
        for line in errors.beside
    ]
    if errors.coverage:
        found = [window.coverage for window in errors.windows]
        promised = "promised", errors.coverage.promised
        charts.append(_figures_chart("Measured SSIMs in the interval", found, (x, label), promised))
    return charts


def _figures_chart(
    title: str,
    figures: Sequence[Figure],
    at: tuple[list[float], str],
    beside: tuple[str, float],
) -> Chart:
    x, label = at
    name, level = beside
    first, last = figures[0].value, figures[-1].value
    return line_chart(
        title,
        f"From {first:.3f} in the oldest to {last:.3f} in the newest window; {name}: {level:.3f}.",
        {
            "mean": (x, [figure.value for figure in figures]),
            name: (x, [level] * len(x)),
            "95% interval": (  # two curves with a gap between them
                [*x, math.nan, *x],
                [
                    *(figure.low for figure in figures),
                    math.nan,
                    *(figure.high for figure in figures),
                ],
            ),
        },
        (label, "mean and its 95% interval"),
    )


def _ages(windows: Sequence[Window]) -> tuple[list[float], str]:
    """The end of each window in a unit that suits the span, 0 for the newest."""
    ends = [window.end.timestamp() - windows[-1].end.timestamp() for window in windows]
    name, seconds = next((unit for unit in _UNITS if -ends[0] >= 2 * unit[1]), _UNITS[-1])
    return [end / seconds for end in ends], f"{name} before the newest conversion"
