"""A report as two files: one self-contained HTML page for people, one JSON file for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from svg_quality.pages.strict_json import strict_json


def write_report_files(
    folder: Path,
    stem: str,
    content: Any,
    package: str,
    template: str,
    /,
    json_stem: str | None = None,
    **shown: Any,
) -> dict[str, Path]:
    """Write ``<stem>.html`` and ``<stem>.json``.

    Args:
        folder: made where it does not exist.
        stem: of both names.
        content: of the JSON file: plain values, dataclasses or arrays; see `strict_json`.
        package: such as ``svg_quality.evaluation``, in whose ``templates/`` the template is.
        template: such as ``report.html.j2``.
        json_stem: of the JSON file's name, where it is another one.
        shown: the template's variables.

    Returns:
        The paths as ``html_report`` and ``metrics``.
    """
    from svg_quality.pages.environment import environment

    page, figures = environment(package).get_template(template).render(shown), strict_json(content)
    folder.mkdir(parents=True, exist_ok=True)
    html_path, json_path = folder / f"{stem}.html", folder / f"{json_stem or stem}.json"
    html_path.write_text(page, encoding="utf-8")
    json_path.write_text(figures, encoding="utf-8")
    return {"html_report": html_path, "metrics": json_path}
