"""`ab-report`: which of champion and challenger was closer to what conversions gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from svg_quality.settings import Settings
from svg_quality.settings.using import AbReportSettings
from svg_quality.stages.console import say
from svg_quality.stages.pipeline import Stage, StageContext

if TYPE_CHECKING:
    from svg_quality.evaluation.live.side_by_side import SideBySide


def _ab_report(context: StageContext) -> None:
    from svg_quality.evaluation.live.ab_page import AbReport, ab_lines, write_ab_report
    from svg_quality.evaluation.live.side_by_side import side_by_side
    from svg_quality.serving.outcomes import served_outcomes

    settings: AbReportSettings = context.settings
    everything: Settings = context.everything
    joined, notes = served_outcomes(context.data, everything.dataset.max_distance)
    report = AbReport(
        pairs=side_by_side(joined.rows, settings.tolerance, settings.n_draws),
        counts=joined.counts,
        notes=list(notes.values()),
        tolerance=settings.tolerance,
        n_draws=settings.n_draws,
    )
    written = write_ab_report(report, context.reports / context.run.run_id)
    for path in written.values():
        context.run.log_artifact(path, "ab_report")
    context.run.log_metrics(_metrics(report.pairs))
    if report.pairs:
        newest = report.pairs[0]
        context.run.set_tags(
            {"ab.champion": newest.champion, "ab.challenger": newest.challenger,
             "ab.verdict": newest.verdict}
        )  # fmt: skip
    for line in ab_lines(report):
        say(f"ab-report  {line}")
    for note in report.notes:
        say(f"ab-report  note: {note}")
    say(f"ab-report  page: {written['html_report']}")


def _metrics(pairs: Sequence[SideBySide]) -> dict[str, float]:
    """Of the newest pair."""
    if not pairs:
        return {}
    pair = pairs[0]
    metrics = {"n_conversions": float(pair.n), "n_logos": float(pair.n_groups)}
    for role, one in pair.intervals.items():
        metrics[f"{role}.coverage"] = one.coverage.value
    if pair.comparison:
        for target, told in pair.comparison.differences["full"].items():
            metrics |= {
                f"{target}.difference": told.difference,
                f"{target}.difference_low": told.low,
                f"{target}.difference_high": told.high,
            }
    return metrics


AB_REPORT = Stage(
    name="ab-report",
    after=(),
    code=("evaluation", "serving/outcomes.py", "stages/using/ab_report.py"),
    act=_ab_report,
)
