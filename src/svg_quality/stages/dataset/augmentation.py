"""The steps of `augment`: more real logos, further parameter sets, synthetic logos."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pandas as pd
from pydantic import ValidationError

from svg_quality.conversion.workers import worker_count
from svg_quality.dataset.augmentation.builder import BuildPlan, DatasetBuilder
from svg_quality.dataset.augmentation.painting import rasterise
from svg_quality.dataset.augmentation.realism import realism_by_kind
from svg_quality.dataset.augmentation.scouting import Scouted, scout_logos
from svg_quality.dataset.augmentation.selection import hash_order
from svg_quality.dataset.augmentation.synthetic import draw_logo
from svg_quality.dataset.campaign import PlannedConversion, conversion_digest, plan_conversions
from svg_quality.dataset.logos import LogoFile
from svg_quality.dataset.splits.split import near_duplicate_groups
from svg_quality.dataset.survey import LogoRecord, SurveyTask
from svg_quality.dataset.tables import CONVERSIONS, check_conversions
from svg_quality.dataset.targets import TYPE_SHARES, ssim_cells
from svg_quality.errors import FeatureError, TrackingError
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.features.store import FeatureStore
from svg_quality.settings import AugmentSettings, ConvertSettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.dataset.convert import (
    REJECTED,
    chosen_logos,
    convert_missing,
    described_row,
    descriptors_kind,
    keep_descriptors,
)
from svg_quality.stages.pipeline import StageContext
from svg_quality.tracking.lookup import FinishedRun

_DRAWINGS_PER_PICTURE: Final = 20  # tried at most, since not each looks like its kind
_SHARP_SHARE: Final = 0.25  # of drawings; the others go through a change of size
_SOFTEST: Final = 0.35
_REALISM_LOGOS: Final = 800  # real ones that the classifier is shown, at most
_GRID: Final = re.compile(r"_f\d+_l\d+$")  # a thousand numbers at VTracer's settings
_MAX_DISTANCE: Final = 6  # bits of pHash within which real logos are one group


@dataclass(frozen=True, slots=True)
class Campaign:
    """What every step needs."""

    context: StageContext  # whose settings are those of the `convert` that is continued
    builder: DatasetBuilder
    target: int
    seed: int
    n_workers: int

    @property
    def converting(self) -> ConvertSettings:
        """Of the run that is continued."""
        settings: ConvertSettings = self.context.settings
        return settings

    def plan(self, table: pd.DataFrame) -> BuildPlan:
        """What the table lacks now."""
        return self.builder.plan(table, self.target)


def campaign_of(context: StageContext) -> Campaign:
    """What the steps need, from a run of `augment`."""
    settings: AugmentSettings = context.settings
    n_workers = worker_count(settings.n_workers)
    converting = _converting(context.source).model_copy(update={"timeout_s": settings.timeout_s})
    builder = DatasetBuilder(
        sets_per_image=converting.sets_per_image,
        synthetic_share=settings.synthetic_share,
        seed=settings.seed,
    )
    return Campaign(
        replace(context, settings=converting),
        builder,
        settings.target_samples,
        settings.seed,
        n_workers,
    )


def _converting(run: FinishedRun) -> ConvertSettings:
    """The settings of the run that is continued: the same logos, sizes and shares."""
    try:
        text = run.artifact("settings.json").read_text(encoding="utf-8")
        return ConvertSettings.model_validate_json(text)
    except ValidationError as error:
        raise TrackingError(
            f"a run to augment must have settings of this version, {run.run_id} has not: "
            f"{error.errors()[0]['loc']}"
        ) from None


def add_real_logos(
    campaign: Campaign, table: pd.DataFrame, plan: BuildPlan
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Look through the logos of the source that are not in the table; convert those of use."""
    found = _scout(
        campaign, table, _further_logos(campaign, table, plan), plan.real_images, "more logos"
    )
    planned = plan_conversions(
        found.records,
        campaign.converting.sets_per_image,
        campaign.converting.everyday_share,
        campaign.converting.seed,
    )
    table, told = _converted(campaign, table, planned, "more real logos")
    looked = {
        "logos_looked_at": found.n_looked,
        "logos_of_other_types": found.n_other_type,
        "logos_known": found.n_known,
        "logos_rejected": found.rejected,
        "images_by_type": _by_type(found),
    }
    return table, {**looked, **told}


def _further_logos(
    campaign: Campaign, table: pd.DataFrame, plan: BuildPlan
) -> Iterator[SurveyTask]:
    source = Path(campaign.converting.logos).name
    rejected = campaign.context.source.artifact(REJECTED).read_text(encoding="utf-8")
    known = set(table["source"]) | {f"{source}/{name}" for name in json.loads(rejected)}
    wanted = {name for name, n in plan.real_images.items() if n}
    for logo in chosen_logos(campaign.converting.model_copy(update={"max_logos": 0})):
        of_use = logo.logo_type is None or logo.logo_type in wanted
        if of_use and f"{source}/{logo.name}" not in known:
            yield _task(campaign, logo, source, campaign.converting.jpeg_share)


def add_further_sets(
    campaign: Campaign, table: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Convert pictures of the table with sets that gave the missing qualities elsewhere."""
    further = campaign.plan(table).further_sets
    names = [name for name in LogoRecord.__slots__ if name != "descriptors"]
    images = table.drop_duplicates("image_id")[names].astype(object)
    rows: list[dict[str, Any]] = images.where(images.notna(), None).to_dict("records")  # type: ignore[assignment]
    records = {row["image_id"]: LogoRecord(**{**row, "descriptors": ()}) for row in rows}
    planned, cells = [], {}
    for trial in sorted(further, key=lambda trial: trial.image_id):
        record = records[trial.image_id]
        conversion_id = conversion_digest(record, trial.parameters)
        planned.append(PlannedConversion(conversion_id, record, trial.parameters))
        cells[conversion_id] = trial.cell
    table, told = _converted(campaign, table, planned, "further sets")
    tried = table[table["conversion_id"].isin(set(cells))]
    reached = ssim_cells(tried["ssim"]) == tried["conversion_id"].map(cells)
    return table, {**told, "in_wanted_cell": int(reached.sum())}


def add_synthetic_logos(
    campaign: Campaign, table: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any], list[LogoRecord]]:
    """Draw logos for what is still missing, kind by kind."""
    wanted = campaign.plan(table).synthetic_rows
    n_sets = campaign.converting.sets_per_image
    planned: list[PlannedConversion] = []
    records: list[LogoRecord] = []
    n_drawn = n_unlike = 0
    with TemporaryDirectory() as folder:
        for kind, n_rows in wanted.items():
            n_images = -(-n_rows // n_sets)
            tasks = islice(_drawings(campaign, table, kind, Path(folder)),
                           n_images * _DRAWINGS_PER_PICTURE)  # fmt: skip
            found = _scout(campaign, table, tasks, {kind: n_images}, f"drawing {kind} logos")
            n_drawn, n_unlike = n_drawn + found.n_looked, n_unlike + found.n_other_type
            # Its kind was asked for and its descriptors agree: nothing about it is estimated.
            drawn = [replace(record, logo_type_estimated=False) for record in found.records]
            rows = plan_conversions(
                drawn, n_sets, campaign.converting.everyday_share, campaign.converting.seed
            )
            planned += rows[:n_rows]
            records += drawn
    table, told = _converted(campaign, table, planned, "synthetic logos")
    return table, {"drawings": n_drawn, "drawings_unlike_their_kind": n_unlike, **told}, records


def _drawings(
    campaign: Campaign, table: pd.DataFrame, kind: str, folder: Path
) -> Iterator[SurveyTask]:
    """Drawings without end, as PNG files of the sizes that real logos of the table have."""
    real = table[~table["synthetic"] & table["derived_from"].isna()].drop_duplicates("image_id")
    sizes = real.sort_values("image_id")[["source_width", "source_height"]].max(axis=1).to_numpy()
    for number in count():
        name = f"{kind}-{number}.svg"
        rng = np.random.default_rng(hash_order(campaign.seed, [name])[0])
        size = min(int(sizes[rng.integers(len(sizes))]), 1024)
        sharp = rng.random() < _SHARP_SHARE
        sharpness = 1.0 if sharp else float(rng.uniform(_SOFTEST, 0.95))
        path = folder / f"{kind}-{number}.png"
        path.write_bytes(rasterise(draw_logo(kind, campaign.seed, number), size, sharpness))
        yield _task(
            campaign, LogoFile(path, name, None), f"synthetic/{campaign.seed}", 0.0, drawn=True
        )


def _task(
    campaign: Campaign, logo: LogoFile, source: str, jpeg_share: float, *, drawn: bool = False
) -> SurveyTask:
    library = campaign.context.data / "logos"
    return SurveyTask(logo, source, library, campaign.converting.working_size, jpeg_share, drawn)


def _scout(
    campaign: Campaign,
    table: pd.DataFrame,
    tasks: Iterator[SurveyTask],
    wanted: dict[str, int],
    label: str,
) -> Scouted:
    if not any(wanted.values()):
        return Scouted([], 0, 0, 0, {})
    known = set(table["image_id"])
    with progress_bar(sum(wanted.values()), label) as bar:
        found = scout_logos(
            tasks, wanted, known, campaign.n_workers, campaign.converting.timeout_s, bar.update
        )
    if found.records:
        keep_descriptors(campaign.context, found.records)
    return found


def _converted(
    campaign: Campaign, table: pd.DataFrame, planned: list[PlannedConversion], what: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table with the planned conversions added, and what they came to."""
    there = set(table["conversion_id"])
    new = [p for p in planned if p.conversion_id not in there]
    if not new:
        return table, {"rows": 0, "images": 0, "failed": 0, "cells": {}}
    say(f"augment    {what}: {len(new):,} conversions")
    known = convert_missing(campaign.context, new, campaign.n_workers)
    described = [described_row(p, known[p.conversion_id]) for p in new]
    rows = pd.DataFrame(described, columns=list(table.columns))
    rows = check_conversions(rows.reindex(columns=list(CONVERSIONS.columns)))
    plan = campaign.plan(rows)
    told = {
        "rows": len(rows),
        "images": int(rows["image_id"].nunique()),
        "failed": int(rows["error"].notna().sum()),
        "cells": {name: entry["cells"] for name, entry in plan.supply["types"].items()},
    }
    return check_conversions(pd.concat([table, rows], ignore_index=True)), told


def _by_type(found: Scouted) -> dict[str, int]:
    types = [record.logo_type for record in found.records]
    return {name: types.count(name) for name in TYPE_SHARES}


def realism_of(
    campaign: Campaign, table: pd.DataFrame, records: list[LogoRecord]
) -> dict[str, Any]:
    """The classifier's AUC, on descriptors that do not depend on VTracer's settings."""
    if not records:
        return {"all": {"error": "no synthetic logo was drawn"}}
    real = table[~table["synthetic"] & table["derived_from"].isna()].drop_duplicates("image_id")
    order = np.argsort(hash_order(campaign.seed, real["image_id"].tolist()))[:_REALISM_LOGOS]
    real = real.iloc[order].set_index("image_id", drop=False)
    store = FeatureStore(campaign.context.data / "features")
    kind = descriptors_kind(campaign.converting.working_size)
    try:
        described = store.read(kind, real["image_id"].tolist())
    except FeatureError as error:  # the definition has changed since `convert`
        return {"all": {"error": str(error)}}
    columns = [i for i, name in enumerate(DESCRIPTOR_NAMES) if not _GRID.search(name)]
    return realism_by_kind(
        described[:, columns],
        real["logo_type"].to_numpy(),
        np.array([record.descriptors for record in records], np.float32)[:, columns],
        np.array([record.logo_type for record in records]),
        campaign.seed,
        near_duplicate_groups(real, _MAX_DISTANCE).to_numpy(),
    )
