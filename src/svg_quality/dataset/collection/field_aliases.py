"""How logs name the fields of a conversion: data, in ``aliases.yaml`` or in a user's own file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from svg_quality.conversion.parameters import NAMES
from svg_quality.errors import SettingsError

Scalar = str | int | float | bool

_TIME: Final = {"ms": 1.0, "s": 1e3, "us": 1e-3}
_SIZE: Final = {"B": 1.0, "kB": 1e3, "KiB": 1024.0}
_SHARE: Final = {"%": 0.01}
_INSTANT: Final = {"unix_s": 1.0, "unix_ms": 1e-3}
UNITS: Final[dict[str, dict[str, float]]] = {  # factor to the column's own unit
    "trace_ms": _TIME, "render_ms": _TIME, "svg_bytes": _SIZE, "ssim": _SHARE,
    "created_at": _INSTANT,
}  # fmt: skip
FIELDS: Final = (
    "image", "logo_type", "method", "created_at", "vtracer_version", "renderer_version",
    "ssim", "ssim_worst_tile", "mse", "psnr", "svg_bytes", "path_count", "trace_ms", "render_ms",
    "success", "error",
)  # fmt: skip
TRANSLATED: Final = ("method", "logo_type", "mode", "colormode")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldPath(_Strict):
    """Where a log may hold a field, and in which unit."""

    path: str
    unit: str = ""


def _as_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class Words(_Strict):
    """What stands for true and for false, in lower case."""

    true: frozenset[str]
    false: frozenset[str]


class Aliases(_Strict):
    """Every name a log may use; the form of ``aliases.yaml``, which explains each entry."""

    fields: dict[str, tuple[Annotated[FieldPath, BeforeValidator(_as_path)], ...]]
    words: Words
    parameter_prefixes: tuple[str, ...]
    parameters: dict[str, tuple[str, ...]]
    ignored_parameters: frozenset[str]
    absent_parameters: frozenset[str]
    values: dict[str, dict[str, str]]
    strip_image_prefixes: tuple[str, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> Aliases:
        for section, names, known in (
            ("fields", self.fields, FIELDS),
            ("parameters", self.parameters, NAMES),
            ("absent_parameters", self.absent_parameters, NAMES),
            ("values", self.values, TRANSLATED),
        ):
            for name in sorted(set(names) - set(known)):
                raise ValueError(f"{section} must be of {', '.join(known)}; got {name!r}")
        for name, places in self.fields.items():
            units = UNITS.get(name, {})
            for place in places:
                if place.unit and place.unit not in units:
                    listed = ", ".join(units) or "left out"
                    raise ValueError(f"a unit of {name} must be {listed}; got {place.unit!r}")
        return self

    @cached_property
    def parameter_places(self) -> dict[str, tuple[str, ...]]:
        """By parameter: every path it may stand at, the preferred first."""
        return {
            name: tuple(p + alias for p in self.parameter_prefixes for alias in aliases)
            for name, aliases in self.parameters.items()
        }

    @cached_property
    def parameter_names(self) -> frozenset[str]:
        """What a parameter may be called, and what may stand beside them."""
        return self.ignored_parameters.union(*self.parameters.values())

    def find(self, record: Mapping[str, Any], field: str) -> tuple[FieldPath, Scalar] | None:
        """The first place of a field that holds a value, and that value."""
        for place in self.fields.get(field, ()):
            value = value_at(record, place.path)
            if is_value(value):
                return place, value
        return None

    def lacking(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """What a record needs so that this is its layout, and does not have."""
        has_result = any(self.find(record, field) for field in ("ssim", "success")) or any(
            is_value(value_at(record, place))
            for places in self.parameter_places.values()
            for place in places
        )
        lacking = [] if self.find(record, "image") else ["an image path"]
        return (*lacking, *([] if has_result else ["an SSIM or parameters"]))

    def translated(self, field: str, value: Scalar) -> Scalar:
        """Our word for a log's, where it is listed; else the log's."""
        return self.values.get(field, {}).get(str(value).strip().lower(), value)


def read_aliases(path: Path | None = None) -> Aliases:
    """The names in the package, and what a user's file says instead.

    Args:
        path: YAML; what it leaves out stays as in the package.

    Raises:
        SettingsError: it cannot be read, or names something unknown.
    """
    source = files("svg_quality.dataset.collection").joinpath("aliases.yaml")
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    for section, given in (_user_content(path) if path else {}).items():
        both = isinstance(given, dict) and isinstance(content.get(section), dict)
        content[section] = {**content[section], **given} if both else given
    try:
        return Aliases.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "aliases"
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{where}: {reason} (aliases of {path})") from None


def _user_content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"aliases must be a readable YAML file, {path}: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"aliases must be sections of names, {path} is not")
    return content


def value_at(record: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path, or None.

    Example:
        >>> value_at({"image": {"path": "a.png"}, "quality.ssim": "0.9"}, "image.path")
        'a.png'
        >>> value_at({"image": {"path": "a.png"}, "quality.ssim": "0.9"}, "quality.ssim")
        '0.9'
    """
    if path in record:
        return record[path]
    head, _, rest = path.partition(".")
    inner = object_in(record.get(head)) if rest else None
    return None if inner is None else value_at(inner, rest)


def values_under(record: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Everything that `value_at` finds at paths with this beginning, by the rest of the path.

    Example:
        >>> record = {"params": '{"mode": "none"}', "params.blur": 3}
        >>> values_under(record, "params.")
        {'blur': 3, 'mode': 'none'}
    """
    head, dot, rest = prefix.partition(".")
    inner = object_in(record.get(head)) if dot else None
    flat = {k.removeprefix(prefix): value for k, value in record.items() if k.startswith(prefix)}
    return flat if inner is None else {**flat, **values_under(inner, rest)}


def is_value(value: Any) -> bool:
    """Whether something is there: not null, not blank text, not a list or an object."""
    return isinstance(value, Scalar) and not (isinstance(value, str) and not value.strip())


def object_in(value: Any) -> Mapping[str, Any] | None:
    """The object that a value is, or that stands in it as JSON text."""
    if isinstance(value, str):
        value = _parsed(value) if value.lstrip().startswith("{") else None
    return value if isinstance(value, Mapping) else None


@lru_cache(maxsize=16)
def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
