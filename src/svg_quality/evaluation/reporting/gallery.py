"""Cases to look at: the worst and the middling predictions, converted again and shown.

Nothing is shown from memory: each case is traced afresh with the parameters of its row, and
where the new figures are not the recorded ones the case says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd

from svg_quality.conversion.measure import Measurement, measure
from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.conversion.rendering import render
from svg_quality.errors import SvgQualityError
from svg_quality.pages.pictures import MAX_SVG_BYTES, pixels_uri, svg_uri, unlike_recorded

N_CASES: Final = 12
DIFFERENCE_GAIN: Final = 3
_DIFFERENCE_COLOUR: Final = (176, 0, 60)

LoadRgb = Callable[[str], np.ndarray]


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter of a case."""

    name: str
    value: Any
    changed: bool  # whether it differs from VTracer's default


@dataclass(frozen=True, slots=True)
class Pictures:
    """Source, tracing and difference as data URIs."""

    source: str
    traced: str
    difference: str
    is_svg: bool  # whether ``traced`` is the SVG itself, else a picture of its rendering
    width: int  # px, as traced
    height: int


@dataclass(frozen=True, slots=True)
class Case:
    """One card of the gallery: a row, and either its pictures or why there are none."""

    name: str
    image_path: str
    logo_type: str
    everyday: bool
    settings: tuple[Setting, ...]
    ssim: float
    predicted_ssim: float
    ssim_low: float
    ssim_high: float
    svg_bytes: int
    predicted_svg_bytes: int
    pictures: Pictures | None
    problem: str | None  # why there are no pictures
    remark: str | None  # how the new measurement differs from the recorded one


def worst_cases(rows: pd.DataFrame, logo_column: str, n: int = N_CASES) -> pd.DataFrame:
    """The rows with the largest absolute SSIM error, at most one per logo, worst first."""
    return _first_per_logo(rows, -_miss(rows), logo_column, n)


def median_cases(rows: pd.DataFrame, logo_column: str, n: int = N_CASES) -> pd.DataFrame:
    """The rows whose absolute SSIM error is nearest to the median, at most one per logo."""
    miss = _miss(rows)
    return _first_per_logo(rows, (miss - miss.median()).abs(), logo_column, n)


def show_cases(rows: pd.DataFrame, load_rgb: LoadRgb) -> list[Case]:
    """Convert rows again, in this process, and prepare their cards.

    Args:
        rows: one per case, with the columns `evaluation.REQUIRED` names.
        load_rgb: the image at a path, uint8 ``(H, W, 3)``, as it was converted.

    Returns:
        One case per row. What cannot be read or converted is a case with a ``problem``.
    """
    return [_case(record, load_rgb) for record in rows.to_dict("records")]


def _miss(rows: pd.DataFrame) -> pd.Series[float]:
    return (rows["predicted_ssim"] - rows["ssim"]).abs()


def _first_per_logo(
    rows: pd.DataFrame, rank: pd.Series[float], logo_column: str, n: int
) -> pd.DataFrame:
    order = np.argsort(rank.to_numpy(float), kind="stable")
    return rows.iloc[order].drop_duplicates(logo_column).head(n)


def _case(row: Mapping[Any, Any], load_rgb: LoadRgb) -> Case:
    pictures = problem = remark = None
    values = {name: row[name] for name in NAMES}
    try:
        parameters = Parameters(**values)
        values = parameters.as_dict()  # a table with gaps holds whole numbers as 6.0
        rgb = load_rgb(row["image_path"])
        measured = measure(rgb, parameters)
        pictures = _pictures(rgb, measured)
        remark = unlike_recorded(
            measured.ssim, measured.svg_bytes, row["ssim"], int(row["svg_bytes"])
        )
    except (SvgQualityError, OSError) as error:
        problem = str(error)
    return Case(
        name="/".join(PurePath(row["source"]).parts[-2:]),
        image_path=row["image_path"],
        logo_type="" if pd.isna(row["logo_type"]) else str(row["logo_type"]),
        everyday=bool(row["everyday"]),
        settings=tuple(_settings(values)),
        ssim=float(row["ssim"]),
        predicted_ssim=float(row["predicted_ssim"]),
        ssim_low=float(row["ssim_low"]),
        ssim_high=float(row["ssim_high"]),
        svg_bytes=int(row["svg_bytes"]),
        predicted_svg_bytes=round(row["predicted_svg_bytes"]),
        pictures=pictures,
        problem=problem,
        remark=remark,
    )


def _settings(values: Mapping[str, Any]) -> Iterable[Setting]:
    for name, default in Parameters().as_dict().items():
        yield Setting(name, values[name], values[name] != default)


def _pictures(rgb: np.ndarray, measured: Measurement) -> Pictures:
    height, width = rgb.shape[:2]
    drawn = render(measured.svg, width, height)
    is_svg = measured.svg_bytes <= MAX_SVG_BYTES
    return Pictures(
        source=pixels_uri(rgb),
        traced=svg_uri(measured.svg) if is_svg else pixels_uri(drawn),
        difference=pixels_uri(difference(rgb, drawn)),
        is_svg=is_svg,
        width=width,
        height=height,
    )


def difference(source: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """White where two pictures agree, red where they differ.

    Args:
        source: uint8 ``(H, W, 3)``.
        drawn: the same size and type.

    Returns:
        uint8 ``(H, W, 3)``: the largest channel's difference, ``DIFFERENCE_GAIN`` times.
    """
    apart = cv2.absdiff(source, drawn).max(axis=2).astype(np.float32) / 255
    share = np.minimum(apart * DIFFERENCE_GAIN, 1)[..., None]
    shaded: np.ndarray = 255 + share * (np.array(_DIFFERENCE_COLOUR) - 255)
    return shaded.round().astype(np.uint8)
