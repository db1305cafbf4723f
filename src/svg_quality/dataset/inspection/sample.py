"""What a person looks at: a stratified sample of pictures, each beside one of its tracings."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.conversion.rendering import render
from svg_quality.conversion.workers import Outcome, run_isolated
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.splits.allotment import QUALITY_BANDS, quality_bands
from svg_quality.errors import SvgQualityError
from svg_quality.pages.pictures import MAX_SVG_BYTES, pixels_uri, svg_uri, unlike_recorded

COLUMNS: Final = (  # of the conversions table; nothing else is needed
    "conversion_id", "image_id", "image_path", "source", "derived_from", "synthetic", "logo_type",
    "logo_type_estimated", "width", "height", "working_size", "source_width", "source_height",
    "format", *NAMES, "ssim", "ssim_worst_tile", "svg_bytes", "path_count", "error",
)  # fmt: skip
_UNMEASURED: Final = -1  # the band of a picture that no conversion of was measured


@dataclass(frozen=True, slots=True)
class TracingTask:
    """One picture to be traced for the page."""

    image_id: str
    path: Path
    working_size: int  # px
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Tracing:
    """A picture and what was traced of it now."""

    source: str  # data URI
    file_bytes: int  # of the picture's file
    traced: str | None  # data URI
    is_svg: bool  # whether ``traced`` is the SVG itself, else a picture of its rendering
    ssim: float | None
    svg_bytes: int | None
    problem: str | None  # why nothing was traced


@dataclass(frozen=True, slots=True)
class Card:
    """One picture of the contact sheet; the figures are those that the table records."""

    image_id: str
    name: str  # the last parts of its source
    source: str
    derived_from: str | None
    logo_type: str
    estimated: bool
    synthetic: bool
    width: int  # px, as traced
    height: int
    source_width: int
    source_height: int
    format: str
    band: str
    n_conversions: int
    mean_ssim: float | None
    ssim: float | None  # this and the next three of the conversion that is shown
    ssim_worst_tile: float | None
    svg_bytes: int | None
    path_count: int | None
    changed: Mapping[str, Any]  # its parameters that are not VTracer's defaults
    tracing: Tracing | None
    problem: str | None
    remark: str | None  # how the new conversion differs from the recorded one


def images_of(conversions: pd.DataFrame) -> pd.DataFrame:
    """One row per picture, indexed by image_id: logo_type, mean_ssim, n, band, stratum.

    Args:
        conversions: with ``image_id``, ``logo_type`` and ``ssim``, null where it failed.
    """
    grouped = conversions.groupby("image_id", sort=True, observed=True)
    images = (
        grouped[["logo_type"]].first().assign(mean_ssim=grouped["ssim"].mean(), n=grouped.size())
    )
    band = quality_bands(images["mean_ssim"]).where(images["mean_ssim"].notna(), _UNMEASURED)
    return images.assign(band=band, stratum=images["logo_type"].astype("str") + band.astype("str"))


def sample_images(images: pd.DataFrame, share: float, seed: int) -> pd.Series[bool]:
    """Which pictures to look at: so many of each stratum as it has of all, at least one of each.

    Rounding is by largest remainder, so the share of the whole is met (rounded up) unless there
    are so many small strata that one of each makes more. The choice goes by a hash of seed and
    image_id: neither the order of the rows nor new pictures elsewhere change it.

    Args:
        images: indexed by image_id, with ``stratum`` (of `images_of`).
        share: in [0, 1].
        seed: another seed, another sample.
    """
    sizes = images["stratum"].value_counts().sort_index()
    quotas = (sizes * share).round(9)
    chosen = quotas.astype(int).clip(lower=1)
    wanted = math.ceil(round(len(images) * share, 9))
    remainders = (quotas - chosen).sort_values(ascending=False, kind="stable")
    for stratum in remainders[remainders > 0].index[: max(wanted - int(chosen.sum()), 0)]:
        chosen[stratum] += 1
    rank = pd.Series(
        [hashlib.sha256(f"{seed}:{image_id}".encode()).hexdigest() for image_id in images.index],
        index=images.index,
    )
    place = rank.groupby(images["stratum"], observed=True).rank(method="first")
    taken: pd.Series[bool] = place <= images["stratum"].map(chosen)
    return taken


def shown_rows(conversions: pd.DataFrame) -> pd.DataFrame:
    """The conversion to show of each picture, indexed by image_id.

    It is the one with VTracer's default parameters, else the one with the median SSIM (of an even
    number the lower), else, where each failed, the first by conversion_id.

    Args:
        conversions: with ``COLUMNS``.
    """
    defaults = pd.Series(Parameters().as_dict())
    is_default = (conversions[list(NAMES)] == defaults).all(axis=1)
    ordered = conversions.assign(failed=conversions["error"].notna(), default=is_default)
    ordered = ordered.sort_values(["image_id", "failed", "ssim", "conversion_id"])
    by_image = ordered.groupby("image_id", observed=True)
    n_measured = (~ordered["failed"]).groupby(ordered["image_id"], observed=True).transform("sum")
    median = by_image.cumcount() == (n_measured - 1).clip(lower=0) // 2
    ordered["choice"] = np.where(ordered["default"] & ~ordered["failed"], 0, np.where(median, 1, 2))
    first = ordered.sort_values(["image_id", "choice", "conversion_id"]).drop_duplicates("image_id")
    return first.set_index("image_id").drop(columns=["failed", "default", "choice"])


def trace_all(
    rows: pd.DataFrame, library: LogoLibrary, n_workers: int, timeout_s: float
) -> Iterator[Outcome[TracingTask, Tracing]]:
    """Convert rows again in worker processes, as `run_isolated` does; in the order they end.

    Args:
        rows: of `shown_rows`.
        library: where their pictures are.
        n_workers: processes.
        timeout_s: seconds for one picture.
    """
    tasks = (
        TracingTask(
            str(row["image_id"]),
            library.path(row["image_path"]),
            int(row["working_size"]),
            _parameters(row),
        )
        for row in rows.reset_index().to_dict("records")
    )
    return run_isolated(_trace, tasks, n_workers, timeout_s)


def make_cards(
    images: pd.DataFrame, rows: pd.DataFrame, outcomes: Iterable[Outcome[TracingTask, Tracing]]
) -> list[Card]:
    """The cards of a sample, by type, then from the worst mean SSIM to the best.

    Args:
        images: the sampled ones, of `images_of`.
        rows: the conversion of each, of `shown_rows`.
        outcomes: of `trace_all`, in any order.
    """
    by_image = {outcome.task.image_id: outcome for outcome in outcomes}
    ordered = images.sort_values(["logo_type", "mean_ssim"], na_position="first", kind="stable")
    records = rows.join(ordered[["mean_ssim", "n", "band"]]).loc[ordered.index]
    return [
        _card(row, by_image[row["image_id"]]) for row in records.reset_index().to_dict("records")
    ]


def band_name(band: int) -> str:
    """A quality band in words, such as ``0.8 to 0.9``."""
    edges = ("", *(f"{edge:g}" for edge in QUALITY_BANDS), "")
    if band == _UNMEASURED:
        return "not measured"
    low, high = edges[band], edges[band + 1]
    if not low:
        return f"below {high}"
    return f"{low} to {high}" if high else f"{low} and more"


def _parameters(row: Mapping[Any, Any]) -> Parameters:
    return Parameters(**{name: row[name] for name in NAMES})


def _trace(task: TracingTask) -> Tracing:
    """Runs in a worker. A picture that cannot be traced is still shown, with the reason."""
    image = load_image(task.path, task.working_size)
    source, file_bytes = pixels_uri(image.rgb), task.path.stat().st_size
    try:
        measured = measure(image.rgb, task.parameters)
        is_svg = measured.svg_bytes <= MAX_SVG_BYTES
        height, width = image.rgb.shape[:2]
        traced = (
            svg_uri(measured.svg) if is_svg else pixels_uri(render(measured.svg, width, height))
        )
    except SvgQualityError as error:
        return Tracing(source, file_bytes, None, False, None, None, str(error))
    return Tracing(source, file_bytes, traced, is_svg, measured.ssim, measured.svg_bytes, None)


def _card(row: Mapping[Any, Any], outcome: Outcome[TracingTask, Tracing]) -> Card:
    tracing = outcome.result
    defaults = Parameters().as_dict()
    values = outcome.task.parameters.as_dict()
    return Card(
        image_id=row["image_id"],
        name="/".join(PurePath(row["source"]).parts[-2:]),
        source=row["source"],
        derived_from=None if pd.isna(row["derived_from"]) else row["derived_from"],
        logo_type=row["logo_type"],
        estimated=bool(row["logo_type_estimated"]),
        synthetic=bool(row["synthetic"]),
        width=int(row["width"]),
        height=int(row["height"]),
        source_width=int(row["source_width"]),
        source_height=int(row["source_height"]),
        format=row["format"],
        band=band_name(int(row["band"])),
        n_conversions=int(row["n"]),
        mean_ssim=_known(row["mean_ssim"]),
        ssim=_known(row["ssim"]),
        ssim_worst_tile=_known(row["ssim_worst_tile"]),
        svg_bytes=_known_count(row["svg_bytes"]),
        path_count=_known_count(row["path_count"]),
        changed={name: value for name, value in values.items() if value != defaults[name]},
        tracing=tracing,
        problem=outcome.error or (tracing.problem if tracing else None),
        remark=_remark(row, tracing),
    )


def _remark(row: Mapping[Any, Any], tracing: Tracing | None) -> str | None:
    if tracing is None or tracing.ssim is None or tracing.svg_bytes is None:
        return None
    if not pd.isna(row["error"]):
        return f"Recorded is a failure ({row['error']}); converted again, it succeeded."
    return unlike_recorded(tracing.ssim, tracing.svg_bytes, row["ssim"], int(row["svg_bytes"]))


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _known_count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
