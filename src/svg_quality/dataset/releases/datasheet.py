"""The datasheet of a release, as Markdown and as a page: generated from what is in it.

Its questions follow Gebru et al., *Datasheets for Datasets* (2021), doi:10.1145/3458723.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from svg_quality.dataset.releases.columns import CONVERSION_COLUMNS, IMAGE_COLUMNS
from svg_quality.dataset.splits.split import SPLITS
from svg_quality.dataset.targets import TYPE_SHARES, compare_with_targets

DATASHEET: Final = "DATASHEET.md"
PAGE: Final = "datasheet.html"
_QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_FILES: Final = {  # of every release, and what they hold
    ("conversions.parquet", "conversions.jsonl"): "the rows, twice the same",
    ("images.parquet",): "one row for each picture",
    ("set_aside.parquet",): "rows that are not part of it, each with its reason",
    ("balance.json",): "how alike splits and folds are",
    ("config_lock.json",): "commit, settings, versions and runs that it was made with",
    ("croissant.json",): "metadata in the Croissant format",
    ("DATASHEET.md", "datasheet.html"): "this description, as text and as a page",
    ("CHANGES.md",): "what changed against the release before",
    ("manifest.json",): "SHA-256 and size of every file (checked by svg-quality verify)",
}
_QUALITY_FILES: Final = {
    ("qa_report.html", "qa_report.json"): "quality, safety, privacy and bias against thresholds"
}
_MANY: Final = 12  # sources written out; the rest are counted


def statistics(rows: pd.DataFrame, images: pd.DataFrame) -> dict[str, Any]:
    """What a datasheet says in numbers.

    Args:
        rows: of the release, with ``ssim``, ``svg_bytes``, ``logo_type`` and ``split``.
        images: of the release, with ``logo_type``, ``split``, ``synthetic``, ``derived_from``,
            ``logo_type_estimated`` and ``width``, ``height``.

    Returns:
        JSON-able: ``quantiles`` (of SSIM, bytes, longer side), ``splits``, ``types``, ``shares``
        of images and ``targets`` (see `compare_with_targets`).
    """
    longer = images[["width", "height"]].max(axis=1)
    measured = {"ssim": rows["ssim"], "svg_bytes": rows["svg_bytes"], "longer_side": longer}
    return {
        "quantile_levels": list(_QUANTILES),
        "quantiles": {
            name: [float(x) for x in values.astype("float64").quantile(list(_QUANTILES))]
            for name, values in measured.items()
        },
        "splits": {split: _group(rows, images, "split", split) for split in SPLITS},
        "types": {
            name: {**_group(rows, images, "logo_type", name), "target": share}
            for name, share in TYPE_SHARES.items()
        },
        "shares": {
            "synthetic": float(images["synthetic"].mean()),
            "copies": float(images["derived_from"].notna().mean()),
            "type_estimated": float(images["logo_type_estimated"].mean()),
        },
        "targets": compare_with_targets(rows),
    }


def write_datasheet(folder: Path, about: Mapping[str, Any], numbers: Mapping[str, Any]) -> None:
    """Write ``DATASHEET.md`` and ``datasheet.html``.

    Args:
        folder: of the release.
        about: what its manifest says, but for the files.
        numbers: from `statistics`.
    """
    from svg_quality.pages.environment import environment

    pages = environment("svg_quality.dataset")
    sources = list(about["sources"]["source"].items())
    facts = {
        "about": about,
        "numbers": numbers,
        "files": _FILES | (_QUALITY_FILES if about["quality"] is not None else {}),
        "sources": sources[:_MANY],
        "n_more_sources": max(0, len(sources) - _MANY),
        "conversion_columns": CONVERSION_COLUMNS,
        "image_columns": IMAGE_COLUMNS,
    }
    page = pages.get_template("datasheet.html.j2").render(facts)
    (folder / PAGE).write_text(page + "\n", encoding="utf-8")
    text = pages.overlay(autoescape=False).get_template("datasheet.md.j2").render(facts)
    (folder / DATASHEET).write_text(text + "\n", encoding="utf-8")


def _group(rows: pd.DataFrame, images: pd.DataFrame, column: str, value: str) -> dict[str, Any]:
    ssim = rows.loc[(rows[column] == value).to_numpy(), "ssim"]
    return {
        "rows": len(ssim),
        "row_share": len(ssim) / max(1, len(rows)),
        "images": int((images[column] == value).sum()),
        "mean_ssim": float(ssim.mean()) if len(ssim) else None,
    }
