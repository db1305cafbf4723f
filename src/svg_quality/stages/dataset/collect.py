"""`collect`: from result logs of earlier runs to a table of conversions, and a quarantine."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from svg_quality.conversion.parameters import NAMES
from svg_quality.dataset.collection.collect import ConversionDataCollector
from svg_quality.dataset.collection.collected import Collected, LogReport
from svg_quality.dataset.collection.log_formats import find_logs
from svg_quality.dataset.tables import AS_LOGGED, table_digest
from svg_quality.errors import DatasetError
from svg_quality.settings import CollectSettings, Settings
from svg_quality.stages.console import progress, say
from svg_quality.stages.dataset.convert import DESCRIBING, TABLE
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.identity import file_digest

QUARANTINE: Final = "quarantine.jsonl"
REPORT: Final = "collection.json"
_INDENT: Final = " " * 11


def _collect(context: StageContext) -> None:
    settings: CollectSettings = context.settings
    collector = ConversionDataCollector(
        images=settings.images,
        library=context.data / "logos",
        aliases=settings.aliases or None,
        re_measure=settings.re_measure,
        working_size=settings.working_size,
        n_workers=settings.n_workers,
        timeout_s=settings.timeout_s,
        progress=progress,
    )
    try:
        collected = collector.collect(settings.logs)
    except DatasetError as error:
        for note in getattr(error, "__notes__", ()):  # the problem of each log
            say(f"collect    {note}")
        raise
    report = {"source": settings.logs, "images": settings.images, **collected.as_dict()}
    folder = _keep(context, collected, report)
    logs_digest = context.run.work.digests["logs"]
    context.run.log_dataset("logs", logs_digest, Path(settings.logs).resolve(), "collection")
    context.run.log_metrics(_metrics(report))
    context.run.set_output(table_digest(collected.table), context.data / "logos")
    _tell(collected, report, folder / QUARANTINE)


def _keep(context: StageContext, collected: Collected, report: dict[str, Any]) -> Path:
    """Table, quarantine and counts as artifacts; the last two also where people look."""
    reports = context.reports / context.run.run_id
    reports.mkdir(parents=True, exist_ok=True)
    context.run.log_table(collected.table, TABLE)
    with TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / QUARANTINE).open("w", encoding="utf-8") as lines:
            for entry in collected.quarantine:
                lines.write(json.dumps(entry.as_dict(), allow_nan=False) + "\n")
        text = json.dumps(report, indent=1, allow_nan=False)
        (folder / REPORT).write_text(f"{text}\n", encoding="utf-8")
        context.run.log_artifact(folder)
        for file in (QUARANTINE, REPORT):
            shutil.copyfile(folder / file, reports / file)
    return reports


def _metrics(report: dict[str, Any]) -> dict[str, float]:
    measured = report["remeasured"] or {}
    figures = {name: value for name, value in measured.items() if isinstance(value, int | float)}
    return {
        "records": report["records"],
        "conversions": report["in_table"],
        "conversions_failed": report["failed_conversions"],
        "quarantined": report["in_quarantine"],
        "logs_not_usable": sum(log["problem"] is not None for log in report["logs"]),
        **{f"remeasured.{name}": value for name, value in figures.items()},
    }


def _tell(collected: Collected, report: dict[str, Any], quarantine: Path) -> None:
    for log in collected.logs:
        say(f"collect    {log.name}: {log.problem or _account(log)}")
    n_rows, n_failed = report["in_table"], report["failed_conversions"]
    failed = f" ({n_failed:,} of them failed conversions)" if n_failed else ""
    say(
        f"collect    {report['records']:,} records: {n_rows:,} in the table{failed},"
        f" {report['in_quarantine']:,} in quarantine{_reasons(collected)}"
    )
    if collected.defaults:
        used = ", ".join(f"{name} {n:,}" for name, n in collected.defaults.items())
        say(f"{_INDENT}VTracer's default stands for what was not logged: {used}")
    if report["remeasured"]:
        _tell_label_errors(report["remeasured"])
    if collected.quarantine:
        say(f"{_INDENT}quarantine: {quarantine}")
    _tell_what_next(collected)


def _account(log: LogReport) -> str:
    parameters = [name for name in NAMES if name in log.fields]
    fields = [name for name in log.fields if name not in parameters]
    found = ", ".join([*fields, f"{len(parameters)} parameters"])
    if "conversion_id" in log.fields:
        found = "the columns of our own table"
    n_aside = log.n_records - log.n_rows
    return f"{log.n_records:,} records with {found}; {log.n_rows:,} in the table, {n_aside:,} not"


def _reasons(collected: Collected) -> str:
    reasons = collected.reasons
    several = sum(reasons.values()) > len(collected.quarantine)
    note = "; a record may have several reasons" if several else ""
    listed = ", ".join(f"{n:,} {kind}" for kind, n in reasons.items())
    return f" ({listed}{note})" if reasons else ""


def _tell_label_errors(measured: dict[str, Any]) -> None:
    again = f"{measured['failed_again']:,} failed" if measured["failed_again"] else "none failed"
    if not measured["n"]:
        say(f"{_INDENT}measured again: nothing to compare, {again}")
        return
    worst = measured["worst"][0]
    say(
        f"{_INDENT}measured again: {measured['n']:,} logged SSIM were off by"
        f" {measured['mean_absolute']:.4f} in the mean ({measured['mean']:+.4f} signed), 95% within"
        f" {measured['p95_absolute']:.4f}, at most {measured['max_absolute']:.4f}"
        f" ({worst['record']}); {again}"
    )


def _tell_what_next(collected: Collected) -> None:
    if not len(collected.table):
        lost = collected.reasons.get("image not found", 0)
        remedy = "give the folder that the logged paths start from with --images" if lost else (
            "the quarantine file names every reason"
        )  # fmt: skip
        say(f"collect    next: no record became a row; {remedy}")
        return
    n_logged = int(collected.table["ssim_definition"].eq(AS_LOGGED).sum())
    note = (
        f"; the {n_logged:,} rows of other programs can be learned from only once they are"
        " measured again (collect --re-measure)"
    )
    say(f"collect    next: svg-quality dataset --collected newest{note if n_logged else ''}")


def _own_digests(settings: Settings) -> dict[str, str]:
    """Of the logs, and of the user's names for their fields."""
    digest = hashlib.sha256()
    for name, path in find_logs(Path(settings.collect.logs)).items():
        digest.update(f"{name} {file_digest(path)}\n".encode())
    aliases = settings.collect.aliases
    return {"logs": digest.hexdigest()} | (
        {"aliases": file_digest(Path(aliases))} if aliases else {}
    )


COLLECT = Stage(
    name="collect",
    after=(),
    code=("conversion", "dataset", *DESCRIBING, "stages/dataset/collect.py"),
    act=_collect,
    own_digests=_own_digests,
)
