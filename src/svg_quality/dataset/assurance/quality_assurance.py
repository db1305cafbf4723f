"""The quality report of a release: quality, safety, privacy and bias, against thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from svg_quality.dataset.assurance import privacy, private_text, safety
from svg_quality.dataset.assurance.bias import bias_checks
from svg_quality.dataset.assurance.qa_checks import (
    BiasLimits,
    Check,
    Checker,
    Finding,
    PrivacyLimits,
    QualityLimits,
    SafetyLimits,
    Section,
    Thresholds,
    Track,
    read_thresholds,
    untracked,
)
from svg_quality.dataset.assurance.table_quality import label_checks, table_checks, wrong_pictures
from svg_quality.dataset.cleaning.correspondence import Correspondence, remeasure, sample_rows
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.tables import CONVERSIONS
from svg_quality.errors import DatasetError
from svg_quality.pages.report_files import write_report_files

__all__ = ["QaReport", "Thresholds", "assure_quality", "read_thresholds", "write_qa"]

LISTED: Final = 20  # findings of one check that the page shows; the JSON has all
TIMEOUT_S: Final = 60.0  # per re-measured conversion
_SAFETY: Final = {
    "active_content": safety.ACTIVE,
    "external_references": safety.REFERENCE,
    "entities": safety.ENTITY,
    "decompression_bombs": safety.BOMB,
    "unreadable_files": safety.UNREADABLE,
}
_PRIVACY: Final = {
    "gps_positions": privacy.POSITION,
    "authors_and_owners": privacy.PERSON,
    "cameras": privacy.CAMERA,
    "emails": private_text.EMAIL,
    "user_names_in_paths": private_text.USER_PATH,
    "free_comments": privacy.COMMENT,
}


@dataclass(frozen=True, slots=True)
class QaReport:
    """Four sections of checks, and what they were taken of."""

    sections: tuple[Section, ...]
    facts: Mapping[str, str]  # such as how many rows

    @property
    def passed(self) -> bool:
        """Whether no check failed; warnings do not count."""
        return not self.failed

    @property
    def failed(self) -> list[str]:
        """The checks that failed, as ``section.name``."""
        return [
            f"{section.name}.{check.name}"
            for section in self.sections
            for check in section.checks
            if check.outcome == "fail"
        ]


def assure_quality(
    conversions: pd.DataFrame,
    images: pd.DataFrame,
    library: LogoLibrary,
    thresholds: Thresholds,
    *,
    n_remeasured: int,
    n_workers: int,
    seed: int,
    errors_by_type: Mapping[str, float] | None = None,
    set_aside: pd.DataFrame | None = None,
    model: str = "",
    track: Track[Any] = untracked,
) -> QaReport:
    """Take every figure of a report.

    Args:
        conversions: a release's rows: the schema's columns and ``split``.
        images: indexed by image_id, with ``split``, ``group``, ``mean_ssim``, ``n``.
        library: where the pictures are.
        thresholds: from `read_thresholds`.
        n_remeasured: rows to convert again, chosen by the seed; as many pictures are decoded.
        n_workers: processes; at least 1.
        seed: of the sample.
        errors_by_type: mean absolute SSIM error of a model by logo type; None without a model.
        set_aside: the rows that cleaning did not keep, with ``reason``.
        model: which model the errors are of.
        track: shows progress; takes items, how many there are, and what is done.

    Raises:
        DatasetError: a table lacks a column.
    """
    _check_columns(conversions, images)
    files = _files(conversions, library)
    threats, traces = _scan(track(files, len(files), "scanning pictures"))
    quality = Checker(thresholds.quality)
    of_tables = table_checks(quality, conversions, images, set_aside)
    sample = sample_rows(_sound(conversions, of_tables), n_remeasured, seed)
    measured = remeasure(
        sample, library, n_workers, TIMEOUT_S, lambda done, n: track(done, n, "measuring again")
    )
    pictures = wrong_pictures(conversions, library, sample["image_id"], threats)
    of_pictures = quality.count("wrong_pictures", pictures)
    of_labels = label_checks(quality, Correspondence(measured))
    safe = _found(Checker(thresholds.safety), _SAFETY, threats)
    private = _privacy_checks(Checker(thresholds.privacy), traces, conversions, images)
    fair = bias_checks(Checker(thresholds.bias), conversions, errors_by_type, model)
    return QaReport(
        sections=(
            _section("quality", QualityLimits, [*of_tables, of_pictures, *of_labels]),
            _section("safety", SafetyLimits, safe),
            _section("privacy", PrivacyLimits, private),
            _section("bias", BiasLimits, fair),
        ),
        facts={
            "conversions": f"{len(conversions):,}",
            "images": f"{len(images):,}",
            "pictures scanned": f"{len(files):,}",
            "rows measured again": f"{len(sample):,}, chosen with seed {seed}",
            "model": model or "none",
        },
    )


def write_qa(report: QaReport, folder: Path, title: str = "Quality report") -> dict[str, Path]:
    """Write ``qa_report.html`` and, with every finding, ``qa_report.json``.

    Args:
        report: from `assure_quality`.
        folder: made where it is not there.
        title: of the page.

    Returns:
        The paths, see `write_report_files`.
    """
    return write_report_files(
        folder, "qa_report", report_json(report), "svg_quality.dataset", "qa.html.j2",
        title=title, report=report, listed=LISTED, figure=_figure, limit=limit_text,
    )  # fmt: skip


def report_json(report: QaReport) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "verdict": "pass" if report.passed else "fail",
        "failed": report.failed,
        "facts": dict(report.facts),
        "sections": [
            {
                "name": section.name,
                "about": section.about,
                "outcome": section.outcome,
                "checks": [_check_json(check) for check in section.checks],
            }
            for section in report.sections
        ],
    }


def limit_text(check: Check) -> str:
    """A check's limit for people."""
    if check.limit.at_least is not None:
        return f"at least {_figure(check.limit.at_least)}"
    return f"at most {_figure(check.limit.at_most)}"


def _check_json(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "about": check.about,
        "outcome": check.outcome,
        "value": check.value,
        "limit": check.limit.model_dump(),
        "note": check.note,
        "n_findings": len(check.findings),
        "findings": [finding._asdict() for finding in check.findings],
    }


def _check_columns(conversions: pd.DataFrame, images: pd.DataFrame) -> None:
    of_images = ("split", "group", "mean_ssim", "n")
    lost = [name for name in (*CONVERSIONS.columns, "split") if name not in conversions]
    lost += [f"{name} (of images)" for name in of_images if name not in images]
    if lost:
        raise DatasetError(f"a release must have all its columns, it lacks {', '.join(lost)}")


def _section(name: str, limits: type[Any], checks: Iterable[Check]) -> Section:
    return Section(name, limits.__doc__ or "", tuple(checks))


def _files(conversions: pd.DataFrame, library: LogoLibrary) -> list[tuple[str, Path]]:
    """image_id and file of every picture that the rows name."""
    first = conversions.drop_duplicates("image_id")
    pairs = zip(first["image_id"].astype(str), first["image_path"].astype(str), strict=True)
    return [(image_id, library.path(image_path)) for image_id, image_path in pairs]


_Found = dict[str, list[tuple[str, str]]]  # by image_id: kind and fact


def _scan(files: Iterator[tuple[str, Path]]) -> tuple[_Found, _Found]:
    """Threats and private traces of every file that has any."""
    threats: _Found = {}
    traces: _Found = {}
    for image_id, path in files:
        found, data = safety.read_and_scan(path)
        if found:
            threats[image_id] = [(threat.kind, threat.fact) for threat in found]
        private = privacy.private_traces(data)
        if private:
            traces[image_id] = [(trace.kind, f"in {trace.where}") for trace in private]
    return threats, traces


def _sound(conversions: pd.DataFrame, of_tables: Sequence[Check]) -> pd.DataFrame:
    """The rows without a fault of their own; the others are named by the first check already."""
    broken = {finding.row for finding in of_tables[0].findings}
    return conversions[~conversions["conversion_id"].isin(broken)]


def _found(checker: Checker, kinds: Mapping[str, str], found: _Found) -> list[Check]:
    return [
        checker.count(
            name,
            [
                Finding(image_id, fact)
                for image_id, facts in found.items()
                for of_kind, fact in facts
                if of_kind == kind
            ],
        )
        for name, kind in kinds.items()
    ]


def _privacy_checks(
    checker: Checker, traces: _Found, conversions: pd.DataFrame, images: pd.DataFrame
) -> list[Check]:
    """Of the pictures' metadata, then of the tables' cells."""
    named = images.reset_index()
    cells = [
        Finding(str(frame[key].iloc[row]), f"{kind} in column {column}")
        for frame, key in ((conversions, "conversion_id"), (named, "image_id"))
        for row, column, kind in privacy.private_cells(frame).itertuples(index=False)
    ]
    return [*_found(checker, _PRIVACY, traces), checker.count("private_cells", cells)]


def _figure(value: float | None) -> str:
    """A count as a whole number, a share or ratio with the digits that matter."""
    if value is None:
        return "\N{EN DASH}"
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.{4 if abs(value) >= 1e-3 else 9}f}".rstrip("0")
