"""Settings of every stage: YAML in `experiments/`, checked, frozen, and overridden by name.

One model per stage is the only definition of its options: the command line is made from it, and
a test compares `MLproject` with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from svg_quality.errors import SettingsError

DEFAULT_CONFIG: Final = "experiments/demo.yaml"
DEFAULT_MARKS: Final = "data/marks.json"
FROM_CONFIG: Final = "config"  # as a value: what the YAML says
LATEST: Final = "latest"  # as a version: the one of the newest training

NEWEST: Final = "newest"  # as an input run: the newest finished one of the stage before
OVERRIDES: Final = {  # by command: options it takes over, and the stage whose setting each is
    "main": {
        "logos": "convert",
        "max_logos": "convert",
        "sets_per_image": "convert",
        "weights": "extract",
        "epochs": "train",
    },
    "export": {
        "version": "dataset",
        "target_samples": "dataset",
        "seed": "dataset",
        "quality": "dataset",
    },
}

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def positional(description: str) -> Any:
    """A setting that the command line takes without a name, and that has to be given."""
    return Field("", description=description, json_schema_extra={"positional": True})


class CollectSettings(_Section):
    """From result logs of earlier runs to conversions."""

    logs: str = positional("log file, or folder of them: JSON, JSONL, CSV, Parquet")
    images: str = Field(".", description="folder that the logs' image paths start from")
    aliases: str = Field("", description="YAML of field names; empty: the one in the package")
    re_measure: bool = Field(False, description="convert again what has its image")
    working_size: Annotated[int, Field(ge=11, le=4000)] = Field(
        512, description="px of the longer side to which larger images are reduced"
    )
    timeout_s: Annotated[float, Field(gt=0)] = Field(20.0, description="limit per conversion, s")
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")


class ConvertSettings(_Section):
    """From a folder of logos to measured conversions."""

    logos: str = Field("diagrams", description="folder of logos, or the word diagrams")
    logo_types: str = Field("", description="CSV with the columns name,type; may be left out")
    excluded: str = Field("", description="file of logo names to leave out, one a line")
    max_logos: Count = Field(0, description="logos to convert, chosen by hash; 0 for all")
    jpeg_share: Share = Field(0.25, description="share of logos that also come as a JPEG copy")
    sets_per_image: Annotated[int, Field(ge=4)] = Field(
        12, description="parameter sets per image, VTracer's four presets included"
    )
    everyday_share: Share = Field(0.75, description="share of them in the everyday region")
    working_size: Annotated[int, Field(ge=11, le=4000)] = Field(
        512, description="px of the longer side to which larger images are reduced"
    )
    timeout_s: Annotated[float, Field(gt=0)] = Field(20.0, description="limit per conversion, s")
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")
    fill_gaps: bool = Field(False, description="also what the newest inventory recommends")
    seed: Count = Field(42, description="of the choice of logos and parameter sets")


class InventorySettings(_Section):
    """What a table of conversions holds, what it lacks, and what to convert next."""

    n_recommended: Count = Field(500, description="conversions to recommend at most")
    seed: Count = Field(42, description="of the recommendation")


class CleanSettings(_Section):
    """Which rows cannot be learned from, or look wrong, and why; changes nothing."""

    n_remeasured: Count = Field(50, description="rows converted again to check their labels")
    outlier_distance: Annotated[float, Field(gt=0)] = Field(
        8.0, description="robust standard deviations beyond which a row is an extreme outlier"
    )
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")
    seed: Count = Field(42, description="of the sample")


class AugmentSettings(_Section):
    """Fill under-represented types and qualities: more real logos first, then synthetic ones."""

    target_samples: Positive = Field(12_000, description="conversions to reach, in all types")
    synthetic_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="of the balanced conversions, at most"
    )
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")
    timeout_s: Annotated[float, Field(gt=0)] = Field(20.0, description="limit per conversion, s")
    seed: Count = Field(42, description="of the choice of logos and of the generator")


class InspectSettings(_Section):
    """A contact sheet to look at: sources beside tracings, to be marked."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="of the images, stratified by type and quality"
    )
    serve: bool = Field(False, description="serve the page, so that its marks are saved")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="of the server on loopback; 0 for any"
    )
    marks: str = Field(DEFAULT_MARKS, description="file that marks are saved to")
    seed: Count = Field(42, description="of the sample")


class DatasetSettings(_Section):
    """From conversions to an immutable release."""

    name: str = Field("logos", pattern=r"^\w[\w.-]*$", description="name of the release")
    version: str = Field("auto", pattern=r"^\w[\w.-]*$", description="version; auto: by its digest")
    target_samples: Count = Field(0, description="conversions to select, balanced; 0 for all")
    split_by: Literal["image", "temporal"] = Field("image", description="image or temporal")
    n_folds: Annotated[int, Field(ge=2)] = Field(5, description="for cross-validation")
    max_distance: Count = Field(6, description="bits of pHash within which logos are one group")
    collected: str = Field("", description="runs of collect whose rows join: ids, or newest")
    marks: str = Field(DEFAULT_MARKS, description="marks of an inspection, honoured where it is")
    quality: bool = Field(True, description="put a quality report into the release")
    upload: bool = Field(True, description="upload it, where a storage is set")
    to: str = Field("", description="URL to upload to (default: $SVG_QUALITY_STORAGE)")
    seed: Count = Field(42, description="of the selection, the split and the folds")


class ExportSettings(_Section):
    """A release with its pictures, free of metadata, to be passed on."""

    upload: bool = Field(True, description="upload it, where a storage is set")
    to: str = Field("", description="URL to upload to (default: $SVG_QUALITY_STORAGE)")
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")


class QaSettings(_Section):
    """Quality, safety, privacy and bias of a release, against thresholds."""

    thresholds: str = Field("", description="YAML of thresholds; empty: the one in the package")
    n_remeasured: Count = Field(50, description="rows converted again to check their labels")
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")
    seed: Count = Field(42, description="of the sample")


class VerifySettings(_Section):
    """Whether a release is, to the byte, what its manifest says."""

    release: str = positional("folder or URL of a release, an export or a backup; or NAME/VERSION")


class BackupSettings(_Section):
    """Copy releases, logs and models to a storage, checked."""

    target: Annotated[str, Field(min_length=1)] = positional("URL or folder: file, s3:// or gs://")
    parts: str = Field("releases,logs,models", description="what: releases, logs, models")


class RestoreSettings(_Section):
    """Bring back what a backup holds, checked."""

    source: str = positional("URL or folder of one backup, as `backup` printed it")
    parts: str = Field("releases,logs,models", description="what: releases, logs, models")


class ExtractSettings(_Section):
    """From a release to features."""

    weights: str = Field("auto", description="auto, imagenet, random, or a path to a state dict")
    precision: Literal["int8", "fp32"] = Field("int8", description="of the backbone: int8 or fp32")
    batch_size: Positive = Field(16, description="pictures per pass of the backbone")
    seed: Count = Field(42, description="of random weights")


class TrainSettings(_Section):
    """From features to a registered model."""

    epochs: Positive = Field(24, description="at most; early stopping may end sooner")
    patience: Positive = Field(10, description="epochs without a better validation loss")
    batch_size: Annotated[int, Field(ge=2)] = Field(256, description="rows per step")
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-2, description="highest of the cycle")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.1, description="of the layers' matrices")
    dropout_rate: Annotated[float, Field(ge=0, lt=1)] = Field(0.3, description="of hidden units")
    interval: Annotated[float, Field(gt=0, lt=1)] = Field(0.9, description="promised coverage")
    seed: Count = Field(42, description="of initial weights and batches")


class EvaluateSettings(_Section):
    """From a registered model and a release's split to a page."""

    version: str = Field(LATEST, description="number of the version, or latest")
    split: str = Field("test", description="train, validation or test")


class PromoteSettings(_Section):
    """From a registered version to stage Production."""

    version: str = Field(LATEST, description="number of the version, or latest")


class VerifyPipelineSettings(_Section):
    """Four logos through every stage, in a temporary directory."""

    logos: str = Field("diagrams", description="folder of logos, or the word diagrams")


class Settings(_Section):
    """Every stage's settings."""

    collect: CollectSettings = CollectSettings()
    convert: ConvertSettings = ConvertSettings()
    inventory: InventorySettings = InventorySettings()
    clean: CleanSettings = CleanSettings()
    augment: AugmentSettings = AugmentSettings()
    inspect: InspectSettings = InspectSettings()
    dataset: DatasetSettings = DatasetSettings()
    export: ExportSettings = ExportSettings()
    qa: QaSettings = QaSettings()
    verify: VerifySettings = VerifySettings()
    backup: BackupSettings = BackupSettings()
    restore: RestoreSettings = RestoreSettings()
    extract: ExtractSettings = ExtractSettings()
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    promote: PromoteSettings = PromoteSettings()
    verify_pipeline: VerifyPipelineSettings = VerifyPipelineSettings()


def section_of(stage: str) -> type[BaseModel]:
    """The model of a stage's settings."""
    section: type[BaseModel] = getattr(Settings(), section_name(stage)).__class__
    return section


def section_name(stage: str) -> str:
    """The section of a stage: a command may have a hyphen, a section has an underscore."""
    return stage.replace("-", "_")


def is_positional(field: FieldInfo) -> bool:
    """Whether the command line takes the setting without a name."""
    return isinstance(field.json_schema_extra, dict) and "positional" in field.json_schema_extra


def load_settings(path: Path, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Read a YAML file; what it leaves out keeps its default.

    Args:
        path: of the file.
        overrides: values by stage and name that win over the file's; `FROM_CONFIG` does not.

    Raises:
        SettingsError: the file cannot be read, or a name or value is not allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"settings must be a readable YAML file, {path}: {error}") from error
    sections = content.values() if isinstance(content, dict) else [content]
    if not all(isinstance(section, dict) for section in sections):
        raise SettingsError(f"settings must be sections of names and values, {path} is not")
    for stage, values in (overrides or {}).items():
        given = {name: value for name, value in values.items() if value != FROM_CONFIG}
        content[stage] = {**(content.get(stage) or {}), **given}
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{where}: {first['msg'].lower()}, got {first['input']!r} (settings of {path})"
        ) from None
