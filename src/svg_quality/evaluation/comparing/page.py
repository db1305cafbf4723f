"""A comparison of runs as one HTML page, one JSON file and a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from svg_quality.evaluation.comparing.comparison import LEVEL, MIN_GROUPS, TARGETS, Comparison
from svg_quality.evaluation.metrics import REGIONS
from svg_quality.pages.environment import fixed, signed
from svg_quality.pages.report_files import write_report_files


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """Everything one comparison tells; runs go by short names."""

    reference: str
    runs: Mapping[str, str]  # name: what it is
    facts: Mapping[str, str]  # dataset, version, digest, split
    n_rows: Mapping[str, int]  # that each run predicted
    n_common: int  # rows that all predicted
    n_logos: int
    tolerance: float
    n_draws: int
    comparisons: Mapping[str, Comparison]  # contender: beside the reference


def write_comparison(compared: ComparedRuns, output_dir: Path) -> dict[str, Path]:
    """Write ``comparison.html`` and ``comparison.json``, see `write_report_files`."""
    return write_report_files(
        output_dir, "comparison", compared, "svg_quality.evaluation", "comparison.html.j2",
        compared=compared, regions=REGIONS, targets=TARGETS, level=LEVEL, min_groups=MIN_GROUPS,
    )  # fmt: skip


def text_table(compared: ComparedRuns) -> list[str]:
    """The verdicts as lines of text."""
    facts = compared.facts
    lines = [
        f"{facts['split']} split of {facts['dataset']} {facts['version']}: {compared.n_common} "
        f"rows of {compared.n_logos} distinct logos that all runs predicted",
        f"reference  {compared.runs[compared.reference]}",
    ]
    for name, comparison in compared.comparisons.items():
        lines += ["", f"contender  {compared.runs[name]}", _row(*_HEADINGS)]
        for region, by_target in comparison.differences.items():
            for target, told in by_target.items():
                lines.append(
                    _row(
                        f"{REGIONS[region]}, {TARGETS[target]}",
                        fixed(told.reference, 4),
                        fixed(told.contender, 4),
                        signed(told.difference, 4),
                        f"{signed(told.low, 4)} to {signed(told.high, 4)}",
                        "-" if told.wilcoxon is None else f"{told.wilcoxon:.2g}",
                        told.verdict,
                    )
                )
        lines += _regression_lines(comparison)
    return lines


_HEADINGS: Final = ("mean absolute error", "was", "is", "difference", f"{LEVEL:.0%} interval",
                    "Wilcoxon p", "verdict")  # fmt: skip


def _row(*cells: str) -> str:
    widths = 27, 7, 7, 10, 19, 10
    first, *rest = cells
    shown = [first.ljust(widths[0])]
    shown += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=False)]
    return "  ".join([*shown, rest[-1]])


def _regression_lines(comparison: Comparison) -> list[str]:
    asked = [line for line in comparison.subgroups if line.p is not None]
    silent = len(comparison.subgroups) - len(asked)
    few = f"; {silent} more have fewer than {MIN_GROUPS} logos" if silent else ""
    if not comparison.regressions:
        return [f"regressions: none in {len(asked)} types and bands{few}"]
    return [
        f"REGRESSION in {line.name}: mean absolute SSIM error {signed(line.difference, 4)} "
        f"(p {line.p_holm:.2g} after Holm, {line.n} rows of {line.n_groups} logos)"
        for line in comparison.regressions
    ] + ([f"{len(asked)} types and bands were asked{few}"])
