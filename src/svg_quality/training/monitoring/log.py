"""A log of JSON lines that survives a kill and never outgrows its bounds.

``monitor.jsonl`` is the newest file, ``monitor.1.jsonl`` the one before it, and so on. Each line
reaches the operating system as soon as it is written, so a kill can cut the last one at most.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from svg_quality.dataset.whole_lines import drop_unfinished_line
from svg_quality.errors import DatasetError, SettingsError

NAME: Final = "monitor"
Record = dict[str, Any]


class RotatingLog:
    """Appends records; ``n_files`` of at most ``max_bytes`` each, the oldest is dropped.

    Args:
        directory: made at the first record.
        max_bytes: of one file; a longer record still becomes a line of its own.
        n_files: including the one that is written.

    Raises:
        SettingsError: a bound is not positive.
    """

    def __init__(self, directory: Path, max_bytes: int = 2_000_000, n_files: int = 4) -> None:
        if max_bytes < 1 or n_files < 1:
            raise SettingsError(
                f"max_bytes and n_files must be at least 1, got {max_bytes} and {n_files}"
            )
        self.directory, self.max_bytes, self.n_files = directory, max_bytes, n_files
        self._size = -1  # of the newest file; negative before it was looked at

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record as one line, whole when this returns.

        Raises:
            ValueError: a number in it is not finite: JSON has none.
            OSError: the file cannot be written.
        """
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        path = _path(self.directory, 0)
        if self._size < 0:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._size = 0
            if path.exists():
                with path.open("rb+") as log:
                    self._size = drop_unfinished_line(log)
        if self._size and self._size + len(line) > self.max_bytes:
            self._rotate()
        with path.open("ab", buffering=0) as file:  # a few times a second: no handle to leave open
            file.write(line)
        self._size += len(line)

    def _rotate(self) -> None:
        _path(self.directory, self.n_files - 1).unlink(missing_ok=True)
        for number in range(self.n_files - 1, 0, -1):
            newer = _path(self.directory, number - 1)
            if newer.exists():
                newer.replace(_path(self.directory, number))
        self._size = 0


def read_log(directory: Path) -> Iterator[Record]:
    """The records of a folder, oldest first; the half line that a kill leaves last is passed over.

    Raises:
        DatasetError: there is no log, or a line other than the last is damaged.
    """
    paths = sorted(
        directory.glob(f"{NAME}*.jsonl"), key=lambda path: -_number(path)
    )  # the highest number is the oldest
    if not paths:
        raise DatasetError(f"a session must have a {NAME}.jsonl, {directory} has none")
    for path in paths:
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines[:-1], 1):  # behind the last line break: a half line
            try:
                record = json.loads(line)
            except ValueError as error:
                raise DatasetError(f"{path}, line {number} must be JSON: {error}") from None
            yield record


def _path(directory: Path, number: int) -> Path:
    return directory / (f"{NAME}.{number}.jsonl" if number else f"{NAME}.jsonl")


def _number(path: Path) -> int:
    middle = path.name.split(".")[1]
    return int(middle) if middle.isdecimal() else 0
