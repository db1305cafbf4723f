"""`augment`: fill what a table lacks, with more real logos first, with synthetic ones last."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from svg_quality.dataset.augmentation.builder import BuildPlan
from svg_quality.dataset.augmentation.realism import realism_line
from svg_quality.dataset.tables import check_conversions, table_digest
from svg_quality.stages.console import say
from svg_quality.stages.dataset.augmentation import (
    add_further_sets,
    add_real_logos,
    add_synthetic_logos,
    campaign_of,
    realism_of,
)
from svg_quality.stages.dataset.convert import CONVERT, DESCRIBING, TABLE
from svg_quality.stages.pipeline import Stage, StageContext

REPORT: Final = "augmentation.json"


def _augment(context: StageContext) -> None:
    campaign = campaign_of(context)
    table = check_conversions(pd.read_parquet(context.source.artifact(TABLE)))
    context.run.log_dataset(
        "conversions", context.source.output_digest, context.source.artifact(TABLE), "augmentation"
    )
    before = campaign.plan(table)
    _say_shares("before", before)
    table, found = add_real_logos(campaign, table, before)
    table, tried = add_further_sets(campaign, table)
    table, drawn, records = add_synthetic_logos(campaign, table)
    after = campaign.plan(table)
    _say_shares("after", after)
    report = {
        "target_samples": campaign.target,
        "continued_run": context.source.run_id,
        "before": {"table": before.supply, "selected": before.result},
        "after": {"table": after.supply, "selected": after.result},
        "steps": {"real_logos": found, "further_sets": tried, "synthetic": drawn},
        "realism": realism_of(campaign, table, records),
    }
    _leave(context, table, report)


def _leave(context: StageContext, table: pd.DataFrame, report: dict[str, Any]) -> None:
    context.run.log_table(table, TABLE)
    context.run.log_json(report, REPORT)
    context.run.set_output(table_digest(table), context.data / "logos")
    steps, after = report["steps"], report["after"]["selected"]
    metrics = {f"{step}.{key}": told[key] for step, told in steps.items()
               for key in ("rows", "images", "failed")}  # fmt: skip
    metrics |= {f"realism.auc.{k}": r["auc"] for k, r in report["realism"].items() if "auc" in r}
    balance = {"conversions": len(table), "missing": after["missing"],
               "share_distance": after["share_distance"] or 0.0}  # fmt: skip
    context.run.log_metrics({**metrics, **balance})
    for label, step in (("more real logos", "real_logos"), ("further sets", "further_sets"),
                        ("synthetic", "synthetic")):  # fmt: skip
        told = steps[step]
        say(f"augment    {label}: {told['rows']:,} conversions of {told['images']:,} images")
    say(f"augment    {realism_line(report['realism'])}")
    say(
        f"augment    {len(table):,} conversions; a balanced selection of {after['target']:,} is"
        f" short by {after['missing']:,}; next: svg-quality dataset --target-samples"
        f" {after['target']} --input-run {context.run.run_id}"
    )


def _say_shares(when: str, plan: BuildPlan) -> None:
    types = plan.result["types"]
    shares = ", ".join(
        f"{name} {entry['rows']:,} of {entry['target']:,}" for name, entry in types.items()
    )
    n_low = sum(sum(entry["cells"][:5]) for entry in types.values())
    say(f"augment    {when}: selected {shares}; {n_low:,} with SSIM 0.3 to 0.8")


AUGMENT = Stage(
    name="augment",
    after=(CONVERT,),
    code=(
        "conversion",
        "dataset",
        "features/logo_type.py",
        *DESCRIBING,
        "stages/dataset/augment.py",
        "stages/dataset/augmentation.py",
        "stages/dataset/convert.py",
    ),
    act=_augment,
)
