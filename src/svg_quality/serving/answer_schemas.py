"""What callers of the REST API get: every field, described. What they send: `schemas`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from svg_quality.serving.schemas import API_VERSION, Model, ParameterSet


class Head(Model):
    """What every answer says first."""

    api_version: str = Field(description="of this interface", examples=[API_VERSION])
    model_name: str = Field(description="registered model", examples=["svg-quality"])
    model_version: str | None = Field(description="its version; null: none is loaded")


class NearestLogo(Model):
    """A logo of the training data."""

    image_id: str = Field(description="SHA-256 of its pixels")
    distance: float = Field(description="in feature space")


class ImageFacts(Model):
    """The picture as it was read."""

    name: str = Field(description="as sent, or image")
    image_id: str = Field(description="SHA-256 of the decoded pixels")
    format: str = Field(description="of the file", examples=["PNG"])
    width: int = Field(description="px, as traced and scored")
    height: int = Field(description="px, as traced and scored")
    source_width: int = Field(description="px, of the file")
    source_height: int = Field(description="px, of the file")
    unlike_training: bool | None = Field(
        description="farther from the training data than 99% of it is from itself; null: no model"
    )
    novelty: float | None = Field(
        description="share of training logos that lie closer to their own nearest neighbour"
    )
    nearest: list[NearestLogo] = Field(description="most similar logos of the training data")


class Columns(Model):
    """Predictions, one value for each parameter set, in their order."""

    ssim: list[float] = Field(description="predicted SSIM")
    ssim_low: list[float] = Field(description="lower end of its interval")
    ssim_high: list[float] = Field(description="upper end of its interval")
    svg_bytes: list[int] = Field(description="predicted size of the SVG, bytes")
    bytes_low: list[int] = Field(description="lower end of its interval, bytes")
    bytes_high: list[int] = Field(description="upper end of its interval, bytes")


class PredictAnswer(Head):
    """Predictions for one picture."""

    status: Literal["ok", "unavailable"] = Field(description="unavailable: no model answers")
    reason: str | None = Field(description="why it is unavailable")
    image: ImageFacts
    interval: float | None = Field(description="share of cases the intervals promise to hold")
    n_sets: int = Field(description="parameter sets asked about")
    predictions: Columns | None = Field(description="null when unavailable")
    default_parameters: ParameterSet = Field(
        description="VTracer's defaults: the ones to use when no model answers"
    )


class FrontAnswer(Head):
    """The predicted Pareto front of quality and bytes, smallest SVG first."""

    image: ImageFacts
    interval: float = Field(description="share of cases the intervals promise to hold")
    n_candidates: int = Field(description="parameter sets that were scored")
    parameters: list[ParameterSet] = Field(description="sets of the front")
    predictions: Columns


class EffectCurve(Model):
    """What one parameter does to this picture while the others stay."""

    name: str = Field(description="of the parameter")
    values: list[float | str] = Field(description="over its range")
    fixed: float | str = Field(description="its value while the others are varied")
    ssim: list[float] = Field(description="predicted at each value")
    ssim_low: list[float] = Field(description="lower end of its interval")
    ssim_high: list[float] = Field(description="upper end of its interval")
    svg_bytes: list[int] = Field(description="predicted at each value, bytes")
    bytes_low: list[int] = Field(description="lower end of its interval, bytes")
    bytes_high: list[int] = Field(description="upper end of its interval, bytes")
    effect: str = Field(description="the same in one sentence")


class ExplainAnswer(Head):
    """What each parameter does to one picture."""

    image: ImageFacts
    interval: float = Field(description="share of cases the intervals promise to hold")
    at: ParameterSet = Field(description="what stays fixed")
    curves: list[EffectCurve]


class BatchItem(Model):
    """One picture of a batch: its prediction, or the reason why there is none."""

    status: Literal["ok", "unavailable", "error"]
    code: str | None = Field(description="of the error, as in problem answers")
    reason: str | None = Field(description="why there is no prediction")
    name: str = Field(description="as sent, or image")
    image: ImageFacts | None
    model_version: str | None = Field(description="that answered")
    ssim: float | None
    ssim_low: float | None
    ssim_high: float | None
    svg_bytes: int | None
    bytes_low: int | None
    bytes_high: int | None


class BatchAnswer(Head):
    """Predictions for several pictures, in their order."""

    interval: float | None = Field(description="share of cases the intervals promise to hold")
    parameters: ParameterSet = Field(description="the set that was asked about")
    predictions: list[BatchItem]


class PredictedFigures(Model):
    """What the model said of one set."""

    ssim: float
    ssim_low: float
    ssim_high: float
    svg_bytes: float
    bytes_low: float
    bytes_high: float


class MeasuredFigures(Model):
    """What a real conversion gave."""

    ssim: float = Field(description="SSIM with the picture, at the size it was traced")
    ssim_worst_tile: float = Field(description="lowest mean over a tile of 32 px")
    mse: float = Field(description="mean squared error of the 0-255 values")
    psnr: float | None = Field(description="dB; null where the tracing is exact")
    svg_bytes: int = Field(description="size of the SVG, bytes")
    path_count: int = Field(description="paths in the SVG")
    trace_ms: float = Field(description="time to trace, ms")
    render_ms: float = Field(description="time to draw, ms")


Difference = Annotated[
    str | None,
    Field(
        description="PNG as data: URL, as large as traced: white where the tracing equals the"
        " picture, the darker the more it differs"
    ),
]


class ConvertAnswer(Head):
    """One real conversion, beside what was predicted of it."""

    image: ImageFacts
    parameters: ParameterSet
    measured: MeasuredFigures
    predicted: PredictedFigures | None = Field(description="null: no model answers")
    svg: str = Field(description="the SVG itself")
    difference: Difference
    picture: str | None = Field(
        description="PNG as data: URL of what was traced; null where it was not asked for"
    )


class AttemptMade(Model):
    """One parameter set that was considered."""

    parameters: ParameterSet
    origin: str = Field(description="default, rule, neighbour, front, tpe, coarse or refine")
    predicted: PredictedFigures | None
    measured: MeasuredFigures | None
    error: str | None = Field(description="why it could not be measured")


class ResolvedObjective(Model):
    """What was looked for, with what the defaults reach filled in."""

    kind: str = Field(description="best_ssim, smallest or best_ssim_within")
    min_ssim: float | None
    max_bytes: int | None


class OptimizeAnswer(Head):
    """The best set found, measured by real conversion."""

    status: Literal["found", "not_reached", "do_not_vectorise", "unavailable"]
    reason: str = Field(description="the answer in a sentence")
    method: str = Field(description="that found it")
    objective: ResolvedObjective
    image: ImageFacts
    chosen: AttemptMade | None
    default: AttemptMade | None = Field(description="VTracer's defaults on the same picture")
    attempts: list[AttemptMade] = Field(description="every set that was tried")
    n_conversions: int = Field(description="real conversions made")
    confidence: str = Field(description="how sure the model was, and what that decided")
    seconds: float
    svg: str | None = Field(description="of what was chosen")
    difference: Difference


class ParameterRange(Model):
    """One of VTracer's parameters."""

    name: str
    meaning: str
    default: float | str
    choices: list[str] | None = Field(description="allowed words; null: it is a number")
    low: float | None
    high: float | None
    whole: bool = Field(description="a whole number")


class Limits(Model):
    """What one request may ask for."""

    max_request_bytes: int
    max_megapixels: float
    max_batch: int = Field(description="images in a batch")
    max_sets: int = Field(description="parameter sets in a request")
    timeout_s: float
    max_concurrent: int = Field(description="requests worked on at once")
    max_waiting: int = Field(description="requests that wait; those beyond get 429")


class ModelAnswer(Head):
    """The loaded model, and what may be asked of it."""

    available: bool
    reason: str | None = Field(description="why it is not available")
    challenger_version: str | None = Field(description="that answers a share of the images")
    challenger_share: float = Field(description="of the images")
    version: str = Field(description="of svg-quality")
    working_size: int | None = Field(description="px of the longer side; larger ones are reduced")
    parameters: list[ParameterRange]
    presets: dict[str, ParameterSet] = Field(description="VTracer's own presets")
    limits: Limits


class HealthAnswer(Head):
    """The process answers."""

    status: Literal["ok"]


class ReadyAnswer(Head):
    """The model answers."""

    status: Literal["ready"]


class InvalidField(Model):
    """One field that is not valid."""

    field: str
    message: str


class Problem(Model):
    """Why a request failed (RFC 9457)."""

    type: str = Field(description="where the kind of problem is described", examples=["/docs#busy"])
    title: str = Field(description="the kind of problem", examples=["Too much work at once"])
    status: int = Field(description="HTTP status", examples=[429])
    detail: str = Field(description="the law, then the fact")
    instance: str = Field(description="path that was asked", examples=["/v1/predict"])
    code: str = Field(description="the kind of problem, to be told apart by", examples=["busy"])
    api_version: str
    model_version: str | None
    errors: list[InvalidField] | None = Field(None, description="fields that are not valid")
