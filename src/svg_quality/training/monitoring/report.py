"""Sessions as pages: one with its curves and warnings, or several side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from svg_quality.pages.charts import Chart
from svg_quality.pages.environment import environment
from svg_quality.pages.lines import MAX_SERIES, line_chart
from svg_quality.training.monitoring.log import Record, read_log
from svg_quality.training.monitoring.summary import (
    PARTS,
    cell,
    compare_sessions,
    comparison_rows,
    summarise,
)

Series = dict[str, tuple[list[float], list[float]]]
_LOSSES = {"train_loss": "training", "val_loss": "validation"}


def write_session_page(log_dir: Path, path: Path, title: str = "A training, watched") -> Path:
    """Write the page of one session; gives its path.

    Raises:
        DatasetError: there is no log, or a damaged one.
    """
    records = list(read_log(log_dir))
    template = environment("svg_quality.training").get_template("session.html.j2")
    path.parent.mkdir(parents=True, exist_ok=True)
    page = template.render(title=title, said=summarise(records), charts=session_charts(records))
    path.write_text(page, encoding="utf-8")
    return path


def write_comparison_page(log_dirs: Sequence[Path], path: Path) -> Path:
    """Write the page that sets sessions side by side; gives its path.

    Raises:
        DatasetError: a folder has no log, or a damaged one.
    """
    summaries = compare_sessions(log_dirs)
    template = environment("svg_quality.training").get_template("sessions.html.j2")
    path.parent.mkdir(parents=True, exist_ok=True)
    names = _short_names(log_dirs)
    rows = [
        (name, [cell(value) for value in values]) for name, values in comparison_rows(summaries)
    ]
    page = template.render(names=names, rows=rows, chart=_losses_of(names, log_dirs))
    path.write_text(page, encoding="utf-8")
    return path


def session_charts(records: Sequence[Record]) -> list[Chart]:
    """Curves of losses, rate, step times, gradients, processor and memory, as far as recorded."""
    t = _session_seconds(records)
    timed = list(zip(t, records, strict=True))
    epochs = [record for record in records if record["kind"] == "epoch"]
    steps = [(at, record) for at, record in timed if record["kind"] == "steps"]
    loads = [(at, record) for at, record in timed if record["kind"] == "load"]
    by_epoch = [(x["epoch"], x["metrics"]) for x in epochs]
    by_step = [(x["step"], x) for _, x in steps]
    parts = [part for part in PARTS if any(part in x["ms"] for _, x in steps)]
    memory = {"process_mb": "process", "gpu_mb": "GPU"}
    made = [
        _chart("Loss by epoch", by_epoch, _LOSSES, ("epoch", "loss")),
        _chart("Loss by step", by_step, {"loss": "median", "max_loss": "highest"},
               ("step", "loss")),
        _chart("Learning rate", by_epoch, {"learning_rate": "rate"}, ("epoch", "rate")),
        _chart("Gradient norm", by_step,
               {"gradient_norm": "median", "max_gradient_norm": "highest"}, ("step", "norm")),
        _chart("Time of a step by part", [(x["step"], x["ms"]) for _, x in steps],
               {part: part for part in parts}, ("step", "ms (median)")),
        _chart("Processor", loads, {"cpu_percent": "machine", "process_cpu_percent": "process"},
               ("s", "% (process: of one core)")),
        _chart("Memory", loads, memory, ("s", "MB")),
    ]  # fmt: skip
    return [chart for chart in made if chart is not None]


def _chart(
    title: str,
    points: Sequence[tuple[float, Mapping[str, Any]]],
    names: Mapping[str, str],
    labels: tuple[str, str],
) -> Chart | None:
    """A curve for each name that has a value somewhere; None where none has."""
    series: Series = {}
    for key, name in names.items():
        values = [math.nan if row.get(key) is None else float(row[key]) for _, row in points]
        if any(map(math.isfinite, values)):
            series[name] = [float(x) for x, _ in points], values
    if not series:
        return None
    return line_chart(title, f"{labels[1]} against {labels[0]}.", series, labels)


def _session_seconds(records: Sequence[Record]) -> list[float]:
    """The time of each record, where the starts follow each other without a gap."""
    at, now, times = 0.0, 0.0, []
    for record in records:
        if record["kind"] != "start":
            at += record["t"] - now
        now = record["t"]
        times.append(at)
    return times


def _losses_of(names: Sequence[str], log_dirs: Sequence[Path]) -> Chart | None:
    series: Series = {}
    for name, directory in list(zip(names, log_dirs, strict=True))[:MAX_SERIES]:
        points = [
            (float(x["epoch"]), float(x["metrics"]["val_loss"]))
            for x in read_log(directory)
            if x["kind"] == "epoch" and x["metrics"].get("val_loss") is not None
        ]
        if points:
            series[name] = [x for x, _ in points], [y for _, y in points]
    if not series:
        return None
    return line_chart(
        "Validation loss", "Validation loss against epoch, a curve a session.", series,
        ("epoch", "loss"),
    )  # fmt: skip


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Folder names, or the whole paths where two are the same."""
    short = [path.name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]
