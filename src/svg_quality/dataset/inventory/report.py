"""What a table of conversions holds and lacks, and what to convert next.

Pure functions on frames: a million rows are counted in whole columns, and only the columns in
`NEEDED` are looked at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import CHOICES, NAMES
from svg_quality.dataset.inventory.coverage import (
    BY_DESIGN,
    DIMENSIONS,
    PRESETS_NOTE,
    SWEPT,
    Coverage,
    cells,
    count_coverage,
    discrepancy,
    evenness,
    is_preset,
    largest_gap,
    wanted,
)
from svg_quality.dataset.inventory.distributions import distributions
from svg_quality.dataset.inventory.gaps import Gap, find_gaps
from svg_quality.dataset.inventory.recommendation import Recommended, recommend, summary
from svg_quality.dataset.targets import compare_with_targets
from svg_quality.errors import DatasetError

TEXTS: Final = (
    "image_id", "source", "derived_from", "method", "logo_type", "format",
    "vtracer_version", "renderer_version", "ssim_definition", "error", *CHOICES,
)  # fmt: skip
NEEDED: Final = (
    *TEXTS, "synthetic", "logo_type_estimated", *(name for name in NAMES if name not in CHOICES),
    "ssim", "mse", "psnr", "svg_bytes",
)  # fmt: skip
_MAX_REASONS: Final = 50  # told one by one; the others are counted


@dataclass(frozen=True, slots=True, eq=False)
class Inventory:
    """A table's report for JSON, and what it recommends to convert."""

    report: dict[str, Any]
    recommended: list[Recommended]


def take_inventory(frame: pd.DataFrame, *, n_recommended: int, seed: int) -> Inventory:
    """Count, compare with the targets, find gaps and recommend what fills them.

    Args:
        frame: of the columns `NEEDED`.
        n_recommended: conversions to recommend at most.
        seed: of the recommendation and of the sample that the discrepancy is taken of.

    Raises:
        DatasetError: the table is empty.
    """
    if frame.empty:
        raise DatasetError("an inventory must have at least one conversion, the table has none")
    frame = frame[list(NEEDED)].astype(dict.fromkeys(TEXTS, "category"))
    images = _images(frame)
    failed_rows = frame["error"].notna().to_numpy()
    columns = cells(frame)
    all_measured, failed = (
        count_coverage(columns[~failed_rows]),
        count_coverage(columns[failed_rows]),
    )
    measured = frame[~failed_rows]
    everyday = _is_everyday(measured)
    types = compare_with_targets(measured)
    gaps = find_gaps(all_measured, failed, types["types"])
    usable = images[~images["synthetic"] & (images["n_measured"] > 0)]
    recommended = recommend(usable, all_measured, failed, n_recommended, seed)
    report = {
        "totals": _totals(frame, images, int(everyday.sum())),
        "distributions": distributions(measured, everyday),
        "types": {**types, "images": _by_type(images)},
        "coverage": _told_coverage(measured, everyday, all_measured, seed),
        "gaps": _told_gaps(gaps),
        "recommendation": {**summary(recommended), "asked_for": n_recommended, "seed": seed},
    }
    return Inventory(report, recommended.conversions)


def _is_everyday(frame: pd.DataFrame) -> np.ndarray:
    """`Parameters.is_everyday`, of whole columns."""
    return ((frame["color_precision"] >= 3) & (frame["mode"] != "none")).to_numpy(bool)


def _images(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a picture, by image_id: its first row's columns, ``n`` and ``n_measured`` rows."""
    columns = ["image_id", "source", "derived_from", "synthetic", "logo_type", "format"]
    first = frame.drop_duplicates("image_id")[columns].set_index("image_id")
    codes = frame["image_id"].cat.codes.to_numpy()
    ids = frame["image_id"].cat.categories
    measured = frame["error"].isna().to_numpy()
    counts = pd.DataFrame(
        {
            "n": np.bincount(codes, minlength=len(ids)),
            "n_measured": np.bincount(codes[measured], minlength=len(ids)),
        },
        index=ids,
    )
    first.index = first.index.astype(ids.dtype)
    return first.join(counts)


def _totals(frame: pd.DataFrame, images: pd.DataFrame, n_everyday: int) -> dict[str, Any]:
    n_failed = int(frame["error"].notna().sum())
    reasons = _counted(frame["error"])
    told = dict(list(reasons.items())[:_MAX_REASONS])
    return {
        "conversions": len(frame),
        "measured": len(frame) - n_failed,
        "measured_everyday": n_everyday,
        "failed": n_failed,
        "failed_by_reason": told,
        "failed_for_other_reasons": n_failed - sum(told.values()),
        "images": len(images),
        "originals": int(images["derived_from"].isna().sum()),
        "derived_jpeg_copies": int(images["derived_from"].notna().sum()),
        "synthetic_images": int(images["synthetic"].sum()),
        "synthetic_conversions": int(frame["synthetic"].sum()),
        "images_by_source": _counted(images["source"].astype("str").str.partition("/")[0]),
        "images_by_format": _counted(images["format"]),
        "conversions_by_method": _counted(frame["method"]),
        "vtracer_versions": _counted(frame["vtracer_version"]),
        "renderer_versions": _counted(frame["renderer_version"]),
        "ssim_definitions": _counted(frame["ssim_definition"]),
        "conversions_of_estimated_type": int(frame["logo_type_estimated"].sum()),
    }


def _counted(values: pd.Series[Any]) -> dict[str, int]:
    """Value -> how often, the most frequent first, then by name; what is null does not count."""
    counts = values.value_counts()
    found = {str(value): int(n) for value, n in counts.items() if n}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _by_type(images: pd.DataFrame) -> dict[str, int]:
    counts = _counted(images["logo_type"])
    return {name: counts.get(name, 0) for name in DIMENSIONS["logo_type"].labels}


def _told_coverage(
    measured: pd.DataFrame, everyday: np.ndarray, coverage: Coverage, seed: int
) -> dict[str, Any]:
    return {
        "share_of_pair_cells": coverage.share_hit,
        "dimensions": _told_dimensions(measured, everyday, coverage),
        "pairs": _told_pairs(coverage),
        "discrepancy": _told_discrepancy(measured, seed),
        "notes": [*(f"{name}: {note}" for name, note in BY_DESIGN.items()), PRESETS_NOTE],
    }


def _told_dimensions(
    measured: pd.DataFrame, everyday: np.ndarray, coverage: Coverage
) -> dict[str, Any]:
    told: dict[str, Any] = {}
    in_everyday = count_coverage(cells(measured[everyday])).dimensions
    for name, dimension in DIMENSIONS.items():
        counts = coverage.dimensions[name]
        numeric = name in NAMES and name not in CHOICES
        values = measured[name].to_numpy() if numeric and len(measured) else None
        told[name] = {
            "cells": dict(zip(dimension.labels, counts.tolist(), strict=True)),
            "everyday": dict(zip(dimension.labels, in_everyday[name].tolist(), strict=True)),
            "share_hit": float((counts > 0).mean()),
            "evenness": evenness(counts),
            "largest_gap": None if values is None else largest_gap(name, values),
            "by_design": dimension.note,
        }
    return told


def _told_pairs(coverage: Coverage) -> list[dict[str, Any]]:
    return [
        {
            "pair": list(pair),
            "cells": counts.size,
            "hit": int((counts > 0).sum()),
            "thin": int(((counts > 0) & (counts < wanted(pair))).sum()),
            "wanted": wanted(pair),
            "counts": counts.tolist(),
        }
        for pair, counts in coverage.pairs.items()
    ]


def _told_discrepancy(measured: pd.DataFrame, seed: int) -> dict[str, Any]:
    everything = (*SWEPT, *BY_DESIGN)
    drawn = measured[~is_preset(measured)]
    return {
        "all numeric parameters": discrepancy(measured, everything, seed),
        f"without {' and '.join(BY_DESIGN)}": discrepancy(measured, SWEPT, seed),
        "the same, without the presets' rows": discrepancy(drawn, SWEPT, seed),
    }


def _told_gaps(gaps: list[Gap]) -> dict[str, Any]:
    pairs = [gap for gap in gaps if gap.kind == "pair"]
    return {
        "empty_pair_cells": sum(gap.n == 0 for gap in pairs),
        "thin_pair_cells": sum(gap.n > 0 for gap in pairs),
        "ranked": [asdict(gap) for gap in gaps],
    }
