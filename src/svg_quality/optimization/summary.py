"""A folder of logos in figures: one row a logo, whatever came of it, and their totals."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from svg_quality.conversion.parameters import NAMES
from svg_quality.optimization.base import Answer

FAILED: Final = "failed"  # a row's status where there is no answer
STATUSES: Final = ("found", "not_reached", "do_not_vectorise", "unavailable", FAILED)
COLUMNS: Final = (
    "logo", "status", "reason", "svg", "logo_bytes", "default_ssim", "default_bytes", "ssim",
    "svg_bytes", "saving", "predicted_ssim", "predicted_ssim_low", "predicted_ssim_high",
    "predicted_bytes", *NAMES, "method", "n_conversions", "confidence", "unlike_training",
    "model_version", "seconds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogoRow:
    """What came of one logo."""

    logo: str  # relative to the folder
    svg: str | None  # relative to the output folder; None where nothing was written
    logo_bytes: int | None
    answer: Answer | None  # None where the logo failed
    error: str | None  # why it failed

    @property
    def status(self) -> str:
        """One of ``STATUSES``."""
        return self.answer.status if self.answer else FAILED

    @property
    def reason(self) -> str:
        """Why it is not simply found; empty where it is."""
        if self.answer is None:
            return self.error or ""
        return "" if self.status == "found" else self.answer.reason

    @property
    def default(self) -> tuple[float, int] | None:
        """SSIM and bytes of VTracer's defaults."""
        return self.answer.default.figures if self.answer and self.answer.default else None

    @property
    def chosen(self) -> tuple[float, int] | None:
        """SSIM and bytes of what was chosen, where it meets the objective or was written."""
        if self.answer is None or self.answer.chosen is None:
            return None
        return self.answer.chosen.figures if self.status == "found" or self.svg else None

    @property
    def keeps_default(self) -> bool:
        """Whether VTracer's defaults themselves were chosen."""
        return bool(self.answer and self.chosen and self.answer.chosen == self.answer.default)

    @property
    def saving(self) -> float | None:
        """Share of the default's bytes that is saved; below 0 where the choice is larger.

        None also where the default does not do what was asked for: there is nothing to save then.
        """
        if self.answer is None or self.default is None or self.chosen is None:
            return None
        if not self.answer.objective.meets(*self.default):
            return None
        return 1 - self.chosen[1] / self.default[1]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, one for each of ``COLUMNS``; None where there is none."""
        values: dict[str, Any] = dict.fromkeys(COLUMNS)
        values |= {
            "logo": self.logo, "status": self.status, "reason": self.reason, "svg": self.svg,
            "logo_bytes": self.logo_bytes, "saving": self.saving,
        }  # fmt: skip
        if self.default:
            values["default_ssim"], values["default_bytes"] = self.default
        if self.chosen:
            values["ssim"], values["svg_bytes"] = self.chosen
        answer = self.answer
        if answer is None:
            return values
        for name in ("method", "n_conversions", "confidence", "unlike_training", "model_version",
                     "seconds"):  # fmt: skip
            values[name] = getattr(answer, name)
        if answer.chosen and self.chosen:
            values |= answer.chosen.parameters.as_dict()
            said = answer.chosen.predicted
            if said:
                values |= {
                    "predicted_ssim": said.ssim, "predicted_ssim_low": said.ssim_low,
                    "predicted_ssim_high": said.ssim_high, "predicted_bytes": said.svg_bytes,
                }  # fmt: skip
        return values


def change_text(saving: float | None) -> str:
    """A saving for people.

    Example:
        >>> change_text(0.734), change_text(-0.2), change_text(-2.5), change_text(None)
        ('73% smaller', '20% larger', '3.5 times larger', '')
    """
    if saving is None:
        return ""
    if saving >= 0:
        return f"{saving:.0%} smaller"
    return f"{-saving:.0%} larger" if saving > -1 else f"{1 - saving:.1f} times larger"


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all rows; sizes and savings of the logos whose default and choice both meet the aim."""

    n_logos: int
    n_by_status: dict[str, int]  # only what occurs
    n_compared: int
    default_bytes: int
    svg_bytes: int
    median_saving: float | None
    n_conversions: int

    @property
    def saving(self) -> float | None:
        """Share of the defaults' bytes that is saved in all."""
        return 1 - self.svg_bytes / self.default_bytes if self.default_bytes else None


def totals(rows: Sequence[LogoRow]) -> Totals:
    """Sums over rows."""
    compared = [(r.default, r.chosen, r.saving) for r in rows if r.saving is not None]
    counted = {status: sum(row.status == status for row in rows) for status in STATUSES}
    return Totals(
        n_logos=len(rows),
        n_by_status={status: n for status, n in counted.items() if n},
        n_compared=len(compared),
        default_bytes=sum(default[1] for default, _, _ in compared if default),
        svg_bytes=sum(chosen[1] for _, chosen, _ in compared if chosen),
        median_saving=statistics.median(s for _, _, s in compared if s is not None)
        if compared
        else None,
        n_conversions=sum(row.answer.n_conversions for row in rows if row.answer),
    )


def as_csv(rows: Sequence[LogoRow]) -> str:
    """One line a logo under ``COLUMNS``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.as_dict() for row in rows)
    return text.getvalue()


def as_json(rows: Sequence[LogoRow]) -> str:
    """The same with every attempt: a list of objects."""
    told = [
        row.as_dict() | {"answer": row.answer.as_dict() if row.answer else None} for row in rows
    ]
    return json.dumps(told, indent=1, allow_nan=False) + "\n"
