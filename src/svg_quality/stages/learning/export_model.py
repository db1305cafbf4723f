"""`export-model`: a registered version as ONNX and TorchScript files that say what torch says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from svg_quality.errors import CheckError, ModelError, TrackingError
from svg_quality.prediction.bundle import Bundle
from svg_quality.settings import LATEST, ExportModelSettings
from svg_quality.stages.console import progress, say
from svg_quality.stages.learning.extract import EXTRACT, SUMMARY
from svg_quality.stages.learning.train import TRAIN, VERSION_TAG
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.identity import file_digest
from svg_quality.tracking.lookup import FinishedRun, finished_run
from svg_quality.tracking.registry import MODEL
from svg_quality.tracking.resolve import ResolvedModel, resolve

if TYPE_CHECKING:
    from svg_quality.features.backbone import ResNetFeatureExtractor
    from svg_quality.model.exporting.folder import ExportSummary
    from svg_quality.model.quality_head import QualityHead

CHECKPOINT: Final = "checkpoints/best"  # artifact of `train`


def _export_model(context: StageContext) -> None:
    from svg_quality.model.exporting.folder import export_folder
    from svg_quality.model.exporting.page import write_export

    settings: ExportModelSettings = context.settings
    asked = context.source.tags[VERSION_TAG] if settings.version == LATEST else settings.version
    resolved = resolve(f"models:/{MODEL}/{asked}")
    bundle = Bundle(resolved.path)  # refuses a damaged one
    _log_dataset(context, bundle)
    folder = Path(settings.to or context.reports / context.run.run_id / "model")
    missing: list[str] = []
    run = _run_of(resolved, missing)
    head = _head(run, missing)
    extractor = _extractor(context, resolved.path, run, missing)
    summary = export_folder(resolved.path, folder, head, extractor, missing, progress)
    title = f"{MODEL} version {resolved.version}, exported"
    written = write_export(summary, folder, title)
    for path in written.values():
        context.run.log_artifact(path, "export")
    _log(context, resolved, summary, folder, written["metrics"])
    say(f"export     {MODEL} version {resolved.version}")
    _tell(summary, folder, written["html_report"])
    if summary.failed:
        raise CheckError(f"an exported model must be as promised: {'; '.join(summary.failed)}")
    say(f"export     try it: svg-quality predict LOGO.png --model {folder}")


def _log_dataset(context: StageContext, bundle: Bundle) -> None:
    dataset = bundle.manifest["dataset"]
    release = context.data / "releases" / dataset["name"] / dataset["version"]
    context.run.log_dataset(dataset["name"], dataset["digest"], release, "export")


def _run_of(resolved: ResolvedModel, missing: list[str]) -> FinishedRun | None:
    """The training that the version is from."""
    try:
        if resolved.run_id is None:
            raise TrackingError("the registry names none")
        return finished_run(resolved.run_id)
    except TrackingError as error:
        missing.append(f"The run that trained this version cannot be had: {error}.")
        return None


def _head(run: FinishedRun | None, missing: list[str]) -> QualityHead | None:
    """The torch head, from the best checkpoint of its training."""
    from svg_quality.model.checkpoint import load_checkpoint

    if run is None:
        return None
    try:
        return load_checkpoint(run.artifact(CHECKPOINT))
    except (TrackingError, ModelError) as error:
        missing.append(f"No head.pt and no model.pt: the checkpoint cannot be had: {error}.")
        return None


def _extractor(
    context: StageContext, bundle: Path, run: FinishedRun | None, missing: list[str]
) -> ResNetFeatureExtractor | None:
    """The torch backbone: from the bundle, or from the fp32 file of which its 8 bits were made."""
    from svg_quality.model.exporting.backbone_graph import backbone_from_graph
    from svg_quality.model.exporting.folder import BACKBONE_ONNX

    for path in (bundle / BACKBONE_ONNX, _extracted(context, run)):
        try:
            if path is not None:
                return backbone_from_graph(path)
        except ModelError:
            continue  # in 8 bits
    missing.append(
        "No model.pt: its backbone would be in fp32, and neither the registered version nor its"
        " `extract` run has such a file; `extract --precision auto` keeps one."
    )
    return None


def _extracted(context: StageContext, run: FinishedRun | None) -> Path | None:
    """The file that `extract` kept, where it is still there."""
    try:
        source = finished_run(run.tags[f"input.{EXTRACT.name}"]) if run else None
        summary = json.loads(source.artifact(SUMMARY).read_text()) if source else {}
    except (TrackingError, KeyError):
        return None
    path = context.root / summary.get("backbone", "")
    return path if path.is_file() else None


def _log(
    context: StageContext, resolved: ResolvedModel, summary: ExportSummary, folder: Path,
    record: Path,
) -> None:  # fmt: skip
    context.run.log_metrics(
        {
            "failed": len(summary.failed),
            "files": len(summary.files),
            "largest_difference": max(
                (c.largest for c in summary.comparisons if c.limit is not None), default=0.0
            ),
            **{f"bytes.{file.name}": file.n_bytes for file in summary.files},
        }
    )
    verdict = "fail" if summary.failed else "pass"
    context.run.set_tags({VERSION_TAG: str(resolved.version), "export.verdict": verdict})
    context.run.set_output(file_digest(record), folder)


def _tell(summary: ExportSummary, folder: Path, page: Path) -> None:
    for name, size in summary.sizes.items():
        say(f"export     {name}: {size / 1e6:.1f} MB")
    for one in summary.comparisons:
        limit = f"at most {one.limit:g}" if one.limit else "no limit"
        say(f"export     {one.what}: differs from torch by {one.largest:.1g} ({limit})")
    for sentence in summary.missing:
        say(f"export     {sentence}")
    say(f"export     files in {folder}, how to load them: {page}")


EXPORT_MODEL = Stage(
    name="export-model",
    after=(TRAIN,),
    code=(
        "model",
        "features/backbone.py",
        "prediction/bundle.py",
        "stages/learning/export_model.py",
    ),
    act=_export_model,
)
