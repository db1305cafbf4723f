"""`convert`: from a folder of logos to a table of measured conversions."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from svg_quality.conversion.workers import ConversionTask, convert_all, worker_count
from svg_quality.dataset.campaign import ConversionLog, PlannedConversion, plan_conversions
from svg_quality.dataset.logos import (
    LogoFile,
    choose_logos,
    discover_logos,
    read_excluded,
    read_logo_types,
    with_types,
)
from svg_quality.dataset.survey import LogoRecord, SurveyTask, survey_logos
from svg_quality.dataset.tables import conversions_table, table_digest
from svg_quality.errors import DatasetError
from svg_quality.features.store import FeatureStore
from svg_quality.settings import ConvertSettings, Settings
from svg_quality.stages.console import progress, say
from svg_quality.stages.dataset.filling import newest_recommendation, with_recommended
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.identity import code_digest, file_digest

TABLE: Final = "conversions.parquet"
REJECTED: Final = "rejected_logos.json"
DESCRIBING: Final = (  # code that descriptors depend on
    "conversion/parameters.py", "conversion/tracing.py", "features/box_ssim.py",
    "features/descriptors.py", "features/probes.py", "features/regions.py",
)  # fmt: skip


def descriptors_kind(working_size: int) -> str:
    """Which descriptors these are: another definition or size is another kind in the store."""
    return f"descriptors-{code_digest(DESCRIBING)[:16]}-{working_size}px"


def _convert(context: StageContext) -> None:
    settings: ConvertSettings = context.settings
    n_workers = worker_count(settings.n_workers)
    records, rejected = _survey(context, chosen_logos(settings), n_workers)
    plan = plan_conversions(
        records, settings.sets_per_image, settings.everyday_share, settings.seed
    )
    if settings.fill_gaps:
        plan = with_recommended(context, records, plan)
    known = convert_missing(context, plan, n_workers)
    table = conversions_table([described_row(p, known[p.conversion_id]) for p in plan])
    n_failed = int(table["error"].notna().sum())
    context.run.log_table(table, TABLE)
    context.run.log_json(rejected, REJECTED)
    context.run.log_metrics(
        {
            "logos_rejected": len(rejected),
            "images": len(records),
            "conversions": len(table),
            "conversions_failed": n_failed,
        }
    )
    context.run.set_output(table_digest(table), context.data / "logos")
    say(
        f"convert    {len(table):,} conversions of {len(records):,} images, {n_failed} failed"
        f" (each a row with its reason), {len(rejected)} logos refused"
        f" ({REJECTED} of the run says why)"
    )


def chosen_logos(settings: ConvertSettings) -> list[LogoFile]:
    """The logos that settings name, with their types where those are given."""
    excluded = read_excluded(Path(settings.excluded)) if settings.excluded else frozenset()
    logos = discover_logos(settings.logos)
    if settings.logo_types:
        logos = with_types(logos, read_logo_types(Path(settings.logo_types)))
    return choose_logos(logos, excluded, settings.max_logos, settings.seed)


def _survey(
    context: StageContext, logos: list[LogoFile], n_workers: int
) -> tuple[list[LogoRecord], dict[str, str]]:
    """A record for each distinct picture, by id, and the reason for each logo without one."""
    settings: ConvertSettings = context.settings
    source = Path(settings.logos).name
    library = context.data / "logos"
    tasks = [
        SurveyTask(logo, source, library, settings.working_size, settings.jpeg_share)
        for logo in logos
    ]
    records: dict[str, LogoRecord] = {}
    rejected: dict[str, str] = {}
    outcomes = survey_logos(tasks, n_workers, settings.timeout_s)
    for outcome in progress(outcomes, len(tasks), "looking at logos"):
        for record in outcome.result or []:
            twin = records.get(record.image_id)
            # Of files with the same pixels the first by name stands, whichever ended first.
            if twin is None or record.source < twin.source:
                records[record.image_id] = record
        if outcome.error:
            rejected[outcome.task.logo.name] = outcome.error
    if not records:
        reason = next(iter(rejected.values()), "every logo is excluded")
        raise DatasetError(f"a source must hold a readable logo, {source} holds none: {reason}")
    ordered = [records[image_id] for image_id in sorted(records)]
    keep_descriptors(context, ordered)
    return ordered, rejected


def keep_descriptors(context: StageContext, records: list[LogoRecord]) -> None:
    """Put what a survey computed into the feature store, where `extract` finds it."""
    store, kind = (
        FeatureStore(context.data / "features"),
        descriptors_kind(context.settings.working_size),
    )
    new = set(store.missing(kind, [record.image_id for record in records]))
    fresh = [record for record in records if record.image_id in new]
    if fresh:
        values = np.array([record.descriptors for record in fresh], np.float32)
        store.add(kind, [record.image_id for record in fresh], values)


def convert_missing(
    context: StageContext, plan: list[PlannedConversion], n_workers: int
) -> dict[str, dict[str, Any]]:
    """Do what the log lacks; gives the log's rows by conversion_id."""
    settings: ConvertSettings = context.settings
    log = ConversionLog(context.data / "conversions" / "log.jsonl")
    with log.writing():
        # A failure may be the limit's or the machine's: it is tried again, never a success.
        known = {row["conversion_id"]: row for row in log.rows() if row["error"] is None}
        todo = {p.conversion_id: p for p in plan if p.conversion_id not in known}
        if len(todo) < len(plan):
            say(f"convert    {len(plan) - len(todo):,} conversions are in the log already")
        tasks = (
            ConversionTask(
                p.conversion_id,
                context.data / "logos" / p.record.image_path,
                settings.working_size,
                p.parameters,
            )
            for p in todo.values()
        )
        outcomes = convert_all(tasks, n_workers, settings.timeout_s) if todo else ()
        for outcome in progress(outcomes, len(plan), "converting", len(plan) - len(todo)):
            planned = todo[outcome.task.conversion_id]
            row = planned.row(outcome.result, outcome.error)
            log.append(row)
            known[planned.conversion_id] = row
    return known


def described_row(planned: PlannedConversion, logged: dict[str, Any]) -> dict[str, Any]:
    """What was measured then, of the picture as it is described now."""
    return {**logged, **planned.record.columns()}


def _own_digests(settings: Settings) -> dict[str, str]:
    digests = {"logos": _logos_digest(settings)}
    if settings.convert.fill_gaps:
        digests["recommendation"] = newest_recommendation().output_digest
    return digests


def _logos_digest(settings: Settings) -> str:
    digest = hashlib.sha256()
    for logo in chosen_logos(settings.convert):
        digest.update(f"{logo.name} {logo.logo_type} {file_digest(logo.path)}\n".encode())
    return digest.hexdigest()


CONVERT = Stage(
    name="convert",
    after=(),
    code=(
        "conversion",
        "dataset/campaign.py",
        "dataset/logos.py",
        "dataset/survey.py",
        "dataset/tables.py",
        "features/logo_type.py",
        *DESCRIBING,
        "stages/dataset/convert.py",
        "stages/dataset/filling.py",
    ),
    act=_convert,
    own_digests=_own_digests,
)
