"""What callers of the REST API send: every field, described. What they get: `answer_schemas`.

Requests come as JSON (pictures in base64) or as ``multipart/form-data`` (pictures as files, the
other fields as text, ``parameters`` as JSON text); both have the same names. Answers are JSON.
Figures of many parameter sets are columns: ``predictions.ssim[i]`` belongs to the ``i``-th set.

The page at ``/`` is held to ``Content-Security-Policy: default-src 'none'; script-src 'self';
style-src 'self'; img-src 'self' data: blob:; connect-src 'self'``: no inline script, no style
attribute in markup. Where a key is asked for (a 401), it is sent as ``X-API-Key``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from svg_quality.conversion.parameters import CHOICES, NAMES, RANGES, Parameters

API_VERSION: Final = "v1"
MAX_SETS: Final = 10_000  # parameter sets in a request
IMAGE_EXAMPLE: Final = (  # a red disc, 16 x 16 px, PNG
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQMAAAAlPW0iAAAABlBMVEX////IHh7kMBY6AAAAL0lEQVR42mNgYGBgYG"
    "BgPsDA/4FJgIOJgYFJgYWJgQGKHvxhYmBg+vCD6csFiEIAjJcHm0+/FYMAAAAASUVORK5CYII="
)
MEANINGS: Final = {
    "colormode": "colours, or black on white",
    "hierarchical": "shapes stacked on each other, or cut out of each other",
    "mode": "outlines as curves, as straight lines, or as pixels (none)",
    "filter_speckle": "drop patches up to this side, px",
    "color_precision": "bits kept of each colour channel",
    "layer_difference": "merge neighbouring layers up to this difference, grey levels",
    "corner_threshold": "smallest angle that stays a corner, degrees",
    "length_threshold": "shortest segment of a curve, px",
    "max_iterations": "rounds of smoothing",
    "splice_threshold": "smallest angle at which curves are cut, degrees",
    "path_precision": "decimals of coordinates",
}


class Model(BaseModel):
    """What requests and answers are made of: nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


def _parameter(name: str) -> Any:
    default = getattr(Parameters(), name)
    if name in CHOICES:
        return Literal[CHOICES[name]], Field(default, description=MEANINGS[name])
    low, high = RANGES[name]
    return type(low), Field(default, ge=low, le=high, description=MEANINGS[name])


ParameterSet: Any = create_model(
    "ParameterSet",
    __base__=Model,
    __doc__="VTracer's parameters; what is left out keeps VTracer's default.",
    **{name: _parameter(name) for name in NAMES},
)

_ONE: Final = ParameterSet.__pydantic_core_schema__
_MANY: Final = core_schema.list_schema(_ONE, min_length=1, max_length=MAX_SETS)


class _Described:
    """Says in OpenAPI what a value is, and leaves the check to `Parameters` itself.

    A pydantic model for each of 10,000 sets would cost as much as scoring them.
    """

    def __init__(self, schema: core_schema.CoreSchema) -> None:
        self.schema = schema

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(self.schema)


OneSet = Annotated[Any, _Described(_ONE)]
ManySets = Annotated[Any, _Described(core_schema.union_schema([_ONE, _MANY]))]
Base64 = Annotated[
    str,
    Field(
        description="file in base64: PNG, JPEG, WebP, GIF, BMP, TIFF or SVG",
        examples=[IMAGE_EXAMPLE],
        json_schema_extra={"contentEncoding": "base64"},
    ),
]


class NoOptions(Model):
    """A picture, and nothing to choose."""


class PredictOptions(Model):
    """What to predict of one picture."""

    parameters: ManySets = Field(
        default_factory=dict,
        description=f"one parameter set, or a list of up to {MAX_SETS:,}",
        examples=[[{"color_precision": 4}, {"mode": "polygon", "filter_speckle": 8}]],
    )


class BatchOptions(Model):
    """What to predict of several pictures."""

    parameters: OneSet = Field(
        default_factory=dict, description="one parameter set for all", examples=[{"mode": "spline"}]
    )


class ExplainOptions(Model):
    """Where to look at each parameter's effect."""

    at: OneSet = Field(
        default_factory=dict,
        description="the set that stays fixed while one parameter at a time is varied",
        examples=[{"color_precision": 6}],
    )


class ConvertOptions(Model):
    """One conversion to be made."""

    parameters: OneSet = Field(
        default_factory=dict, description="one parameter set", examples=[{"color_precision": 4}]
    )
    difference: bool = Field(True, description="also draw where the tracing differs")
    picture: bool = Field(False, description="also give the picture as it was traced")


class OptimizeOptions(Model):
    """What to look for, in the words of `svg-quality optimize`."""

    objective: Literal["smallest", "best-ssim"] = Field(
        "smallest", description="smallest file, or best SSIM", examples=["smallest"]
    )
    min_ssim: Annotated[float, Field(ge=-1, le=1)] | Literal["default"] = Field(
        "default", description="lowest SSIM; default: what VTracer's defaults reach"
    )
    max_bytes: int = Field(0, ge=0, description="largest SVG, bytes; 0: any")
    method: Literal["predictive", "search", "adaptive", "feature_mapping"] = Field(
        "predictive", description="how to look"
    )
    budget: int = Field(
        0, ge=0, le=64, description="conversions to verify with; 0: the method's own", examples=[2]
    )
    difference: bool = Field(False, description="also draw where the tracing differs")


class _OneImage(Model):
    image: Base64
    name: str = Field("", max_length=200, description="file name, to be named by")


class PredictRequest(PredictOptions, _OneImage):
    """`POST /v1/predict`."""


class FrontRequest(_OneImage):
    """`POST /v1/front`."""


class ExplainRequest(ExplainOptions, _OneImage):
    """`POST /v1/explain`."""


class ConvertRequest(ConvertOptions, _OneImage):
    """`POST /v1/convert`."""


class OptimizeRequest(OptimizeOptions, _OneImage):
    """`POST /v1/optimize`."""


class BatchRequest(BatchOptions):
    """`POST /v1/predict/batch`."""

    images: list[_OneImage] = Field(
        min_length=1, description="pictures", examples=[[{"image": IMAGE_EXAMPLE, "name": "a.png"}]]
    )
