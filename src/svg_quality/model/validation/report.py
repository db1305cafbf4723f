"""The reports of one or more networks as JSON and as a page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svg_quality.model.validation.comparison import N_SETS, Architecture
from svg_quality.model.validation.validator import AREAS, ArchitectureReport
from svg_quality.pages.environment import environment

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
    """Write ``validation.json`` and ``validation.html``; gives their paths as json and html."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"json": folder / "validation.json", "html": folder / "validation.html"}
    text = json.dumps(report.as_dict(), indent=2, allow_nan=False)
    written["json"].write_text(text + "\n", encoding="utf-8")
    template = environment("svg_quality.model").get_template("validation.html.j2")
    page = template.render(
        report=report, areas=AREAS, n_sets=N_SETS, shown=_SHOWN_LAYERS, gradients=_telling
    )
    written["html"].write_text(page, encoding="utf-8")
    return written


def _telling(one: ArchitectureReport) -> Sequence[Any]:
    """Gradients of matrices, and of whatever has a verdict."""
    return [x for x in one.gradients if x.silent_units is not None or x.verdict]
