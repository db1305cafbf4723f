"""`inventory`: what a table of conversions holds and lacks, and what to convert next."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow.parquet as pq

from svg_quality.dataset.inventory.page import write_inventory
from svg_quality.dataset.inventory.recommendation import RECOMMENDATION
from svg_quality.dataset.inventory.report import NEEDED, TEXTS, take_inventory
from svg_quality.pages.strict_json import strict_json
from svg_quality.settings import InventorySettings
from svg_quality.stages.console import say
from svg_quality.stages.dataset.augment import AUGMENT
from svg_quality.stages.dataset.collect import COLLECT
from svg_quality.stages.dataset.convert import CONVERT, TABLE
from svg_quality.stages.dataset.filling import fill_command, filled_before, recommendation_digest
from svg_quality.stages.pipeline import Stage, StageContext

_N_SAID: Final = 3


def _inventory(context: StageContext) -> None:
    settings: InventorySettings = context.settings
    source = context.source
    table = source.artifact(TABLE)
    context.run.log_dataset(source.stage, source.output_digest, table, "inventory")
    taken = take_inventory(_read(table), n_recommended=settings.n_recommended, seed=settings.seed)
    kept = [{**entry, "why": "recommended before, and in the table"}
            for entry in filled_before(source)]  # fmt: skip
    recommendation = [*(each.as_dict() for each in taken.recommended), *kept]
    command = fill_command(source, context.everything)
    report = {
        "table": {"run": source.run_id, "stage": source.stage, "digest": source.output_digest},
        **taken.report,
    }
    report["recommendation"] |= {"filled_before": len(kept), "command": command}
    page = _keep(context, report, recommendation)
    context.run.log_metrics(_metrics(report))
    context.run.set_output(recommendation_digest(recommendation))
    _say(report, page)


def _read(path: Path) -> pd.DataFrame:
    """Only what is needed, and each text once: a million rows take less than 1 GB."""
    table = pq.read_table(path, columns=list(NEEDED), read_dictionary=list(TEXTS))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _keep(
    context: StageContext, report: dict[str, Any], recommendation: list[dict[str, Any]]
) -> Path:
    """Write report, page and recommendation; gives the page at its fixed place."""
    folder = context.reports / context.run.run_id
    written = write_inventory(report, recommendation, folder)
    (folder / RECOMMENDATION).write_text(strict_json(recommendation), encoding="utf-8")
    context.run.log_artifact(folder)
    for path in written.values():
        shutil.copyfile(path, context.reports / path.name)
    return context.reports / written["html_report"].name


def _metrics(report: dict[str, Any]) -> dict[str, float]:
    totals, gaps = report["totals"], report["gaps"]
    return {
        "conversions": totals["conversions"],
        "conversions_failed": totals["failed"],
        "images": totals["images"],
        "coverage.share_of_pair_cells": report["coverage"]["share_of_pair_cells"],
        "gaps.empty_pair_cells": gaps["empty_pair_cells"],
        "gaps.thin_pair_cells": gaps["thin_pair_cells"],
        "recommended": report["recommendation"]["conversions"],
    }


def _say(report: dict[str, Any], page: Path) -> None:
    totals, gaps, plan = report["totals"], report["gaps"], report["recommendation"]
    say(
        f"inventory  {totals['conversions']:,} conversions of {totals['images']:,} images,"
        f" {totals['failed']:,} failed; {report['coverage']['share_of_pair_cells']:.0%} of the"
        f" pairwise cells covered ({gaps['empty_pair_cells']:,} empty, {gaps['thin_pair_cells']:,}"
        " thin)"
    )
    for gap in gaps["ranked"][:_N_SAID]:
        say(f"           gap: {gap['cell']} has {gap['n']} rows, {gap['wanted']} are wanted")
    for name, told in report["types"]["types"].items():
        if told["deficit"]:
            say(f"           type: {name} is {told['share'] or 0:.0%} of the rows,"
                f" {told['target_share']:.0%} is wanted")  # fmt: skip
    if plan["conversions"]:
        say(
            f"inventory  next: {plan['conversions']:,} conversions of {plan['images']:,} images"
            f" {_purpose(plan)}: {plan['command']}"
        )
    else:
        say(
            "inventory  next: nothing that more parameter sets of these images would fill;"
            " other logos may: svg-quality augment"
        )
    say(f"inventory  {page}")


def _purpose(plan: dict[str, Any]) -> str:
    n_for_types = plan["conversions"] - plan["for_pairs"]
    parts = []
    if plan["for_pairs"]:
        n_empty = plan["empty_cells_filled"]
        parts.append(f"fill {n_empty:,} empty cells" if n_empty else "fill thin cells")
    if n_for_types:
        parts.append(f"bring {n_for_types:,} rows to types below their share")
    return " and ".join(parts)


INVENTORY = Stage(
    name="inventory",
    after=(CONVERT, AUGMENT),
    accepts=(COLLECT,),
    code=("dataset", "pages", "stages/dataset/inventory.py", "stages/dataset/filling.py"),
    act=_inventory,
)
