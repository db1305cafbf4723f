"""The documentation page at ``/docs``, drawn from the OpenAPI description; it loads nothing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from svg_quality.pages.environment import environment
from svg_quality.serving.problems import KINDS

POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
_SHORTENED: Final = 60  # characters of a text in an example


def docs_page(openapi: Mapping[str, Any], base_url: str) -> str:
    """The page.

    Args:
        openapi: of the application.
        base_url: that its examples ask.
    """
    template = environment("svg_quality.serving").get_template("docs.html.j2")
    return template.render(
        about=openapi["info"]["description"],
        version=openapi["info"]["version"],
        routes=list(_routes(openapi, base_url.rstrip("/"))),
        parameters=list(_fields(openapi["components"]["schemas"]["ParameterSet"])),
        kinds=KINDS,
    )


def _routes(openapi: Mapping[str, Any], base_url: str) -> Iterator[dict[str, Any]]:
    schemas = openapi["components"]["schemas"]
    for path, methods in openapi["paths"].items():
        for method, said in methods.items():
            content = said.get("requestBody", {}).get("content", {})
            form = content.get("multipart/form-data", {}).get("schema", {})
            example = content.get("application/json", {}).get("example")
            ok = said["responses"]["200"].get("content", {})
            answer = ok.get("application/json", {}).get("schema", {})
            yield {
                "method": method.upper(),
                "path": path,
                "id": f"{method}{path.replace('/', '-')}",
                "about": said.get("description", ""),
                "takes": list(_fields(form)),
                "gives": list(_fields(_resolved(answer, schemas))),
                "json": json.dumps(_short(example), indent=2) if example else "",
                "command": _command(base_url + path, form, example or {}),
            }


def _fields(schema: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for name, field in schema.get("properties", {}).items():
        default = field.get("default")
        yield {
            "name": name,
            "type": _type(field),
            "about": field.get("description", ""),
            "default": "" if default is None else json.dumps(default),
        }


def _type(field: Mapping[str, Any]) -> str:
    """In a few words."""
    if "minimum" in field and "maximum" in field and "examples" not in field:
        return f"{field['type']}, {field['minimum']:g} to {field['maximum']:g}"
    if field.get("format") == "binary":
        return "file"
    if field.get("contentMediaType") == "application/json":
        return "JSON"
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in field:
        return " or ".join(_type(choice) for choice in field["anyOf"])
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    if "const" in field:
        return str(field["const"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    return str(field.get("type", "any"))


def _command(url: str, form: Mapping[str, Any], example: Mapping[str, Any]) -> str:
    fields = form.get("properties", {})
    parts = [f"-F {name}=@logo.png" for name in ("image", "images") if name in fields]
    for name, value in example.items():
        if name in fields and name not in ("image", "images"):
            parts.append(shlex.join(["-F", f"{name}={_as_text(value)}"]))
    return " ".join(["curl", url, *parts])


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _short(value: Any) -> Any:
    """An example whose long texts are cut."""
    if isinstance(value, str) and len(value) > _SHORTENED:
        return value[:_SHORTENED] + "..."
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return value


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", "")).rsplit("/", 1)[-1]
    return schemas[name] if name else schema
