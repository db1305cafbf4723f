"""The ledger of promotions: who was in Production when, and why. Lines are only ever added.

``mlruns/promotions.jsonl`` of the project, whatever registry it promotes in; each line names its
registry. A line holds the SHA-256 of the line before, so a line that was changed, taken out or
put in shows at the one after it. That the *last* line was changed or cut off shows by the seal,
a copy of its number and digest that the registry keeps (`svg_quality.tracking.production`).

The caller holds the registry's lock while it appends, so ledger and registry move together.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from svg_quality.errors import TrackingError
from svg_quality.tracking.identity import canonical_json

FILE_NAME: Final = "promotions.jsonl"
Event = Literal["promoted", "forced", "rolled back", "found", "refused"]
MOVES: Final = ("promoted", "forced", "rolled back", "found")  # events that change Production
_FIRST: Final = "0" * 64  # what stands in place of the digest of the line before


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of the model, told apart by more than its number."""

    version: int
    run_id: str | None
    bundle: str | None  # SHA-256 of its manifest; None where its files are not on this disk

    def is_same(self, other: Candidate | None) -> bool:
        """Whether both are one version: numbers begin anew where a registry was made anew."""
        return other is not None and (self.version, self.run_id) == (other.version, other.run_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line."""

    event: Event
    registry: str
    version: Candidate | None  # the one it is about; None where nobody is in Production
    instead_of: Candidate | None  # who was in Production just before
    reason: str
    gates: Sequence[Mapping[str, Any]] = ()  # name, passed, reason, figures
    rules: str = ""  # digest of the settings and code that judged
    run: str = ""  # MLflow run of the command
    who: str = ""
    at: str = ""  # UTC, ISO 8601


@dataclass(frozen=True, slots=True)
class Seal:
    """Where a ledger ends: enough to see that its end was changed or cut off."""

    n: int  # lines
    digest: str  # SHA-256 of the last

    def __str__(self) -> str:
        """As it is kept."""
        return f"{self.n} {self.digest}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a ledger holds, as far as it can be read."""

    entries: tuple[Entry, ...]
    seal: Seal
    fault: str  # the first place where it was tampered with; empty where it is whole

    def of(self, registry: str) -> tuple[Entry, ...]:
        """The entries about one registry."""
        return tuple(entry for entry in self.entries if entry.registry == registry)


class Ledger:
    """The file.

    Args:
        path: of it; made by the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, seal: str = "") -> Reading:
        """All lines, oldest first, checked.

        Args:
            seal: that of the last line known elsewhere, as text; empty where none is kept.

        Raises:
            TrackingError: the file is there and cannot be read.
        """
        lines, cut = _lines(self.path)
        entries: list[Entry] = []
        fault, before = "", _FIRST
        digests = [hashlib.sha256(line).hexdigest() for line in lines]
        for number, (line, digest) in enumerate(zip(lines, digests, strict=True), 1):
            try:
                record = json.loads(line)
                entries.append(_entry(record))
                linked = record["n"] == number and record["before"] == before
            except (ValueError, KeyError, TypeError, AttributeError):
                fault = fault or f"line {number} is not one that this program wrote"
            else:
                if not linked:
                    fault = fault or (
                        f"line {number} does not follow the line before it: one of them was"
                        " changed, taken out or put in"
                    )
            before = digest
        fault = fault or _unsealed(digests, seal)
        fault = fault or (f"what follows line {len(lines)} is cut short" if cut.strip() else "")
        return Reading(tuple(entries), Seal(len(lines), before), fault)

    def append(self, entry: Entry) -> Seal:
        """Add a line, on the disk when this returns; gives where the ledger ends now.

        A line that a power cut left unfinished never was one: it is taken off first.

        Raises:
            TrackingError: the file cannot be written.
        """
        lines, cut = _lines(self.path)
        before = hashlib.sha256(lines[-1]).hexdigest() if lines else _FIRST
        signed = replace(entry, who=entry.who or _who(), at=entry.at or _now())
        record = {"n": len(lines) + 1, **_plain(signed), "before": before}
        line = canonical_json(record).encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if cut:
                os.truncate(self.path, self.path.stat().st_size - len(cut))
            with self.path.open("ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise TrackingError(f"the ledger {self.path} must be writable: {error}") from error
        return Seal(len(lines) + 1, hashlib.sha256(line).hexdigest())


def line_of_production(entries: Sequence[Entry]) -> list[Entry]:
    """Who was in Production one after the other, as far as it was not rolled back.

    A rollback takes off what it rolled back, so that the next goes one further back.

    Args:
        entries: of one registry, oldest first.

    Returns:
        For each version the entry that brought it there; the last one is there now. Empty where
        nobody is.
    """
    line: list[Entry] = []
    for entry in entries:
        if entry.event not in MOVES:
            continue
        if entry.version and entry.event == "rolled back":
            while line and not entry.version.is_same(line[-1].version):
                line.pop()
            line = line or [entry]
        else:
            line.append(entry)
    return line


def _lines(path: Path) -> tuple[list[bytes], bytes]:
    """Whole lines without their ends, and what stands after the last end of line.

    Raises:
        TrackingError: the file is there and cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], b""
    except OSError as error:
        raise TrackingError(f"the ledger {path} must be readable: {error}") from error
    *lines, cut = content.split(b"\n")
    return lines, cut


def _unsealed(digests: Sequence[str], seal: str) -> str:
    if not seal:
        return ""
    number, _, digest = seal.partition(" ")
    n = int(number) if number.isascii() and number.isdigit() else 0
    if not n:
        return f"its seal in the registry was changed: {seal[:80]!r}"
    if len(digests) < n:
        return f"after line {len(digests)} lines were taken off: {n - len(digests)} of {n} are gone"
    if digests[n - 1] != digest:
        return f"line {n} is not the one that was written: the registry remembers another"
    return ""


def _entry(record: Mapping[str, Any]) -> Entry:
    names = [name for name in Entry.__slots__ if name not in ("version", "instead_of")]
    return Entry(
        version=_candidate(record["version"]),
        instead_of=_candidate(record["instead_of"]),
        **{name: record[name] for name in names},
    )


def _candidate(record: Mapping[str, Any] | None) -> Candidate | None:
    return None if record is None else Candidate(**record)


def _plain(entry: Entry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    for name in ("version", "instead_of"):
        one: Candidate | None = values[name]
        values[name] = one and {part: getattr(one, part) for part in Candidate.__slots__}
    return values


def _who() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
