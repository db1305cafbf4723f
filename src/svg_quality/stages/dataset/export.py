"""`export`: a release with its pictures, free of metadata, and its way to a storage."""

from __future__ import annotations

from pathlib import Path

from svg_quality.conversion.workers import worker_count
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.manifest import MANIFEST, read_manifest
from svg_quality.dataset.transfers.export import Export, export_release, pictures_of
from svg_quality.dataset.transfers.storage import SETTING, storage_url
from svg_quality.dataset.transfers.transfer import publish
from svg_quality.settings import ExportSettings, Settings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.dataset.dataset import DATASET, QA_REPORT
from svg_quality.stages.pipeline import Stage, StageContext, reuse_or_run


def _export(context: StageContext) -> None:
    settings: ExportSettings = context.settings
    release = reuse_or_run(DATASET, _of_dataset(context.everything), context.source).output_path
    with progress_bar(len(pictures_of(release)), "writing pictures") as bar:
        made = export_release(
            release,
            LogoLibrary(context.data / "logos"),
            context.data / "exports",
            private=(str(context.root), str(Path.home())),
            n_workers=worker_count(settings.n_workers),
            passed=bar.update,
        )
    context.run.log_artifact(made.path / MANIFEST)
    context.run.log_dataset(made.name, made.digest, release, "export")
    context.run.log_metrics(
        {"pictures": made.n_pictures, "files": made.n_files, "bytes": made.n_bytes}
    )
    context.run.set_output(made.digest, made.path)
    say(
        f"export     {made.name} {made.version}: {made.n_pictures:,} pictures without metadata,"
        f" {made.n_files:,} files, {made.n_bytes / 1e6:.1f} MB in {made.path}"
    )
    quality = read_manifest(release)["quality"]
    if quality is not None and not quality["passed"]:
        say(f"export     warning: its quality report found faults: {made.path / QA_REPORT}")
    _send(context, made)


def _send(context: StageContext, made: Export) -> None:
    settings: ExportSettings = context.settings
    to = storage_url(settings.to)
    if not settings.upload:
        say("export     not uploaded, as asked for")
    elif to is None:
        say(f"export     not uploaded: no storage is set (--to URL, or ${SETTING})")
    else:
        with progress_bar(made.n_files - 1, "uploading") as bar:
            url = publish(
                made.path,
                "exports",
                made.name,
                made.version,
                to,
                lambda name, n_bytes: bar.update(),
            )
        context.run.set_tags({"export.url": url})
        say(f"export     uploaded to {url} and read back; check it: svg-quality verify {url}")


def _of_dataset(settings: Settings) -> Settings:
    """The settings for the release: what must not be uploaded is not uploaded as a release."""
    dataset = settings.dataset
    if settings.export.upload or not (dataset.upload and storage_url(dataset.to)):
        return settings
    return settings.model_copy(update={"dataset": dataset.model_copy(update={"upload": False})})


EXPORT = Stage(
    name="export",
    after=DATASET.after,
    accepts=DATASET.accepts,
    code=(
        "dataset",
        "stages/dataset/dataset.py",
        "stages/dataset/lineage.py",
        "stages/dataset/export.py",
    ),
    act=_export,
)
