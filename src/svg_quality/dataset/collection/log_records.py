"""What a raw record of a log says of one conversion, and everything that is wrong with it.

Nothing is guessed: a value that is missing, is no number, is out of range or contradicts another
is a fault, and a record with a fault is no row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from svg_quality.conversion.parameters import NAMES, RANGES, Parameters
from svg_quality.dataset.collection.field_aliases import (
    UNITS,
    Aliases,
    Scalar,
    is_value,
    value_at,
    values_under,
)
from svg_quality.dataset.logos import LOGO_TYPES
from svg_quality.dataset.tables import FIGURES, METHODS
from svg_quality.errors import ParameterError

COLLECTED: Final = "collected"  # the method of a record that names none of ours
UNKNOWN: Final = "unknown"  # a tool's version that the log does not give
LIMITS: Final[dict[str, tuple[float, float]]] = {
    "ssim": (-1, 1), "ssim_worst_tile": (-1, 1), "mse": (0, math.inf), "psnr": (0, math.inf),
    "svg_bytes": (1, 2**53), "path_count": (0, 2**53), "trace_ms": (0, math.inf),
    "render_ms": (0, math.inf),
}  # fmt: skip
_WHOLE: Final = frozenset({"svg_bytes", "path_count"})
_NO_ERROR: Final = frozenset({"none", "null", "nan", "false"})
_ABSOLUTE_PATH: Final = re.compile(r"(?:\b[A-Za-z]:|\B)[/\\](?:[^\s'\":/\\]+[/\\])+[^\s'\":]*")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record is no row: what it is counted as, and the fact."""

    kind: str
    fact: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.fact}"


@dataclass(slots=True)
class Reading:
    """What one record says."""

    faults: list[Fault] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)  # field or parameter: where it stood
    defaults: list[str] = field(default_factory=list)  # parameters that take VTracer's default
    image: str | None = None  # path as logged
    logo_type: str | None = None  # where the log gives one of ours
    parameters: Parameters | None = None
    columns: dict[str, Any] = field(default_factory=dict)  # of the row, as far as the log goes
    created: str = "not logged: the time of collection"  # where the time is from
    said_method: str = "not logged"

    def refuse(self, kind: str, fact: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(kind, fact))


def read_record(record: Mapping[str, Any], aliases: Aliases) -> Reading:
    """Everything that a record of another program says of one conversion.

    Args:
        record: as it stands in the log.
        aliases: how logs name things.
    """
    reading = Reading()
    image = _text(reading, record, aliases, "image")
    if image is None:
        reading.refuse("image missing", "the record names none")
    else:
        reading.image = _without_prefix(image, aliases.strip_image_prefixes)
    _read_parameters(reading, record, aliases)
    _read_origin(reading, record, aliases)
    reading.columns["error"] = _failure(reading, record, aliases)
    if reading.columns["error"] is None:
        reading.columns |= {name: _figure(reading, record, aliases, name) for name in FIGURES}
    else:  # whatever number stands beside an error was not measured
        reading.columns |= dict.fromkeys(FIGURES)
    return reading


def _read_parameters(reading: Reading, record: Mapping[str, Any], aliases: Aliases) -> None:
    for prefix in filter(None, aliases.parameter_prefixes):
        for name, value in values_under(record, prefix).items():
            empty = value is None or (isinstance(value, str) and not value.strip())
            if name not in aliases.parameter_names and not empty:
                reading.refuse("parameter unknown", f"{prefix}{name} {value!r}")
    values: dict[str, Any] = {}
    for name in NAMES:
        value = _parameter(reading, record, aliases, name)
        if value is not None:
            values[name] = value
    if not values:
        reading.refuse("parameters missing", "the record has none of VTracer's")
        return
    for name in NAMES:
        if name not in values:
            if name in aliases.absent_parameters:
                reading.defaults.append(name)
            else:
                reading.refuse(f"{name} missing", "the record does not give it")
    faults = [fault for name, value in values.items() for fault in parameter_faults(name, value)]
    reading.faults += faults
    if not faults:
        reading.parameters = Parameters(**values)


def _parameter(
    reading: Reading, record: Mapping[str, Any], aliases: Aliases, name: str
) -> Scalar | None:
    """The value at the first place that has one; another value elsewhere is a fault."""
    chosen: Scalar | None = None
    for place in aliases.parameter_places.get(name, ()):
        value = value_at(record, place)
        if not is_value(value):
            continue
        value = aliases.translated(name, value)
        if chosen is None:
            chosen, reading.found[name] = value, place
        elif not _same(chosen, value):
            first = f"{reading.found[name]} {chosen!r}"
            reading.refuse(f"{name} given twice", f"{first} and {place} {value!r}")
    return chosen


def parameter_faults(name: str, value: Any) -> list[Fault]:
    """Why VTracer would not take a value of a parameter: no or one fault."""
    try:
        Parameters(**{name: value})
    except ParameterError as error:
        low, high = RANGES.get(name, (math.nan, math.nan))
        number = as_number(value)
        outside = number is not None and (number < low or number > high)
        return [Fault(f"{name} {'out of range' if outside else 'not allowed'}", str(error))]
    return []


def _read_origin(reading: Reading, record: Mapping[str, Any], aliases: Aliases) -> None:
    """Method, type, time and versions."""
    method = _text(reading, record, aliases, "method")
    if method is not None:
        reading.said_method = method
        method = str(aliases.translated("method", method))
    logo_type = _text(reading, record, aliases, "logo_type")
    if logo_type is not None:
        logo_type = str(aliases.translated("logo_type", logo_type)).strip().lower()
    reading.logo_type = logo_type if logo_type in LOGO_TYPES else None
    reading.columns |= {
        "method": method if method in METHODS else COLLECTED,
        "created_at": _created_at(reading, record, aliases),
        "vtracer_version": _text(reading, record, aliases, "vtracer_version") or UNKNOWN,
        "renderer_version": _text(reading, record, aliases, "renderer_version") or UNKNOWN,
    }


def _created_at(reading: Reading, record: Mapping[str, Any], aliases: Aliases) -> str | None:
    found = aliases.find(record, "created_at")
    if found is None:
        return None
    place, value = found
    reading.found["created_at"] = place.path
    try:
        if place.unit:
            seconds = float(value) * UNITS["created_at"][place.unit]
            moment = datetime.fromtimestamp(seconds, UTC)
        else:
            moment = datetime.fromisoformat(str(value).strip())
        reading.created = "as logged"
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
            reading.created = "as logged, without a zone: taken as UTC"
        return moment.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        wanted = place.unit or "ISO 8601"
        reading.refuse("time not readable", f"{place.path} must be {wanted}, got {value!r}")
        return None


def _failure(reading: Reading, record: Mapping[str, Any], aliases: Aliases) -> str | None:
    """Why the conversion failed, as far as the log says so."""
    text: str | None = None
    said = aliases.find(record, "error")
    if said is not None and str(said[1]).strip().lower() not in _NO_ERROR:
        place, value = said
        reading.found["error"] = place.path
        if isinstance(value, int | float) and not isinstance(value, bool):
            reading.refuse("error not a text", f"{place.path} is {value!r}")
            return None
        text = f"as logged: {_ABSOLUTE_PATH.sub('<path>', str(value))}"
    flag = aliases.find(record, "success")
    if flag is None:
        return text
    place, value = flag
    reading.found["success"] = place.path
    word = str(value).strip().lower()
    if word in aliases.words.false:
        return text or f"as logged: {place.path} {word}"
    if word not in aliases.words.true:
        reading.refuse("success not readable", f"{place.path} is {value!r}")
    elif text is not None:
        reading.refuse("success contradicts error", f"{place.path} {value!r} beside {text!r}")
    return text


def _figure(
    reading: Reading, record: Mapping[str, Any], aliases: Aliases, name: str
) -> float | None:
    title = "SSIM" if name == "ssim" else name
    found = aliases.find(record, name)
    if found is None:
        if name == "ssim":
            places = ", ".join(place.path for place in aliases.fields.get("ssim", ()))
            reading.refuse("SSIM missing", f"nothing stands at {places}")
        return None
    place, value = found
    reading.found[name] = place.path
    number = as_number(value)
    if name == "psnr" and number is None and str(value).strip().lower() in ("inf", "infinity"):
        return None  # of two equal pictures, as in our own rows
    if number is None:
        reading.refuse(f"{title} not a number", f"{place.path} is {value!r}")
        return None
    number *= UNITS[name][place.unit] if place.unit else 1
    low, high = LIMITS[name]
    if not low <= number <= high:
        law = f"in [{low}, {high}]" if high <= 1 else f"at least {low}"
        reading.refuse(f"{title} out of range", f"{place.path} must be {law}, got {value!r}")
    elif name in _WHOLE and abs(number - round(number)) > 1e-6:
        reading.refuse(f"{title} not whole", f"{place.path} is {value!r} {place.unit}".strip())
    else:
        return round(number) if name in _WHOLE else number
    return None


def _text(reading: Reading, record: Mapping[str, Any], aliases: Aliases, name: str) -> str | None:
    found = aliases.find(record, name)
    if found is None:
        return None
    reading.found[name] = found[0].path
    return str(found[1]).strip()


def _without_prefix(path: str, prefixes: tuple[str, ...]) -> str:
    fitting = [prefix for prefix in prefixes if path.startswith(prefix)]
    return path.removeprefix(max(fitting, key=len)) if fitting else path


def as_number(value: Any) -> float | None:
    """A finite number, of text too; no other spelling than a program writes."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _same(left: Scalar, right: Scalar) -> bool:
    numbers = as_number(left), as_number(right)
    return left == right if None in numbers else numbers[0] == numbers[1]
