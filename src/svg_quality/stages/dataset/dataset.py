"""`dataset`: from conversions to an immutable release, split by logo."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from svg_quality.conversion.workers import worker_count
from svg_quality.dataset.inspection.marks import Mark, marks_digest, read_marks
from svg_quality.dataset.manifest import MANIFEST, read_manifest
from svg_quality.dataset.releases.config_lock import config_lock
from svg_quality.dataset.releases.datasheet import PAGE
from svg_quality.dataset.releases.marks_effect import marks_effect
from svg_quality.dataset.releases.release import Release, make_release
from svg_quality.dataset.releases.release_rows import open_table
from svg_quality.dataset.splits.temporal import LATE_SYNTHETIC, STRADDLES
from svg_quality.errors import DatasetError
from svg_quality.settings import DEFAULT_MARKS, NEWEST, DatasetSettings, QaSettings, Settings
from svg_quality.stages.console import progress, progress_bar, say
from svg_quality.stages.dataset.augment import AUGMENT
from svg_quality.stages.dataset.collect import COLLECT
from svg_quality.stages.dataset.convert import CONVERT, TABLE
from svg_quality.stages.dataset.lineage import lineage
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.identity import canonical_json, git_state
from svg_quality.tracking.lookup import FinishedRun, input_run, newest_finished
from svg_quality.tracking.store import project_root

if TYPE_CHECKING:
    from tqdm import tqdm

QA_REPORT: Final = "qa_report.html"


def _release(context: StageContext) -> None:
    settings: DatasetSettings = context.settings
    runs = _table_runs(context)
    tables = [run.artifact(TABLE) for run in runs]
    for run, table in zip(runs, tables, strict=True):
        name = TABLE.removesuffix(".parquet")
        context.run.log_dataset(f"{name}.{run.stage}", run.output_digest, table, "release")
    n_rows = sum(open_table(table).metadata.num_rows for table in tables)
    marks = read_marks(_marks_file(settings, context.root))
    with progress_bar(n_rows, "writing rows") as bar:
        release = make_release(
            tables,
            context.data / "releases",
            settings.name,
            settings.version,
            max_distance=settings.max_distance,
            seed=settings.seed,
            n_folds=settings.n_folds,
            split_by=settings.split_by,
            target_samples=settings.target_samples,
            marks=marks,
            lock=_lock(context, runs),
            assure=(lambda folder: _assure(context, folder, bar)) if settings.quality else None,
            passed=bar.update,
        )
    manifest = read_manifest(release.path)
    _log(context, release, manifest)
    _tell_marks(tables, marks, settings)
    _tell(release, manifest, settings)
    _upload(context, release)


def _table_runs(context: StageContext) -> list[FinishedRun]:
    """The run of the stage before, then those of `collect` whose rows join."""
    runs = {context.source.run_id: context.source}
    runs |= {run.run_id: run for run in collected_runs(context.settings.collected)}
    return list(runs.values())


def collected_runs(setting: str) -> list[FinishedRun]:
    """The runs of `collect` that a setting names: ids with commas between, or ``newest``.

    Raises:
        TrackingError: one does not exist, did not finish, or is of another stage.
    """
    if setting.strip() == NEWEST:
        return [newest_finished(COLLECT.name, needed_by="dataset")]
    ids = [name.strip() for name in setting.split(",") if name.strip()]
    return [input_run([COLLECT.name], run_id, needed_by="dataset") for run_id in ids]


def _lock(context: StageContext, runs: list[FinishedRun]) -> dict[str, Any]:
    git = git_state(context.root)
    settings: DatasetSettings = context.settings
    sections = {"dataset": settings.model_dump(mode="json")}
    if settings.quality:
        sections["qa"] = context.everything.qa.model_dump(mode="json")
    return config_lock(
        sections,
        settings.seed,
        inputs=lineage(runs),
        commit=git.commit if git else None,
        dirty=git.dirty if git else None,
    )


def _assure(context: StageContext, folder: Path, written: tqdm[Any]) -> bool:
    """Put a quality report into a folder that holds a release's tables; gives its verdict."""
    written.close()  # the report shows bars of its own
    import pandas as pd

    from svg_quality.dataset.assurance.qa_checks import read_thresholds
    from svg_quality.dataset.assurance.quality_assurance import assure_quality, write_qa
    from svg_quality.dataset.library import LogoLibrary

    qa: QaSettings = context.everything.qa
    report = assure_quality(
        pd.read_parquet(folder / "conversions.parquet"),
        pd.read_parquet(folder / "images.parquet").set_index("image_id"),
        LogoLibrary(context.data / "logos"),
        read_thresholds(Path(qa.thresholds) if qa.thresholds else None),
        n_remeasured=qa.n_remeasured,
        n_workers=worker_count(qa.n_workers),
        seed=qa.seed,
        set_aside=pd.read_parquet(folder / "set_aside.parquet"),
        track=progress,
    )
    write_qa(report, folder, f"Quality of {context.settings.name}")
    return bool(report.passed)


def _log(context: StageContext, release: Release, manifest: dict[str, Any]) -> None:
    counts = release.made_again or manifest["counts"]
    for name in (MANIFEST, *manifest["files"]):
        if not name.endswith((".parquet", ".jsonl")):  # the tables stay where they are
            context.run.log_artifact(release.path / name)
    context.run.log_dataset(release.name, release.digest, release.path, "training")
    context.run.log_metrics(
        {
            "rows_read": counts["read"],
            "conversions": counts["conversions"],
            "set_aside": sum(counts["set_aside"].values()),
            "not_selected": counts["not_selected"],
            "share_valid": 1 - sum(counts["set_aside"].values()) / counts["read"],
            "groups": counts["groups"],
            **{f"images.{split}": n for split, n in counts["images_by_split"].items()},
        }
    )
    context.run.set_tags({"release.version": release.version})
    context.run.set_output(release.digest, release.path)


def _marks_file(settings: DatasetSettings, root: Path) -> Path:
    """Where the marks are.

    Raises:
        DatasetError: the file is not there, and not the one that need not be.
    """
    path = root / settings.marks
    if settings.marks != DEFAULT_MARKS and not path.is_file():
        raise DatasetError(f"marks must be in a file that exists, {path} does not")
    return path


def _tell_marks(tables: list[Path], marks: Mapping[str, Mark], settings: DatasetSettings) -> None:
    if not marks:
        return
    effect = marks_effect(tables, marks)
    say(
        f"dataset    {effect.marks:,} marks of {settings.marks}: pictures rejected"
        f" {effect.rejected:,}, types changed {effect.types_changed:,}; marks of pictures that are"
        f" not there {effect.not_there:,}"
    )


def _tell(release: Release, manifest: dict[str, Any], settings: DatasetSettings) -> None:
    counts = release.made_again or manifest["counts"]
    aside = counts["set_aside"]
    if release.made_again:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in aside.items())
        say(
            f"dataset    the same dataset was released before as {release.version}: that release"
            f" is used; this run read {counts['read']:,} rows, {counts['conversions']:,} kept,"
            f" {sum(aside.values()):,} set aside" + (f" ({reasons})" if reasons else "")
        )
    else:
        splits = ", ".join(f"{n} {split}" for split, n in counts["images_by_split"].items())
        say(
            f"dataset    {release.name} {release.version}: {counts['conversions']:,} of"
            f" {counts['read']:,} conversions, of {counts['images']:,} images in"
            f" {counts['groups']:,} groups ({splits})"
        )
        for reason, n in aside.items():
            say(f"dataset    {n:,} set aside: {reason}")
    if counts["not_selected"]:
        say(f"dataset    {counts['not_selected']:,} not selected, to reach the balance asked for")
    _warn(counts, settings)
    quality = manifest["quality"]
    if quality is None and settings.quality:
        say("dataset    was released without a quality report, and stays so: `qa` makes one")
    elif quality is not None and not quality["passed"]:
        say(f"dataset    its quality report found faults: {release.path / QA_REPORT}")
    say(f"dataset    {release.path / PAGE} describes it; next: `svg-quality extract`")


def _warn(counts: Mapping[str, Any], settings: DatasetSettings) -> None:
    short = counts["short_by_type"]
    if short:
        types = ", ".join(f"{name} {n:,}" for name, n in short.items())
        say(
            f"dataset    warning: short of the {settings.target_samples:,} asked for by"
            f" {sum(short.values()):,}: {types}"
        )
    of_time = sum(counts["set_aside"].get(reason, 0) for reason in (STRADDLES, LATE_SYNTHETIC))
    if 2 * of_time > counts["conversions"] + of_time:
        say(
            f"dataset    warning: the cuts in time set aside {of_time:,} of"
            f" {counts['conversions'] + of_time:,} rows; rounds of `convert --fill-gaps` and"
            " `augment` measure old pictures again, which then straddle a cut"
        )


def _upload(context: StageContext, release: Release) -> None:
    """Send the release to the storage, where one is set and it is not asked to stay."""
    from svg_quality.dataset.transfers.storage import storage_url
    from svg_quality.dataset.transfers.transfer import publish

    settings: DatasetSettings = context.settings
    to = storage_url(settings.to) if settings.upload else None
    if to is None:
        return
    n_files = len(read_manifest(release.path)["files"])
    with progress_bar(n_files, "uploading") as bar:
        url = publish(release.path, "releases", release.name, release.version, to,
                      lambda name, n_bytes: bar.update(1))  # fmt: skip
    context.run.set_tags({"release.url": url})
    say(f"dataset    uploaded to {url}")


def _own_digests(settings: Settings) -> dict[str, str]:
    chosen = settings.dataset
    collected = collected_runs(chosen.collected)
    return {
        "marks": marks_digest(_marks_file(chosen, project_root())),
        **{f"collected.{n}": run.output_digest for n, run in enumerate(collected)},
        **({"quality": _quality_digest(settings.qa)} if chosen.quality else {}),
    }


def _quality_digest(settings: QaSettings) -> str:
    """SHA-256 of what a quality report depends on; the number of processes changes nothing."""
    from svg_quality.dataset.assurance.qa_checks import read_thresholds

    limits = read_thresholds(Path(settings.thresholds) if settings.thresholds else None)
    parts = [settings.model_dump(exclude={"n_workers", "thresholds"}), limits.model_dump()]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


DATASET = Stage(
    name="dataset",
    after=(CONVERT, AUGMENT),
    accepts=(COLLECT,),
    code=(
        "conversion/parameters.py", "conversion/similarity.py", "dataset/assurance",
        "dataset/augmentation/selection.py", "dataset/cleaning", "dataset/inspection/marks.py",
        "dataset/manifest.py", "dataset/releases", "dataset/splits", "dataset/tables.py",
        "dataset/targets.py", "stages/dataset/dataset.py", "stages/dataset/lineage.py",
    ),
    act=_release,
    own_digests=_own_digests,
)  # fmt: skip
