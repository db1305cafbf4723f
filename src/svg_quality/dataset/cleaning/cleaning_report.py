"""What cleaning found, as one JSON file and one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from svg_quality.dataset.cleaning.clean import FACTS, SSIM_TOLERANCE, kind_of_reason
from svg_quality.dataset.cleaning.correspondence import Correspondence
from svg_quality.dataset.cleaning.outliers import JUDGED, MIN_ROWS
from svg_quality.pages.report_files import write_report_files

_EXAMPLES: Final = 5  # conversion_ids of each reason
_SHOWN: Final = 40  # rows of a table on the page; the JSON file has them all


def summarise(
    frame: pd.DataFrame,
    why: pd.Series[str],
    outliers: pd.DataFrame,
    limit: float,
    checked: Correspondence | None,
) -> dict[str, Any]:
    """Everything cleaning found, JSON-able.

    Args:
        frame: conversions: the columns of `clean.NARROW` and ``conversion_id``.
        why: `clean.reasons` of them.
        outliers: `outliers.find_outliers` of the kept ones.
        limit: robust standard deviations it was asked with.
        checked: what converting rows again showed; None where none was.

    Returns:
        ``rows`` = ``kept`` + ``set_aside``; ``reasons`` (most rows first: ``reason``, ``rows``,
        ``images``, ``examples``), ``errors`` of failed conversions, ``formats``, ``outliers``,
        ``correspondence`` (None where nothing was converted again).
    """
    aside = why.notna()
    return {
        "rows": len(frame),
        "kept": int((~aside).sum()),
        "set_aside": int(aside.sum()),
        "images": int(frame["image_id"].nunique()),
        "images_kept": int(frame.loc[~aside, "image_id"].nunique()),
        "reasons": _by_reason(frame[aside], kind_of_reason(why[aside])),
        "errors": _counted(frame["error"].dropna()),
        "formats": _formats(frame[~aside]),
        "facts": {fact: list(columns) for fact, columns in FACTS.items()},
        "outliers": _outliers(frame[~aside], outliers, limit),
        "correspondence": None if checked is None else _correspondence(checked),
    }


def write_cleaning_report(
    summary: Mapping[str, Any], context: Mapping[str, str], folder: Path
) -> dict[str, Path]:
    """Write ``cleaning_report.html`` and ``cleaning_report.json``, see `write_report_files`.

    Args:
        summary: as `summarise` gives it.
        context: what was cleaned, for the foot of the page.
        folder: made where it is not there.
    """
    return write_report_files(
        folder, "cleaning_report", {"context": context, **summary},
        "svg_quality.dataset", "cleaning.html.j2",
        found=summary, context=context, shown=_SHOWN,
    )  # fmt: skip


def _by_reason(aside: pd.DataFrame, kinds: pd.Series[str]) -> list[dict[str, Any]]:
    return [
        {
            "reason": str(reason),
            "rows": len(rows),
            "images": int(rows["image_id"].nunique()),
            "examples": rows["conversion_id"].head(_EXAMPLES).astype("str").tolist(),
        }
        for reason, rows in sorted(
            aside.groupby(kinds), key=lambda entry: len(entry[1]), reverse=True
        )
    ]


def _formats(kept: pd.DataFrame) -> list[dict[str, Any]]:
    """By file format: how many pictures, how large, how many of them were reduced."""
    side = kept[["source_width", "source_height"]].max(axis=1)
    images = kept.assign(side=side, reduced=side > kept["working_size"]).drop_duplicates("image_id")
    rows_of = kept["format"].value_counts()
    return [
        {
            "format": str(name),
            "images": len(group),
            "rows": int(rows_of[name]),
            "copies": int(group["derived_from"].notna().sum()),
            "synthetic": int(group["synthetic"].sum()),
            "smallest_side": int(group["side"].min()),
            "largest_side": int(group["side"].max()),
            "reduced": int(group["reduced"].sum()),
            "working_sizes": sorted(group["working_size"].unique().tolist()),
        }
        for name, group in images.groupby("format", observed=True)
    ]


def _outliers(kept: pd.DataFrame, outliers: pd.DataFrame, limit: float) -> dict[str, Any]:
    counts = outliers.groupby(["logo_type", "figure"]).size()
    rows_of = kept["logo_type"].astype("str").value_counts().sort_index()
    return {
        "limit": limit,
        "min_rows": MIN_ROWS,
        "rows": int(outliers["conversion_id"].nunique()),
        "figures": list(JUDGED),
        "types": [
            {
                "logo_type": logo_type,
                "rows": int(n),
                "judged": bool(n >= MIN_ROWS),
                "by_figure": {f: int(counts.get((logo_type, f), 0)) for f in JUDGED},
            }
            for logo_type, n in rows_of.items()
        ],
        "list": outliers.to_dict(orient="records"),
    }


def _correspondence(checked: Correspondence) -> dict[str, Any]:
    listed = checked.disagreeing[["conversion_id", "finding"]]
    return {
        "rows": len(checked.rows),
        "agreeing": len(checked.rows) - len(listed),
        "largest_ssim_difference": checked.largest_difference,
        "ssim_tolerance": SSIM_TOLERANCE,
        "findings": listed.to_dict(orient="records"),
    }


def _counted(errors: pd.Series[str]) -> list[dict[str, Any]]:
    return [{"error": str(e), "rows": int(n)} for e, n in errors.value_counts().items()]
