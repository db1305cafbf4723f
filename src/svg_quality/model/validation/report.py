"""The reports of one or more networks as JSON and as a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svg_quality.model.validation.comparison import N_SETS, Architecture
from svg_quality.model.validation.validator import AREAS, ArchitectureReport
from svg_quality.pages.report_files import write_report_files

_SHOWN_LAYERS = 12


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Networks, and what others of their kind would cost."""

    networks: tuple[ArchitectureReport, ...]
    compared: tuple[Architecture, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed, as ``network, area: name``."""
        return [f"{one.name}, {name}" for one in self.networks for name in one.failed]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "verdict": "fail" if self.failed else "pass",
            "failed": self.failed,
            "networks": [one.as_dict() for one in self.networks],
            "compared": [dataclasses.asdict(one) for one in self.compared],
            "context": dict(self.context),
        }


def write_validation(report: ValidationReport, folder: Path) -> dict[str, Path]:
    """Write ``validation.html`` and ``validation.json``, see `write_report_files`."""
    return write_report_files(
        folder, "validation", report.as_dict(), "svg_quality.model", "validation.html.j2",
        report=report, areas=AREAS, n_sets=N_SETS, shown=_SHOWN_LAYERS, gradients=_telling,
    )  # fmt: skip


def _telling(one: ArchitectureReport) -> Sequence[Any]:
    """Gradients of matrices, and of whatever has a verdict."""
    return [x for x in one.gradients if x.silent_units is not None or x.verdict]
