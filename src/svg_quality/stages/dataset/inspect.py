"""`inspect`: a contact sheet of a stratified sample, to be marked by a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from svg_quality.conversion.workers import worker_count
from svg_quality.dataset.inspection.marks import VERDICTS, Mark, read_marks
from svg_quality.dataset.inspection.page import ContactSheet, render_page, stratum_counts
from svg_quality.dataset.inspection.sample import (
    COLUMNS,
    Card,
    images_of,
    make_cards,
    sample_images,
    shown_rows,
    trace_all,
)
from svg_quality.dataset.library import LogoLibrary
from svg_quality.errors import DatasetError
from svg_quality.settings import InspectSettings
from svg_quality.stages.console import progress, say
from svg_quality.stages.dataset.augment import AUGMENT
from svg_quality.stages.dataset.collect import COLLECT
from svg_quality.stages.dataset.convert import CONVERT, TABLE
from svg_quality.stages.dataset.inspection_server import InspectionServer
from svg_quality.stages.pipeline import Stage, StageContext

PAGE: Final = "inspection.html"
_HEAVY: Final = 50_000_000  # bytes of a page from which browsers scroll badly


def _inspect(context: StageContext) -> None:
    settings: InspectSettings = context.settings
    marks_path = context.root / settings.marks
    read_marks(marks_path)  # a broken file is refused before any work
    table = pd.read_parquet(context.source.artifact(TABLE), columns=list(COLUMNS))
    if table.empty:
        raise DatasetError("an inspection needs at least one conversion, the table holds none")
    context.run.log_dataset(
        "conversions", context.source.output_digest, context.source.artifact_uri, "inspection"
    )
    sheet = _sheet(context, table)
    page = _keep_page(context, sheet, read_marks(marks_path))
    n_problems = sum(card.problem is not None for card in sheet.cards)
    context.run.log_metrics({
        "images": sheet.n_images, "images_shown": len(sheet.cards), "images_untraced": n_problems,
    })  # fmt: skip
    untraced = f", {n_problems} without a tracing (the card says why)" if n_problems else ""
    say(
        f"inspect    {len(sheet.cards):,} of {sheet.n_images:,} images, by type and quality"
        f"{untraced}: {page}"
    )
    if page.stat().st_size > _HEAVY:
        say(
            f"inspect    the page has {page.stat().st_size >> 20} MiB: a smaller --share is lighter"
        )
    if settings.serve:
        _serve(context, sheet, marks_path)
    else:
        say(
            "inspect    to mark pictures: `svg-quality inspect --serve`; or open the page, download"
            f" marks.json and put it at {settings.marks}"
        )
    _keep_marks(context, marks_path)


def _sheet(context: StageContext, table: pd.DataFrame) -> ContactSheet:
    settings: InspectSettings = context.settings
    images = images_of(table)
    sampled = sample_images(images, settings.share, settings.seed)
    return ContactSheet(
        cards=_cards(context, table, images[sampled]),
        strata=stratum_counts(images, sampled),
        n_images=len(images),
        origin=f"{context.source.stage} run {context.source.run_id[:8]}",
        marks_file=settings.marks,
    )


def _cards(context: StageContext, table: pd.DataFrame, images: pd.DataFrame) -> list[Card]:
    limits = context.everything.convert  # a picture may take here what it may take there
    rows = shown_rows(table[table["image_id"].isin(images.index)])
    outcomes = trace_all(
        rows,
        LogoLibrary(context.data / "logos"),
        worker_count(limits.n_workers),
        limits.timeout_s,
    )
    return make_cards(images, rows, progress(outcomes, len(rows), "tracing the sample"))


def _keep_page(context: StageContext, sheet: ContactSheet, marks: Mapping[str, Mark]) -> Path:
    page = context.reports / context.run.run_id / PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_page(sheet, marks, saves=False), encoding="utf-8")
    context.run.log_artifact(page)
    return page


def _serve(context: StageContext, sheet: ContactSheet, marks_path: Path) -> None:
    """Until Ctrl-C; then the kept page gets the marks as well."""
    server = InspectionServer(
        page=lambda marks: render_page(sheet, marks, saves=True),
        originals={card.image_id: card.derived_from for card in sheet.cards},
        marks_path=marks_path,
        port=context.settings.port,
    )
    say(f"inspect    mark the pictures at {server.url} and end with Ctrl-C")
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("")  # below the ^C that the terminal shows
    _keep_page(context, sheet, read_marks(marks_path))


def _keep_marks(context: StageContext, marks_path: Path) -> None:
    marks = read_marks(marks_path)
    counts = Counter(mark.verdict for mark in marks.values())
    context.run.log_metrics({
        f"marks.{verdict.replace(' ', '_')}": counts[verdict] for verdict in VERDICTS
    })  # fmt: skip
    if not marks:
        return
    context.run.log_artifact(marks_path)
    noun = "mark" if len(marks) == 1 else "marks"
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    say(
        f"inspect    {context.settings.marks} holds {len(marks)} {noun} ({listed}); "
        "`svg-quality dataset` honours them"
    )


INSPECT = Stage(
    name="inspect",
    after=(CONVERT, AUGMENT),
    accepts=(COLLECT,),
    code=(
        "conversion",
        "pages",
        "dataset/inspection/sample.py",
        "dataset/inspection/page.py",
        "dataset/inspection/marks.py",
        "stages/dataset/inspect.py",
        "stages/dataset/inspection_server.py",
    ),
    act=_inspect,
)
