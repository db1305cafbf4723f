"""`dataset`: from conversions to an immutable release, split by logo."""

from __future__ import annotations

import pandas as pd

from svg_quality.dataset.release import MANIFEST, make_release, read_manifest
from svg_quality.settings import DatasetSettings
from svg_quality.stages.console import say
from svg_quality.stages.convert import CONVERT, TABLE
from svg_quality.stages.pipeline import Stage, StageContext


def _release(context: StageContext) -> None:
    settings: DatasetSettings = context.settings
    release = make_release(
        pd.read_parquet(context.source.artifact(TABLE)),
        context.data / "releases",
        settings.name,
        settings.version,
        max_distance=settings.max_distance,
        seed=settings.seed,
    )
    counts = read_manifest(release.path)["counts"]
    context.run.log_artifact(release.path / MANIFEST)
    context.run.log_dataset(release.name, release.digest, release.path, "training")
    context.run.log_metrics({f"images.{k}": v for k, v in counts["images_by_split"].items()})
    context.run.set_output(release.digest, release.path)
    splits = ", ".join(f"{n} {split}" for split, n in counts["images_by_split"].items())
    say(
        f"dataset    {release.name} {release.version}: {counts['conversions']:,} conversions"
        f" of {counts['images']:,} images in {counts['groups']:,} groups ({splits})"
    )


DATASET = Stage(
    name="dataset", after=(CONVERT,), code=("dataset", "stages/dataset.py"), act=_release
)
