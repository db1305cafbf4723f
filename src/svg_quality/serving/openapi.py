"""The OpenAPI description: FastAPI makes the answers' half, the requests' half is made here.

Requests are read by hand, since each may come as JSON or as a form, so FastAPI does not see them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from svg_quality.serving.answer_schemas import Problem
from svg_quality.serving.problems import KINDS, MEDIA_TYPE
from svg_quality.serving.schemas import IMAGE_EXAMPLE

_TEMPLATE: Final = "#/components/schemas/{model}"
_FORM: Final = "multipart/form-data"
_FOR_ALL: Final = ("unauthorized", "foreign_origin", "internal_error")
_FOR_UPLOADS: Final = (
    "malformed_request", "slow_request", "request_too_large", "image_too_large",
    "unsupported_media_type", "invalid_request", "invalid_parameters", "unreadable_image",
    "unsupported_image", "image_too_small", "busy", "timeout",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Takes:
    """What a route takes.

    Args:
        json: the model of a JSON request.
        options: its fields but the picture, as a form has them.
        several: whether a form may hold several pictures.
        example: fields of the example, beside the picture.
        problems: codes of its own.
    """

    json: type[BaseModel]
    options: type[BaseModel]
    several: bool = False
    example: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()

    def extra(self) -> dict[str, Any]:
        """For ``openapi_extra`` of the route."""
        picture = {"image": IMAGE_EXAMPLE, "name": "disc.png"}
        pictures = {"images": [picture]} if self.several else picture
        about = "file: PNG, JPEG, WebP, GIF, BMP, TIFF or SVG"
        file = {"type": "string", "format": "binary", "description": about}
        name = "images" if self.several else "image"
        form = {
            "type": "object",
            "required": [name],
            "properties": {
                name: {"type": "array", "items": file, "description": "files"}
                if self.several
                else file,
                **_properties(self.options),
            },
            "additionalProperties": False,
        }
        as_json = {
            "schema": {"$ref": _TEMPLATE.format(model=self.json.__name__)},
            "example": {**pictures, **(self.example or {})},
        }
        content = {"application/json": as_json, _FORM: {"schema": form}}
        return {"requestBody": {"required": True, "content": content}}

    def responses(self) -> dict[int | str, dict[str, Any]]:
        """For ``responses`` of the route."""
        return problem_responses(*_FOR_ALL, *_FOR_UPLOADS, *self.problems)


def problem_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The answers that say why a request failed, by status."""
    by_status: dict[int | str, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        status: {
            "description": "; ".join(f"{code}: {KINDS[code].title}" for code in found),
            "content": {MEDIA_TYPE: {"schema": {"$ref": _TEMPLATE.format(model="Problem")}}},
        }
        for status, found in sorted(by_status.items(), key=str)
    }


def describe(app: FastAPI, takes: tuple[Takes, ...]) -> dict[str, Any]:
    """The whole description of an application whose routes take these."""
    said = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes,
        tags=app.openapi_tags,
    )  # fmt: skip
    models = [(one.json, "validation") for one in takes] + [(Problem, "serialization")]
    _, schemas = models_json_schema(models, ref_template=_TEMPLATE)  # type: ignore[arg-type]
    components = said.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **schemas["$defs"]}
    components["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    said["security"] = [{}, {"key": []}, {"bearer": []}]
    return said


def _properties(options: type[BaseModel]) -> dict[str, Any]:
    """Fields of a form, whose objects and lists are JSON text."""
    found = options.model_json_schema(ref_template=_TEMPLATE).get("properties", {})
    return {
        name: {"type": "string", "contentMediaType": "application/json",
               "contentSchema": schema, "description": schema.get("description", "")}
        if name in ("parameters", "at") else schema
        for name, schema in found.items()
    }  # fmt: skip
