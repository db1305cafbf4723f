"""What an export holds and how near it is to torch, as a page and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from svg_quality.model.exporting.folder import MAX_BYTES, ExportSummary
from svg_quality.pages.environment import environment

HTML_NAME = "export.html"
JSON_NAME = "export.json"


def write_export(summary: ExportSummary, folder: Path, title: str) -> dict[str, Path]:
    """Write ``export.html`` and ``export.json``; gives their paths as ``html`` and ``json``."""
    folder.mkdir(parents=True, exist_ok=True)
    page = environment("svg_quality.model").get_template("export.html.j2")
    written = {"html": folder / HTML_NAME, "json": folder / JSON_NAME}
    text = page.render(summary=summary, title=title, max_bytes=MAX_BYTES)
    written["html"].write_text(text, encoding="utf-8")
    content = json.dumps(summary.as_dict(), indent=2, allow_nan=False)
    written["json"].write_text(content + "\n", encoding="utf-8")
    return written
