"""What was collected from logs, counted so that nothing can go missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from svg_quality.dataset.collection.log_records import Fault


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that is no row, and why."""

    log: str
    at: str
    reasons: tuple[Fault, ...]
    record: Any  # as it stands in the log

    def as_dict(self) -> dict[str, Any]:
        """A line of the quarantine file."""
        reasons = [str(reason) for reason in self.reasons]
        return {"log": self.log, "at": self.at, "reasons": reasons, "record": self.record}


@dataclass(frozen=True, slots=True)
class LogReport:
    """What came of one log."""

    name: str
    sha256: str | None  # None where it could not be read
    n_records: int
    n_rows: int
    reasons: Mapping[str, int]  # records in quarantine by reason; one may have several
    fields: Mapping[str, Mapping[str, int]]  # by field or parameter: records by its place
    other_lists: Mapping[str, int]  # lists of objects in it that are no records, and their length
    problem: str | None  # why it gave no record at all

    def as_dict(self) -> dict[str, Any]:
        """Its entry in the report."""
        return {
            "log": self.name, "sha256": self.sha256, "problem": self.problem,
            "records": self.n_records, "in_table": self.n_rows,
            "in_quarantine": self.n_records - self.n_rows, "reasons": dict(self.reasons),
            "fields": {name: dict(places) for name, places in self.fields.items()},
            "other_lists": dict(self.other_lists),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """The table's rows and the quarantine are together as many as the records."""

    table: pd.DataFrame  # of the conversions schema
    quarantine: tuple[Quarantined, ...]
    logs: tuple[LogReport, ...]
    defaults: Mapping[str, int]  # by parameter: rows in which VTracer's default stands for it
    methods: Mapping[str, int]  # by the log's word and ours: rows
    times: Mapping[str, int]  # by where `created_at` is from: rows
    logo_types: Mapping[str, int]  # by where the type is from: rows
    remeasured: Mapping[str, Any] | None  # as `label_errors`; None where it was not asked for

    @property
    def n_records(self) -> int:
        """Of all logs."""
        return sum(log.n_records for log in self.logs)

    @property
    def reasons(self) -> dict[str, int]:
        """Records in quarantine by reason, the most frequent first; one may have several."""
        return reason_counts(self.quarantine)

    def as_dict(self) -> dict[str, Any]:
        """Every count, JSON-able."""
        return {
            "records": self.n_records,
            "in_table": len(self.table),
            "failed_conversions": int(self.table["error"].notna().sum()),
            "in_quarantine": len(self.quarantine),
            "reasons": self.reasons,
            "vtracer_defaults_used": dict(self.defaults),
            "methods": dict(self.methods),
            "created_at": dict(self.times),
            "logo_types": dict(self.logo_types),
            "remeasured": self.remeasured,
            "logs": [log.as_dict() for log in self.logs],
        }


def reason_counts(quarantine: Iterable[Quarantined]) -> dict[str, int]:
    """Records by reason, the most frequent first."""
    kinds = (kind for entry in quarantine for kind in {reason.kind for reason in entry.reasons})
    return counted(kinds)


def counted(items: Iterable[str]) -> dict[str, int]:
    """How often each occurs, the most frequent first, then by name."""
    return dict(sorted(Counter(items).items(), key=lambda pair: (-pair[1], pair[0])))
