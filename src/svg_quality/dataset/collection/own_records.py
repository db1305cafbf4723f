"""Records that are rows of our own table already: they stay as they are, if they keep its schema.

`convert` and the optimizers log such rows, and a table kept as Parquet or CSV holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.dataset.collection.log_records import LIMITS, Reading, as_number, parameter_faults
from svg_quality.dataset.tables import CONVERSIONS, conversions_table
from svg_quality.errors import DatasetError

_MARKS: Final = {"conversion_id", "image_id", "ssim_definition", "vtracer_version", *NAMES}
_KINDS: Final = {name: str(column.dtype) for name, column in CONVERSIONS.columns.items()}
_TRUTH: Final = {"true": True, "false": False}


def is_own(record: Mapping[str, Any]) -> bool:
    """Whether a record claims to be a row of the conversions table."""
    return record.keys() >= _MARKS


def read_own(record: Mapping[str, Any]) -> Reading:
    """The row, typed, and what is wrong with it; columns that are none of ours are left out."""
    reading = Reading(created="as logged")
    for name, column in CONVERSIONS.columns.items():
        if name not in record:
            reading.refuse(f"{name} missing", "our own rows have it")
            continue
        value = None if record[name] == "" else record[name]
        reading.found[name] = name
        reading.columns[name] = _typed(reading, name, _KINDS[name], value)
        if value is None and not column.nullable:
            reading.refuse(f"{name} missing", "it is null")
    row = reading.columns
    reading.image, reading.logo_type = row.get("image_path"), row.get("logo_type")
    reading.said_method = str(row.get("method"))
    _check_values(reading)
    if not reading.faults:
        reading.parameters = Parameters(**{name: row[name] for name in NAMES})
    return reading


def schema_faults(rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    """By place: why the row breaks the schema; rows that keep it are not in the answer.

    A table that breaks it is halved until the rows that do stand alone: a check takes about as
    long for one row as for a thousand.
    """
    try:
        conversions_table(rows)
    except DatasetError as error:
        if len(rows) == 1:
            return {0: str(error)}
        half = len(rows) // 2
        right = schema_faults(rows[half:])
        return schema_faults(rows[:half]) | {half + place: why for place, why in right.items()}
    return {}


def _check_values(reading: Reading) -> None:
    row = reading.columns
    for name in NAMES:
        if row.get(name) is not None:
            reading.faults += parameter_faults(name, row[name])
    for name, (low, high) in LIMITS.items():
        value = row.get(name)
        if value is not None and not low <= value <= high:
            title = "SSIM" if name == "ssim" else name
            reading.refuse(f"{title} out of range", f"must be in [{low}, {high}], got {value!r}")
    if row.get("ssim") is None and row.get("error") is None:
        reading.refuse("SSIM missing", "the row has neither an SSIM nor an error")
    image_id = str(row.get("image_id"))
    stem = str(row.get("image_path")).rpartition(".")[0]
    if stem != f"{image_id[:2]}/{image_id}":
        reading.refuse("image_path not ours", f"must be named by image_id, got {reading.image!r}")


def _typed(reading: Reading, name: str, kind: str, value: Any) -> Any:
    if value is None or kind.startswith("str"):
        return None if value is None else str(value)
    if kind == "bool":
        truth = _TRUTH.get(str(value).lower())
        if truth is None:
            reading.refuse(f"{name} not true or false", f"got {value!r}")
        return truth
    number = as_number(value)
    if number is None or (kind.lower() == "int64" and not number.is_integer()):
        wanted = "a whole number" if kind.lower() == "int64" else "a number"
        reading.refuse(f"{name} not a number", f"must be {wanted}, got {value!r}")
        return None
    return int(number) if kind.lower() == "int64" else number
