"""An inventory as one HTML page and one JSON file: drawn from its report alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from svg_quality.dataset.inventory.coverage import DIMENSIONS
from svg_quality.dataset.inventory.gaps import KINDS, wanted_in_cell
from svg_quality.pages.charts import Chart, Mark, round_ticks, size_text, stacked_histogram
from svg_quality.pages.report_files import write_report_files

N_SHOWN: Final = 12  # of gaps and of recommended conversions
_FIGURES: Final = {  # figure: title, label of the axis
    "ssim": ("SSIM", "SSIM"),
    "mse": ("MSE", "mean squared error (log scale)"),
    "psnr": ("PSNR", "PSNR, dB"),
    "svg_bytes": ("SVG size", "bytes (log scale)"),
}
_UNIT, _SPACE, _MARGIN = 10, 6, 118  # of the heat map: a cell, between blocks, for names
_LEVELS: Final = ((30, "many"), (10, "good"), (3, "some"), (1, "few"))  # times the wanted rows


@dataclass(frozen=True, slots=True)
class Block:
    """One pair of the heat map: what it says, and a path for each level of its cells."""

    title: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The lower triangle of all pairs; names stand left of the rows and below the columns."""

    width: float
    height: float
    rows: tuple[tuple[float, str], ...]  # y of the middle, name
    columns: tuple[tuple[float, str], ...]  # x of the middle, name
    blocks: tuple[Block, ...]


def write_inventory(
    report: Mapping[str, Any], recommendation: Sequence[Mapping[str, Any]], folder: Path
) -> dict[str, Path]:
    """Write ``dataset_analysis_report.html`` and ``.json``, see `write_report_files`.

    Args:
        report: of `take_inventory`, with ``table`` and the recommendation's ``command``.
        recommendation: what to convert, new ones first.
        folder: made where it does not exist.
    """
    told = report["distributions"]
    drawn = [name for name in _FIGURES if told[name]["full"]["n"]]
    return write_report_files(
        folder, "dataset_analysis_report", report, "svg_quality.dataset", "inventory.html.j2",
        **report,
        charts=[distribution_chart(name, told[name]) for name in drawn],
        figures=_FIGURES,
        strips={name: _strip(told) for name, told in report["coverage"]["dimensions"].items()},
        heat=heat_map(report["coverage"]["pairs"]),
        gaps_by_kind={
            kind: [gap for gap in report["gaps"]["ranked"] if gap["kind"] == kind] for kind in KINDS
        },
        recommended=recommendation[: min(N_SHOWN, report["recommendation"]["conversions"])],
        type_wanted={
            name: wanted_in_cell(told) for name, told in report["types"]["types"].items()
        },
        n_shown=N_SHOWN,
    )  # fmt: skip


def distribution_chart(figure: str, told: Mapping[str, Any]) -> Chart:
    """The histogram of a figure, everyday below the rest of the full region.

    Args:
        figure: its name.
        told: region -> what `distributions` says of it.
    """
    title, label = _FIGURES[figure]
    full, everyday = (told[region]["histogram"] for region in ("full", "everyday"))
    edges = np.array(full["edges"])
    inner = np.array(everyday["counts"])
    ticks, texts = _ticks(figure, edges, full["scale"])
    return stacked_histogram(
        title,
        f"Histogram of {told['full']['n']} conversions by {label}; the median is"
        f" {told['full']['quantiles']['0.5']:.4g}.",
        edges,
        {"everyday": inner, "rest": np.array(full["counts"]) - inner},
        (label, ticks, texts),
    )


def _ticks(figure: str, edges: np.ndarray, scale: str) -> tuple[list[float], list[str]]:
    low, high = float(edges[0]), float(edges[-1])
    if scale == "linear":
        ticks = round_ticks(low, high)
        return ticks, [f"{tick:g}" for tick in ticks]
    powers = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
    if len(powers) < 2:
        return [low, high], [f"{10**low:.3g}", f"{10**high:.3g}"]
    if figure == "svg_bytes":
        return powers, [size_text(power) for power in powers]
    return powers, [f"{10**power:g}" for power in powers]


def _strip(told: Mapping[str, Any]) -> dict[str, Any]:
    """Bars of a dimension's cells on 160 x 30 units."""
    counts = list(told["cells"].values())
    width, highest = 160 / len(counts), max(*counts, 1)
    path = "".join(
        f"M{k * width + 1:.1f} 30V{30 - max(28 * n / highest, 1):.1f}H{(k + 1) * width - 1:.1f}V30Z"
        for k, n in enumerate(counts)
        if n
    )
    text = ", ".join(f"{label}: {n}" for label, n in told["cells"].items())
    return {"path": path, "text": text, "labels": list(told["cells"])}


def heat_map(pairs: Sequence[Mapping[str, Any]]) -> HeatMap:
    """Where the rows of every pair's cells lie.

    Args:
        pairs: as the report's ``coverage`` has them: each with ``pair``, ``counts``, ``wanted``,
            ``cells``, ``hit`` and ``thin``.
    """
    names = list(DIMENSIONS)
    sizes = [len(DIMENSIONS[name].labels) * _UNIT for name in names]
    across = np.cumsum([_MARGIN, *(size + _SPACE for size in sizes)])
    down = np.cumsum([0, *(size + _SPACE for size in sizes[1:])])
    blocks = []
    for pair in pairs:
        column, row = (names.index(name) for name in pair["pair"])
        blocks.append(_block(pair, int(across[column]), int(down[row - 1])))
    return HeatMap(
        width=float(across[-2]),
        height=float(down[-1] + _MARGIN),
        rows=tuple((down[k] + sizes[k + 1] / 2 + 4, name) for k, name in enumerate(names[1:])),
        columns=tuple((across[k] + sizes[k] / 2 + 4, name) for k, name in enumerate(names[:-1])),
        blocks=tuple(blocks),
    )


def _block(pair: Mapping[str, Any], x: int, y: int) -> Block:
    paths: dict[str, str] = {}
    counts = np.array(pair["counts"])
    for (a, b), n in np.ndenumerate(counts):
        level = _level(int(n), pair["wanted"])
        place = f"M{x + a * _UNIT} {y + b * _UNIT}h{_UNIT - 1}v{_UNIT - 1}h{1 - _UNIT}z"
        paths[level] = paths.get(level, "") + place
    first, second = pair["pair"]
    title = (
        f"{first} across, {second} down: {pair['hit']} of {pair['cells']} cells hit,"
        f" {pair['thin']} thin (under {pair['wanted']} rows), fewest {counts.min()}"
    )
    return Block(title, tuple(Mark(f"heat {level}", path) for level, path in paths.items()))


def _level(n: int, enough: int) -> str:
    if n == 0:
        return "empty"
    return next((name for times, name in _LEVELS if n >= times * enough), "thin")
