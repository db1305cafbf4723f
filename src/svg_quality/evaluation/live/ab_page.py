"""Champion and challenger as one HTML page, one JSON file and lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from svg_quality.evaluation.comparing.comparison import LEVEL, MIN_GROUPS, TARGETS
from svg_quality.evaluation.live.side_by_side import SideBySide
from svg_quality.evaluation.metrics import REGIONS
from svg_quality.pages.environment import fixed, signed
from svg_quality.pages.report_files import write_report_files


@dataclass(frozen=True, slots=True)
class AbReport:
    """Everything one report tells."""

    pairs: Sequence[SideBySide]  # the newest first
    counts: Mapping[str, int]  # what was read, and what was left out
    notes: Sequence[str]  # what is not known, as sentences
    tolerance: float
    n_draws: int


def write_ab_report(report: AbReport, output_dir: Path) -> dict[str, Path]:
    """Write ``ab_report.html`` and ``ab_report.json``, see `write_report_files`."""
    return write_report_files(
        output_dir, "ab_report", report, "svg_quality.evaluation", "ab_report.html.j2",
        report=report, regions=REGIONS, targets=TARGETS, level=LEVEL, min_groups=MIN_GROUPS,
    )  # fmt: skip


def ab_lines(report: AbReport) -> list[str]:
    """The verdicts as lines of text."""
    if not report.pairs:
        return [
            f"not enough: no set was predicted by champion and challenger and then converted;"
            f" a verdict takes {MIN_GROUPS} distinct logos"
        ]
    lines = []
    for pair in report.pairs:
        lines.append(
            f"{pair.challenger} beside {pair.champion}: {pair.verdict.upper()} ({pair.reason})"
        )
        lines.append(
            f"  {pair.n} conversions of {pair.n_groups} distinct logos that both predicted"
        )
        if pair.comparison is None:
            continue
        for target, heading in TARGETS.items():
            told = pair.comparison.differences["full"][target]
            lines.append(
                f"  {heading + ' error':<16} {fixed(told.reference, 4)} ->"
                f" {fixed(told.contender, 4)}, difference {signed(told.difference, 4)}"
                f" ({signed(told.low, 4)} to {signed(told.high, 4)}): {told.verdict}"
            )
        held = ", ".join(
            f"{role} {one.coverage.value:.0%} ({one.coverage.low:.0%} to {one.coverage.high:.0%})"
            for role, one in pair.intervals.items()
        )
        promised = pair.intervals["challenger"].promised
        lines.append(f"  covered          {held}; {promised:.0%} is promised")
        lines += [
            f"  REGRESSION in {line.name}: SSIM error {signed(line.difference, 4)}"
            for line in pair.comparison.regressions
        ]
    return lines
