"""What `convert --fill-gaps` adds to a campaign: the newest inventory's recommendation.

A recommendation names the conversions to add and those that earlier ones added, so each round of
`inventory` and `convert --fill-gaps` keeps what the rounds before it filled.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import Any, Final

from svg_quality.dataset.campaign import PlannedConversion, plan_recommended
from svg_quality.dataset.inventory.recommendation import RECOMMENDATION
from svg_quality.dataset.survey import LogoRecord
from svg_quality.errors import DatasetError
from svg_quality.settings import Settings
from svg_quality.stages.console import say
from svg_quality.stages.pipeline import StageContext
from svg_quality.tracking.identity import canonical_json, flatten
from svg_quality.tracking.lookup import FinishedRun, finished_run, newest_finished
from svg_quality.tracking.runs import SETTINGS_PREFIX

FILLED: Final = "filled_gaps.json"  # artifact of a `convert` that filled gaps
_COMMAND: Final = "svg-quality convert --fill-gaps"
_REPORT: Final = "dataset_analysis_report.json"  # artifact of `inventory`
_NOT_OF_THE_PLAN: Final = ("fill_gaps", "n_workers", "timeout_s")


def recommendation_digest(recommendation: list[dict[str, Any]]) -> str:
    """SHA-256 of the pictures and parameters that a recommendation names, in any order."""
    lines = sorted(canonical_json([x["image_id"], x["parameters"]]) for x in recommendation)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def newest_recommendation() -> FinishedRun:
    """The inventory that `convert --fill-gaps` follows; its output digest is the recommendation's.

    Raises:
        TrackingError: there is none.
    """
    return newest_finished("inventory", needed_by="convert --fill-gaps")


def with_recommended(
    context: StageContext, records: list[LogoRecord], plan: list[PlannedConversion]
) -> list[PlannedConversion]:
    """A plan, and what the newest inventory recommends for the pictures at hand.

    Raises:
        TrackingError: there is no inventory.
        DatasetError: its recommendation is not what this run was planned with, or is of other
            pictures only.
    """
    inventory = newest_recommendation()
    path = inventory.artifact(RECOMMENDATION)
    recommendation = json.loads(path.read_text(encoding="utf-8"))
    digest = recommendation_digest(recommendation)
    if digest != context.run.work.digests["recommendation"]:
        raise DatasetError(
            "a recommendation must not change while it is followed, that of inventory "
            f"{inventory.run_id} did: start again"
        )
    added, n_elsewhere = plan_recommended(records, recommendation)
    if recommendation and not added:
        report = json.loads(inventory.artifact(_REPORT).read_text(encoding="utf-8"))
        raise DatasetError(
            f"filling gaps needs the pictures of inventory {inventory.run_id[:8]}, all "
            f"{n_elsewhere:,} conversions that it recommends are of others: "
            f"{report['recommendation']['command']}"
        )
    known = {planned.conversion_id for planned in plan}
    fresh = [planned for planned in added if planned.conversion_id not in known]
    context.run.log_dataset("recommendation", digest, path, "filling gaps")
    context.run.set_tags({"input.inventory": inventory.run_id})
    context.run.log_json([_entry(planned) for planned in fresh], FILLED)
    say(
        f"convert    {len(fresh):,} conversions join the campaign, as inventory "
        f"{inventory.run_id[:8]} recommends; {n_elsewhere:,} are of pictures that are not in it"
    )
    return [*plan, *fresh]


def filled_before(source: FinishedRun) -> list[dict[str, Any]]:
    """The picture and parameters of each conversion that a table has from filling gaps.

    Args:
        source: run that made the table; one of `augment` has what its `convert` had.

    Raises:
        TrackingError: the run of `convert` is gone.
    """
    run = source_convert(source)
    if run is None or run.params.get(f"{SETTINGS_PREFIX}.fill_gaps") != "true":
        return []
    filled: list[dict[str, Any]] = json.loads(run.artifact(FILLED).read_text(encoding="utf-8"))
    return filled


def source_convert(source: FinishedRun) -> FinishedRun | None:
    """The run of `convert` that a table goes back to; None where it was collected."""
    run = source
    while run.stage != "convert":
        before = run.tags.get("input.convert") or run.tags.get("input.augment")
        if before is None:
            return None
        run = finished_run(before)
    return run


def fill_command(source: FinishedRun, settings: Settings) -> str:
    """The command that fills a table's gaps: with the logos and settings it was made with.

    Args:
        source: run that made the table.
        settings: that the command would have without flags.
    """
    usual = flatten(settings.convert.model_dump(), SETTINGS_PREFIX)
    flags = [
        f"--{name.replace('_', '-')} {shlex.quote(value)}"
        for name, value in _made_with(source).items()
        if name not in _NOT_OF_THE_PLAN and value != usual.get(f"{SETTINGS_PREFIX}.{name}")
    ]
    return " ".join([_COMMAND, *sorted(flags)])


def _made_with(source: FinishedRun) -> dict[str, str]:
    """Settings of `convert`, as text; of a collected table only where its pictures are."""
    run = source_convert(source)
    if run is None:
        return {"logos": source.params[f"{SETTINGS_PREFIX}.images"]}
    prefix = f"{SETTINGS_PREFIX}."
    return {
        key.removeprefix(prefix): value
        for key, value in run.params.items()
        if key.startswith(prefix)
    }


def _entry(planned: PlannedConversion) -> dict[str, Any]:
    return {
        "image_id": planned.record.image_id,
        "source": planned.record.source,
        "logo_type": planned.record.logo_type,
        "parameters": planned.parameters.as_dict(),
    }
