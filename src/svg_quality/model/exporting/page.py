"""What an export holds and how near it is to torch, as a page and as JSON."""

from __future__ import annotations

from pathlib import Path

from svg_quality.model.exporting.folder import MAX_BYTES, ExportSummary
from svg_quality.pages.report_files import write_report_files


def write_export(summary: ExportSummary, folder: Path, title: str) -> dict[str, Path]:
    """Write ``export.html`` and ``export.json``, see `write_report_files`."""
    return write_report_files(
        folder, "export", summary.as_dict(), "svg_quality.model", "export.html.j2",
        summary=summary, title=title, max_bytes=MAX_BYTES,
    )  # fmt: skip
