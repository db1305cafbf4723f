"""The page of an analysis: charts and tables from the plain values of its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from svg_quality.pages.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Mark, Scale, round_ticks
from svg_quality.pages.lines import MAX_SERIES, line_chart
from svg_quality.pages.report_files import write_report_files

N_SHOWN: Final = 20  # rows of a table; the JSON report holds all
_MOST_COMPONENTS: Final = 100  # on the curve's axis


def write_analysis(
    report: Mapping[str, Any], folder: Path, notes: Sequence[str] = ()
) -> dict[str, Path]:
    """Write ``analysis.html`` and ``analysis.json``, see `write_report_files`.

    Args:
        report: what `report.analyse_pictures` and `report.analyse_inputs` gave, the latter under
            ``importance``, and ``context``: names and texts of where it is from.
        folder: made where it does not exist.
        notes: warnings at the top.
    """
    return write_report_files(
        folder, "analysis", report, "svg_quality.features", "analysis.html.j2",
        report=report,
        notes=notes,
        n_shown=N_SHOWN,
        p_value=_p_value,
        charts={
            "variance": _variance_chart(report["components"]),
            "scatter": _scatter(report["components"]),
            "silhouettes": _silhouette_chart(report["clusters"]),
        },
    )  # fmt: skip


def _variance_chart(components: Mapping[str, Any]) -> Chart:
    reached = 100 * np.cumsum(components["share"])
    n = min(len(reached), _MOST_COMPONENTS)
    return line_chart(
        "Variance in the first components",
        f"The first component holds {reached[0]:.0f}% of the variance, the first {n}"
        f" {reached[n - 1]:.0f}%.",
        {"features": (range(1, n + 1), reached[:n].tolist())},
        ("components", "variance, %"),
    )


def _silhouette_chart(clusters: Mapping[str, Any]) -> Chart:
    numbers = [int(k) for k in clusters["silhouettes"]]
    return line_chart(
        "How well clusters stand apart",
        f"Mean silhouette by number of clusters; best with {clusters['n_clusters']}.",
        {"k-means": (numbers, list(clusters["silhouettes"].values()))},
        ("clusters", "mean silhouette"),
    )


def _scatter(components: Mapping[str, Any]) -> Chart:
    """The first two components, a colour a type, the most common type at the back."""
    points, types = np.array(components["scores"], float), np.array(components["types"])
    if points.shape[1] < 2:  # one component only
        points = np.column_stack([points, np.zeros(len(points))])
    x, x_ticks = _axis(points[:, 0], LEFT, RIGHT)
    y, y_ticks = _axis(points[:, 1], BOTTOM, TOP)
    names, counts = np.unique(types, return_counts=True)
    ordered = names[np.argsort(-counts, kind="stable")].tolist()
    shown = ordered if len(ordered) <= MAX_SERIES else [*ordered[: MAX_SERIES - 1], "other types"]
    marks = []
    for place, name in enumerate(shown):
        mine = types == name if name in ordered else ~np.isin(types, shown)
        dots = zip(x(points[mine, 0]).tolist(), y(points[mine, 1]).tolist(), strict=True)
        path = "".join(f"M{across:.1f} {up:.1f}h0" for across, up in dots)
        marks.append(Mark(f"dots series{place}", path))
    return Chart(
        title="Pictures on the first two components",
        description=f"{len(points)} pictures, coloured by type.",
        x=x.axis(f"component 1 ({100 * components['share'][0]:.0f}%)", *x_ticks),
        y=y.axis(f"component 2 ({100 * sum(components['share'][1:2]):.0f}%)", *y_ticks),
        guide="",
        marks=tuple(marks),
        legend=tuple((f"series{place}", name) for place, name in enumerate(shown)),
    )


def _axis(
    values: np.ndarray, start: float, end: float
) -> tuple[Scale, tuple[list[float], list[str]]]:
    """A little wider than the values, with round ticks."""
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.04 or 1.0
    scale = Scale(low - margin, high + margin, start, end)
    ticks = round_ticks(scale.low, scale.high)
    return scale, (ticks, [f"{tick:g}" for tick in ticks])


def _p_value(p: float) -> str:
    """A p-value as people write it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
