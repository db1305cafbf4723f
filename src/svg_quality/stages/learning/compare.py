"""`compare`: whether one run's predictions are better than another's, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from svg_quality.errors import SettingsError
from svg_quality.settings import CompareSettings, Settings
from svg_quality.stages.console import progress, say
from svg_quality.stages.learning.assess import ARTIFACTS
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.lookup import FinishedRun, input_run

if TYPE_CHECKING:
    from svg_quality.evaluation.comparing.comparison import Comparison

SOURCES: Final = ("train", "evaluate")  # whose runs hold predictions
_SHORT: Final = 8  # characters of a run id that people read


def _compare(context: StageContext) -> None:
    from svg_quality.evaluation.comparing.comparison import compare
    from svg_quality.evaluation.comparing.page import ComparedRuns, text_table, write_comparison
    from svg_quality.evaluation.comparing.predictions import FILE_NAME, aligned, read_predictions

    settings: CompareSettings = context.settings
    runs = _runs(settings.runs)
    tables = {
        name: read_predictions(run.artifact(f"{ARTIFACTS}/{FILE_NAME}"))
        for name, run in runs.items()
    }
    rows = aligned(tables)
    reference, *contenders = rows
    _log_data(context, tables[reference].facts, runs)
    found = {
        name: compare(rows[reference], rows[name], settings.tolerance, settings.n_draws)
        for name in progress(contenders, len(contenders), "comparing")
    }
    compared = ComparedRuns(
        reference=reference,
        runs={name: _describe(run) for name, run in runs.items()},
        facts=dict(tables[reference].facts),
        n_rows={name: len(table.rows) for name, table in tables.items()},
        n_common=len(rows[reference]),
        n_logos=int(rows[reference]["group"].nunique()),
        tolerance=settings.tolerance,
        n_draws=settings.n_draws,
        comparisons=found,
    )
    written = write_comparison(compared, context.reports / context.run.run_id)
    for path in written.values():
        context.run.log_artifact(path, "comparison")
    context.run.log_metrics(_metrics(found))
    for line in text_table(compared):
        say(f"compare    {line}".rstrip())
    say(f"compare    page: {written['html_report']}")


def _runs(text: str) -> dict[str, FinishedRun]:
    """The runs by the names they go by here: the first characters of their ids."""
    run_ids = text.split()
    if len(run_ids) < 2:
        raise SettingsError(f"compare needs two run ids or more, got {len(run_ids)}")
    if len(set(run_ids)) < len(run_ids):
        raise SettingsError(f"runs to compare must be different ones, got {text}")
    return {run_id[:_SHORT]: input_run(SOURCES, run_id, needed_by="compare") for run_id in run_ids}


def _log_data(
    context: StageContext, facts: Mapping[str, str], runs: Mapping[str, FinishedRun]
) -> None:
    release = context.data / "releases" / facts["dataset"] / facts["version"]
    context.run.log_dataset(facts["dataset"], facts["digest"], release, "comparison")
    context.run.set_tags(
        {f"compared.{place}": run.run_id for place, run in enumerate(runs.values())}
    )


def _describe(run: FinishedRun) -> str:
    version = run.tags.get("model.version")
    return f"{run.stage} run {run.run_id}" + (f", model version {version}" if version else "")


def _metrics(found: Mapping[str, Comparison]) -> dict[str, float]:
    return {
        f"{name}.{region}.{target}.difference": told.difference
        for name, comparison in found.items()
        for region, by_target in comparison.differences.items()
        for target, told in by_target.items()
    }


def _input_digests(settings: Settings) -> dict[str, str]:
    """Of the runs that were named: they are refused before a run of this stage is made."""
    runs = _runs(settings.compare.runs).values()
    return {f"compared.{place}": run.fingerprint for place, run in enumerate(runs)}


COMPARE = Stage(
    name="compare",
    after=(),
    code=("evaluation", "stages/learning/compare.py"),
    act=_compare,
    own_digests=_input_digests,
)
