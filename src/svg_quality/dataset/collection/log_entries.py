"""Records on their way into the table: made rows of, and compared with each other."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from svg_quality.conversion.parameters import NAMES
from svg_quality.dataset.assurance.private_text import masked
from svg_quality.dataset.collection.label_errors import planned_again
from svg_quality.dataset.collection.log_formats import RawRecord
from svg_quality.dataset.collection.log_images import Picture
from svg_quality.dataset.collection.log_records import Reading
from svg_quality.dataset.collection.own_records import schema_faults
from svg_quality.dataset.survey import LogoRecord
from svg_quality.dataset.tables import AS_LOGGED

REPEATS: Final = "repeats a record"
CONFLICT: Final = "conflicting duplicate"


@dataclass(slots=True, eq=False)
class Entry:
    """A record of a log, and what is made of it."""

    log: str  # relative to the folder of logs
    file_name: str  # of the log
    raw: RawRecord
    reading: Reading
    own: bool = False  # a row of our own table already
    picture: Picture | None = None  # the file to be looked at
    name: str = ""  # of that file, relative to the folder it was found from
    seen: LogoRecord | None = None  # what was seen in it
    type_from: str = "as logged"
    row: dict[str, Any] | None = None

    @property
    def place(self) -> str:
        """Where the record stands, for people."""
        return f"{self.log} {self.raw.at}"

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it so far."""
        return not self.reading.faults


def make_rows(entries: Iterable[Entry], collected_at: str) -> None:
    """Fill in the rows of what is good; one picture has one description, the first file's by name.

    Args:
        entries: with ``seen`` filled in.
        collected_at: the time of rows whose log gives none, ISO 8601 in UTC.
    """
    by_image: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.own:
            _keep_row(entry)
        elif entry.good and entry.seen:
            by_image[entry.seen.image_id].append(entry)
    for same in by_image.values():
        first = min(same, key=lambda entry: (entry.name, entry.log))
        if first.seen:
            record, origin = _typed(first.seen, {entry.reading.logo_type for entry in same})
            picture = record.columns()
            for entry in same:
                entry.type_from = origin
                entry.row = _row(entry, picture, collected_at)


def _keep_row(entry: Entry) -> None:
    row, seen = entry.reading.columns, entry.seen
    if seen and seen.image_id != row.get("image_id"):
        entry.reading.refuse("image differs", f"{entry.name} has other pixels than image_id says")
    elif entry.good:
        entry.row = {**row, "image_path": seen.image_path} if seen else row


def _typed(record: LogoRecord, logged: set[str | None]) -> tuple[LogoRecord, str]:
    """The picture with the type that all logs agree on, else with the estimated one."""
    given = logged - {None}
    if len(given) != 1:
        return record, "logs disagree: estimated" if given else "not logged: estimated"
    return replace(record, logo_type=str(given.pop()), logo_type_estimated=False), "as logged"


def _row(entry: Entry, picture: dict[str, Any], collected_at: str) -> dict[str, Any]:
    said = entry.reading.columns
    parameters = {} if entry.reading.parameters is None else entry.reading.parameters.as_dict()
    size = f"{picture['width']}x{picture['height']}"
    # The label is part of it, so that other logs' word on the same conversion is another row.
    parts = [AS_LOGGED, picture["image_id"], size, parameters, said["ssim"], said["error"]]
    return {
        "conversion_id": hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
        **picture,
        "source": masked(f"{entry.file_name}/{entry.name}"),
        **parameters,
        **said,
        "created_at": said["created_at"] or collected_at,
        "ssim_definition": AS_LOGGED,
    }


def refuse_broken_rows(entries: Iterable[Entry]) -> None:
    """Fault every row that breaks the schema of the conversions table."""
    rows = [(entry, entry.row) for entry in entries if entry.row and entry.good]
    # Two records of one conversion are no fault here: each gets a number of its own.
    numbered = [{**row, "conversion_id": f"{n:064x}"} for n, (_, row) in enumerate(rows)]
    for place, why in schema_faults(numbered).items():
        rows[place][0].reading.refuse("breaks the schema", why)


def settle_duplicates(entries: Iterable[Entry]) -> None:
    """Of the same picture and parameters one row stays, or none where their SSIM differ.

    Rows of our own under another definition or other versions are other measurements. A failure
    gives way to a success.
    """
    groups: dict[tuple[Any, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.row and entry.good:
            groups[_key(entry.row)].append(entry)
    for group in groups.values():
        _settle(group)
    ids: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.row and entry.good:
            ids[entry.row["conversion_id"]].append(entry)
    for group in ids.values():
        for entry, other in zip(group, group[1:] + group[:1], strict=True):
            if entry is not other:
                entry.reading.refuse(CONFLICT, f"its conversion_id is also that of {other.place}")


def settle_measured_again(entries: Iterable[Entry]) -> list[Entry]:
    """Those that one new measurement each can stand for; the others repeat one of them."""
    chosen: dict[str, Entry] = {}
    for entry in entries:
        if entry.row and entry.good:
            earlier = chosen.setdefault(planned_again(entry.row).conversion_id, entry)
            if earlier is not entry:
                entry.reading.refuse(REPEATS, f"measured again it is that of {earlier.place}")
    return list(chosen.values())


def _settle(group: list[Entry]) -> None:
    rows = [(entry, entry.row) for entry in group if entry.row]
    successes = [(entry, row) for entry, row in rows if row["error"] is None]
    stays = (successes or rows)[0][0]
    conflict = len({row["ssim"] for _, row in successes}) > 1
    for entry, row in rows:
        if conflict and row["error"] is None:
            other, theirs = next((e, r) for e, r in successes if r["ssim"] != row["ssim"])
            fact = f"same picture and parameters, SSIM {row['ssim']} here and {theirs['ssim']}"
            entry.reading.refuse(CONFLICT, f"{fact} in {other.place}")
        elif entry is not stays:
            entry.reading.refuse(REPEATS, f"the same conversion is that of {stays.place}")


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    measured = row["ssim_definition"] != AS_LOGGED
    versions = ("vtracer_version", "renderer_version", "ssim_definition") if measured else ()
    return tuple(row[name] for name in ("image_id", "width", "height", *NAMES, *versions))
