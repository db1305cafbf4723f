"""Settings of the stages from logos and logs to a release."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from svg_quality.settings.fields import Count, Positive, Section, Share, positional

DEFAULT_MARKS: Final = "data/marks.json"


class CollectSettings(Section):
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


class ConvertSettings(Section):
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


class InventorySettings(Section):
    """What a table of conversions holds, what it lacks, and what to convert next."""

    n_recommended: Count = Field(500, description="conversions to recommend at most")
    seed: Count = Field(42, description="of the recommendation")


class CleanSettings(Section):
    """Which rows cannot be learned from, or look wrong, and why; changes nothing."""

    n_remeasured: Count = Field(50, description="rows converted again to check their labels")
    outlier_distance: Annotated[float, Field(gt=0)] = Field(
        8.0, description="robust standard deviations beyond which a row is an extreme outlier"
    )
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")
    seed: Count = Field(42, description="of the sample")


class AugmentSettings(Section):
    """Fill under-represented types and qualities: more real logos first, then synthetic ones."""

    target_samples: Positive = Field(12_000, description="conversions to reach, in all types")
    synthetic_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="of the balanced conversions, at most"
    )
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")
    timeout_s: Annotated[float, Field(gt=0)] = Field(20.0, description="limit per conversion, s")
    seed: Count = Field(42, description="of the choice of logos and of the generator")


class InspectSettings(Section):
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


class DatasetSettings(Section):
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


class ExportSettings(Section):
    """A release with its pictures, free of metadata, to be passed on."""

    upload: bool = Field(True, description="upload it, where a storage is set")
    to: str = Field("", description="URL to upload to (default: $SVG_QUALITY_STORAGE)")
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")


class QaSettings(Section):
    """Quality, safety, privacy and bias of a release, against thresholds."""

    thresholds: str = Field("", description="YAML of thresholds; empty: the one in the package")
    n_remeasured: Count = Field(50, description="rows converted again to check their labels")
    n_workers: Count = Field(0, description="worker processes; 0 for one per core")
    seed: Count = Field(42, description="of the sample")


class VerifySettings(Section):
    """Whether a release is, to the byte, what its manifest says."""

    release: str = positional("folder or URL of a release, an export or a backup; or NAME/VERSION")


class BackupSettings(Section):
    """Copy releases, logs and models to a storage, checked."""

    target: Annotated[str, Field(min_length=1)] = positional("URL or folder: file, s3:// or gs://")
    parts: str = Field("releases,logs,models", description="what: releases, logs, models")


class RestoreSettings(Section):
    """Bring back what a backup holds, checked."""

    source: str = positional("URL or folder of one backup, as `backup` printed it")
    parts: str = Field("releases,logs,models", description="what: releases, logs, models")


class VerifyPipelineSettings(Section):
    """Four logos through every stage, in a temporary directory."""

    logos: str = Field("diagrams", description="folder of logos, or the word diagrams")
