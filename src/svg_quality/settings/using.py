"""Settings of what uses a model in Production: predictions, parameter choice, serving, watching."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from svg_quality.settings.fields import Count, Positive, Section, Share, positional
from svg_quality.settings.learning import LATEST

Seconds = Annotated[float, Field(gt=0)]


class PredictorSettings(Section):
    """The model that predictions ask."""

    enabled: bool = Field(True, description="ask the model at all")
    model: str = Field(
        "models:/svg-quality/Production", description="model URI, or a bundle's folder"
    )


class OptimizeSettings(Section):
    """Choose a logo's parameters and convert it, or a whole folder of logos."""

    logo: str = positional("logo file, or a folder of logos")
    output: str = Field(
        "", description="SVG to write, or a folder for a folder (default: beside the logo)",
        json_schema_extra={"short": "-o"},
    )  # fmt: skip
    objective: Literal["smallest", "best-ssim"] = Field(
        "smallest", description="smallest or best-ssim"
    )
    min_ssim: Annotated[float, Field(ge=-1, le=1)] | Literal["default"] = Field(
        "default", description="lowest SSIM, or default: what VTracer's defaults reach"
    )
    max_bytes: Count = Field(0, description="largest SVG, bytes; 0: any")
    method: Literal["predictive", "search", "adaptive", "feature_mapping"] = Field(
        "predictive", description="predictive, search, adaptive or feature_mapping"
    )
    budget: Count = Field(0, description="conversions, with the default's own; 0: the method's")
    best_effort: bool = Field(False, description="write the best found where it is not enough")
    n_workers: Count = Field(0, description="processes that convert; 0: one per core")
    timeout_s: Seconds = Field(60.0, description="per conversion, s")
    log: bool = Field(True, description="keep the logo and its conversions in data/ to learn from")


class ExplainSettings(Section):
    """What each parameter does to one logo, with the others fixed, as a page."""

    logo: str = positional("logo file")
    at: str = Field("", description="NAME=VALUE,...: what stays fixed (default: VTracer's)")
    min_ssim: Annotated[float, Field(ge=-1, le=1)] = Field(0.9, description="floor worth having")
    max_bytes: Count = Field(0, description="ceiling worth having, bytes; 0: the logo file's size")
    n_workers: Count = Field(0, description="processes that convert; 0: one per core")
    timeout_s: Seconds = Field(60.0, description="per conversion, s")
    log: bool = Field(True, description="keep the logo and its conversions in data/ to learn from")


class ServeSettings(Section):
    """The REST API and the web page."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="0: any free one")
    api_key_file: str = Field("", description="file that holds the key callers must send")
    challenger: str = Field("", description="model URI that gets a share of the images")
    share: Share = Field(0.1, description="of the images, chosen by their content")
    max_upload_mb: Seconds = Field(20.0, description="largest request, MB")
    max_megapixels: Seconds = Field(25.0, description="largest image, million pixels")
    max_batch: Positive = Field(64, description="most images in a batch")
    max_concurrent: Count = Field(0, description="requests worked on at once; 0: one per core")
    timeout_s: Seconds = Field(30.0, description="per request, s")
    log: bool = Field(True, description="keep predictions and conversions in data/ to learn from")


class AbReportSettings(Section):
    """Which of champion and challenger predicts better, with an interval."""

    n_draws: Positive = Field(2000, description="of the bootstrap over logos")
    tolerance: Annotated[float, Field(ge=0)] = Field(
        0.0005, description="difference of MAE that is none"
    )


class MonitorSettings(Section):
    """Drift of what the model is asked and of how far it was off, as a page."""

    days: Count = Field(30, description="how far to look back; 0: over the whole log")
    n_draws: Positive = Field(1000, description="of the bootstrap over logos")


class PromoteSettings(Section):
    """Put a version into Production if it beats the one that is there."""

    version: str = Field(LATEST, description="number of the version, or latest")
    force: bool = Field(False, description="although a gate refuses; the history says so")
    reason: str = Field("", description="why, for the history")
    max_slowdown: Share = Field(0.2, description="share by which it may take longer")
    n_draws: Positive = Field(2000, description="of the bootstrap over logos")


class HistorySettings(Section):
    """Who was in Production when, and why."""


class RollbackSettings(Section):
    """Put the version before into Production again."""

    reason: str = Field("", description="why, for the history")
