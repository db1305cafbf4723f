"""Use makes data: what optimizers convert, as rows of the conversions table.

Rows go to ``data/conversions/use.jsonl`` and pictures into the library ``data/logos``, where
``svg-quality collect data/conversions/use.jsonl --images data/logos`` reads them. Several
processes and threads may append at once. A conversion has one row, however often it is made: it
would be the same row again. A line that a kill cut short is dropped by the next one to append.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from svg_quality.optimization.base import Attempt
from svg_quality.optimization.logo import Logo
from svg_quality.tracking.appending import appending

if TYPE_CHECKING:
    from svg_quality.dataset.survey import LogoRecord

LOG: Final = Path("conversions") / "use.jsonl"  # within the project's data
SOURCE: Final = "use"  # first part of a row's `source`


class UseLog:
    """The log of a project.

    Args:
        data: the project's data folder; log and library are made on first use.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / LOG
        self.library = data / "logos"
        self._known: set[tuple[str, bool]] = set()  # conversion_id, and whether it failed
        self._read_to = 0  # bytes of the log of which `_known` knows
        self._inode = 0  # of that log

    def append(self, logo: Logo, attempts: Sequence[Attempt], method: str) -> None:
        """Keep a logo and conversions of it; once this returns, a kill does not lose them.

        Args:
            logo: what was traced.
            attempts: what came of it, failures too.
            method: as the conversions table calls it.

        Raises:
            StorageError: the disk refuses, or another process holds the log for a minute.
            ConversionError: as `Logo.descriptors`.
        """
        _ = logo.descriptors  # takes long the first time: not while others wait
        with appending(self.path) as log:
            self._catch_up(log)
            rows = self._rows(_record(logo, self.library), attempts, method)
            log.write(b"".join(json.dumps(row, allow_nan=False).encode() + b"\n" for row in rows))

    def _rows(
        self, record: LogoRecord, attempts: Sequence[Attempt], method: str
    ) -> list[dict[str, Any]]:
        """One for each attempt that has none yet."""
        from svg_quality.dataset.campaign import PlannedConversion, conversion_digest

        rows: dict[tuple[str, bool], dict[str, Any]] = {}
        for attempt in attempts:
            conversion_id = conversion_digest(record, attempt.parameters)
            key = conversion_id, attempt.measured is None
            if key not in self._known:
                planned = PlannedConversion(conversion_id, record, attempt.parameters, method)
                rows.setdefault(key, planned.row(attempt.measured, attempt.error))
        return list(rows.values())

    def _catch_up(self, log: BinaryIO) -> None:
        """Know what others, and earlier calls, have appended."""
        inode = os.fstat(log.fileno()).st_ino
        if inode != self._inode or log.seek(0, os.SEEK_END) < self._read_to:
            self._known.clear()  # the first call, or somebody began the log anew
            self._read_to, self._inode = 0, inode
        log.seek(self._read_to)
        for line in log:
            with contextlib.suppress(ValueError, LookupError, TypeError):  # `collect` reports it
                row = json.loads(line)
                self._known.add((row["conversion_id"], row["error"] is not None))
        self._read_to = log.tell()


def _record(logo: Logo, library: Path) -> LogoRecord:
    """What rows say of the logo, which is put into the library; of its path only the name."""
    from svg_quality.dataset.assurance.private_text import masked
    from svg_quality.dataset.library import LogoLibrary
    from svg_quality.dataset.survey import logo_record

    return logo_record(
        logo.image,
        logo.descriptors,
        image_path=LogoLibrary(library).add(logo.data, logo.image),
        source=masked(f"{SOURCE}/{Path(logo.name).name}"),
        working_size=logo.working_size,
    )
