"""A conversion campaign: what to convert, and a log of what was, that survives being killed.

The log holds one JSON object a line and is only ever appended to. A line that a kill cut short
is dropped when the log is opened again, and its conversion done again; a conversion whose line
is whole is never repeated. So no row is lost and none doubled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from svg_quality.conversion.measure import FIGURES
from svg_quality.conversion.parameters import Parameters, parameters_from
from svg_quality.conversion.rendering import RENDERER_VERSION
from svg_quality.conversion.sampling import sample_parameters
from svg_quality.conversion.similarity import DEFINITION
from svg_quality.conversion.tracing import VTRACER_VERSION
from svg_quality.dataset.survey import LogoRecord
from svg_quality.dataset.whole_lines import drop_unfinished_line
from svg_quality.errors import DatasetError


@dataclass(frozen=True, slots=True)
class PlannedConversion:
    """One row to be: a picture and a parameter set."""

    conversion_id: str
    record: LogoRecord
    parameters: Parameters
    method: str = "sobol"  # how the set was chosen, one of `tables.METHODS`

    def row(self, figures: dict[str, Any] | None, error: str | None) -> dict[str, Any]:
        """The row of the conversions table; without figures, the reason stands in ``error``."""
        return {
            "conversion_id": self.conversion_id,
            **self.record.columns(),
            "method": self.method,
            **self.parameters.as_dict(),
            **(figures or dict.fromkeys(FIGURES)),
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "vtracer_version": VTRACER_VERSION,
            "renderer_version": RENDERER_VERSION,
            "ssim_definition": DEFINITION,
            "error": error,
        }


def plan_conversions(
    records: Iterable[LogoRecord], n_sets: int, everyday_share: float, seed: int
) -> list[PlannedConversion]:
    """Every conversion of a campaign, picture by picture; the same inputs give the same plan."""
    plan: dict[str, PlannedConversion] = {}
    for record in records:
        for parameters in sample_parameters(n_sets, everyday_share, seed, record.image_id):
            conversion_id = conversion_digest(record, parameters)
            plan[conversion_id] = PlannedConversion(conversion_id, record, parameters)
    return list(plan.values())


def plan_recommended(
    records: Iterable[LogoRecord], recommended: Iterable[Mapping[str, Any]]
) -> tuple[list[PlannedConversion], int]:
    """The conversions that an inventory recommends, picture by picture.

    Args:
        records: of the pictures at hand.
        recommended: each with ``image_id`` and ``parameters``.

    Returns:
        What is planned, and how many are of pictures that are not at hand.
    """
    by_id = {record.image_id: record for record in records}
    plan: dict[str, PlannedConversion] = {}
    n_elsewhere = 0
    for entry in sorted(recommended, key=lambda entry: str(entry["image_id"])):
        record = by_id.get(entry["image_id"])
        if record is None:
            n_elsewhere += 1
            continue
        parameters = parameters_from(entry["parameters"])
        conversion_id = conversion_digest(record, parameters)
        plan[conversion_id] = PlannedConversion(conversion_id, record, parameters, "fill-gaps")
    return list(plan.values()), n_elsewhere


def conversion_digest(record: LogoRecord, parameters: Parameters) -> str:
    """SHA-256 of picture, size, parameters, both tools' versions and the label's definition."""
    size = f"{record.width}x{record.height}"
    versions = [VTRACER_VERSION, RENDERER_VERSION, DEFINITION]
    parts = [record.image_id, size, parameters.as_dict(), versions]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class ConversionLog:
    """An append-only JSON-lines file of conversion rows.

    Args:
        path: of the file; it and its folder are made on first use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every whole row, oldest first.

        Raises:
            DatasetError: a line other than a last, unfinished one is no JSON.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise DatasetError(
                        f"a log must hold JSON lines, {self.path} line {number} is none: {error}"
                    ) from None

    @contextmanager
    def writing(self) -> Iterator[ConversionLog]:
        """Hold the log for writing; an unfinished last line is dropped first.

        Raises:
            DatasetError: another process holds it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{self.path}.lock", timeout=0):
                if self.path.exists():
                    with self.path.open("rb+") as log:
                        drop_unfinished_line(log)
                yield self
        except Timeout:
            raise DatasetError(
                f"a log must have one writer, another process writes to {self.path}"
            ) from None

    def append(self, row: dict[str, Any]) -> None:
        """Add one row; once this returns, killing the process does not lose it."""
        with self.path.open("ab") as log:
            log.write(json.dumps(row, allow_nan=False).encode() + b"\n")
