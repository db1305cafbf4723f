"""Result logs as they lie on disk: JSON, JSON lines, CSV and Parquet to raw records.

Nothing is interpreted here. A line or row that is no record stays one, with the reason, so that
what comes out counts as many as what went in. JSON has no NaN or infinity: where a log holds one
it comes out as text (``"NaN"``), which no number is made of later.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from svg_quality.dataset.collection.field_aliases import object_in
from svg_quality.errors import DatasetError

SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".csv", ".parquet")
WHOLE: Final = "the whole file"  # the place of a JSON object that may itself be a record
NO_RECORD: Final = "not a record"
NOT_UNICODE: Final = "not Unicode"
_SURROGATE: Final = re.compile("[\\ud800-\\udfff]")
_BATCH: Final = 4096  # rows of Parquet at a time


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of a log, as it stands there."""

    at: str  # "line 7", "results[3]", "row 2"
    raw: Any  # what the log holds, JSON-able
    fault: str | None = None  # why it cannot be read
    kind: str = NO_RECORD  # what the fault is counted as

    @property
    def fields(self) -> Mapping[str, Any] | None:
        """Its fields, where it has some."""
        return self.raw if isinstance(self.raw, dict) else None


@dataclass(frozen=True, slots=True)
class LogContent:
    """What a file holds: every list that may be one of records, by its place in the file."""

    lists: Mapping[str, Sequence[RawRecord]]
    keys: Sequence[str]  # at the top of the file, or of its first record; or columns
    sha256: str


def find_logs(path: Path) -> dict[str, Path]:
    """The log itself, or every log of a folder and its sub-folders, by relative name.

    Raises:
        DatasetError: there is none, or a file is of another kind.
    """
    listed = ", ".join(SUFFIXES)
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise DatasetError(f"a log must be one of {listed}, got {path}")
        return {path.name: path}
    if not path.exists():
        raise DatasetError(f"logs must be a file or a folder with {listed}; {path} does not exist")
    found = {
        file.relative_to(path).as_posix(): file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and file.is_file()
    }
    if not found:
        raise DatasetError(f"logs must be a file or a folder with {listed}; {path} holds none")
    return {name: found[name] for name in sorted(found)}


def read_log(path: Path) -> LogContent:
    """Every record of a file.

    Raises:
        DatasetError: the file as a whole cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"a log must be readable, {path.name}: {error.strerror}") from error
    suffix = path.suffix.lower()
    if suffix == ".json":
        lists, keys = _json_lists(data, path.name)
    elif suffix == ".csv":
        lists, keys = _csv_rows(data, path.name)
    elif suffix == ".parquet":
        lists, keys = _parquet_rows(data, path.name)
    else:
        lists, keys = _json_lines(data)
    return LogContent(lists, keys, hashlib.sha256(data).hexdigest())


def _json_lists(data: bytes, name: str) -> tuple[dict[str, list[RawRecord]], list[str]]:
    try:
        content = _loads(data)
    except ValueError as error:
        lines = data.splitlines()
        if len(lines) > 1 and _is_object(lines[0]):  # JSON lines under another name
            return _json_lines(data)
        raise DatasetError(f"a JSON log must be whole, {name} is not: {error}") from None
    lists = {
        place: [_member(f"{place}[{number}]", item) for number, item in enumerate(items)]
        for place, items in _lists_in(content, "")
    }
    if isinstance(content, dict):
        return {**lists, WHOLE: [_record(WHOLE, content)]}, _printable(content)
    return lists, _keys(lists.get("", []))


def _keys(records: list[RawRecord]) -> list[str]:
    return next((_printable(record.fields) for record in records if record.fields), [])


def _lists_in(content: Any, place: str) -> Iterator[tuple[str, list[Any]]]:
    """Every list that holds an object, at the top or nested under keys."""
    if isinstance(content, list) and any(isinstance(item, dict) for item in content):
        yield place, content
    elif isinstance(content, dict):
        for key, value in zip(_printable(content), content.values(), strict=True):
            yield from _lists_in(value, f"{place}.{key}" if place else key)


def _json_lines(data: bytes) -> tuple[dict[str, list[RawRecord]], list[str]]:
    records = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append(_member(f"line {number}", _loads(line)))
        except ValueError as error:
            text = line.decode("utf-8", "backslashreplace")
            records.append(RawRecord(f"line {number}", text, f"not JSON: {error}"))
    return {"": records}, _keys(records)


def _member(at: str, item: Any) -> RawRecord:
    if isinstance(item, dict):
        return _record(at, item)
    return RawRecord(at, item, f"a record must be an object, got {type(item).__name__}")


def _record(at: str, fields: dict[str, Any]) -> RawRecord:
    wrong = _not_unicode_in(fields)
    if wrong is None:
        return RawRecord(at, fields)
    return RawRecord(at, fields, f"text must be encodable as UTF-8, got {wrong!r}", NOT_UNICODE)


def _not_unicode_in(fields: dict[str, Any]) -> str | None:
    """A text that UTF-8 cannot hold: JSON may name half of a surrogate pair."""
    rest: list[Any] = [fields]
    while rest:
        item = rest.pop()
        if isinstance(item, str):
            inner = object_in(item) if "\\ud" in item.lower() else None
            if inner is not None:
                rest.append(inner)
            elif _SURROGATE.search(item):
                return item
        elif isinstance(item, Mapping):
            rest += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            rest += item
    return None


def _printable(keys: Iterable[str]) -> list[str]:
    return [key.encode("utf-8", "backslashreplace").decode() for key in keys]


def _csv_rows(data: bytes, name: str) -> tuple[dict[str, list[RawRecord]], list[str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"a CSV log must be UTF-8, {name} is not: {error}") from None
    lines = list(io.StringIO(text, newline=""))
    first, header, start = next(_csv_cells(lines, 0), (None, [], 0))
    if first is not None:
        raise DatasetError(f"a CSV log must begin with its columns, {name} does not: {first}")
    return {"": list(_csv_records(lines, start, _distinct(header, name)))}, header


def _csv_records(lines: list[str], start: int, header: list[str]) -> Iterator[RawRecord]:
    for fault, cells, end in _csv_cells(lines, start):
        at = f"line {start + 1}"
        start = end
        if fault is not None:
            yield RawRecord(at, cells[0], fault)
        elif len(cells) == len(header):
            yield _record(at, dict(zip(header, cells, strict=True)))
        elif cells:
            yield RawRecord(at, cells, f"a row must have {len(header)} cells, got {len(cells)}")


def _csv_cells(lines: list[str], start: int) -> Iterator[tuple[str | None, list[str], int]]:
    """Fault, cells and the index of the line after them, for every row from a line on.

    A row that breaks the rules (a quote without its end takes in all that follows) is given up
    after its first line, so that it takes no other row with it.
    """
    while start < len(lines):
        begun = start
        rest = (lines[index] for index in range(begun, len(lines)))
        reader = csv.reader(rest, strict=True)
        try:
            for cells in reader:
                start = begun + reader.line_num
                yield None, cells, start
        except csv.Error as error:
            start += 1
            yield f"not CSV: {error}", [lines[start - 1].rstrip("\r\n")], start


def _distinct(cells: list[str], name: str) -> list[str]:
    if len(set(cells)) < len(cells):
        twice = next(cell for cell in cells if cells.count(cell) > 1)
        raise DatasetError(f"columns must have names of their own, {name} has two {twice!r}")
    return cells


def _parquet_rows(data: bytes, name: str) -> tuple[dict[str, list[RawRecord]], list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        rows = [row for batch in file.iter_batches(_BATCH) for row in batch.to_pylist()]
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"a Parquet log must be whole, {name} is not: {error}") from None
    records = [_record(f"row {number}", _plain(row)) for number, row in enumerate(rows)]
    return {"": records}, list(file.schema_arrow.names)


def _loads(data: bytes) -> Any:
    """JSON of finite numbers; others stay text.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    try:
        return json.loads(data, parse_constant=str, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(_loads(line), dict)
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    """A value of Parquet as JSON would hold it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | bool) else str(value)
