"""A session's records summed up, and sessions side by side."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from svg_quality.training.monitoring.log import Record, read_log

PARTS: Final = ("data", "forward", "backward", "optimizer", "step")  # a step is all its parts
PERCENTILES: Final = (50, 95, 99)
_BINS_PER_DECADE: Final = 100  # of the histograms of times: each is 2.3% wide
_PEAKS: Final = ("cpu_percent", "process_cpu_percent", "memory_percent", "process_mb", "gpu_mb")


def time_bins(seconds: np.ndarray) -> dict[int, int]:
    """How many times lie in each bin; bins are counted from 1 ns on a logarithmic scale.

    Args:
        seconds: float64 ``(n,)``.
    """
    places = np.rint(_BINS_PER_DECADE * np.log10(np.maximum(seconds, 1e-9) / 1e-9)).astype(int)
    found, counts = np.unique(places, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def percentile(counts: Mapping[int, int], share: float) -> float:
    """Seconds below which a share of the counted times lie, to 1.2%; NaN where none is counted.

    Args:
        counts: as of `time_bins`.
        share: percent; the nearest rank is taken.
    """
    rank = math.ceil(share / 100 * sum(counts.values()))
    seen = 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= max(rank, 1):
            return float(1e-9 * 10 ** (place / _BINS_PER_DECADE))
    return math.nan


@dataclass(slots=True)
class SessionTotals:
    """What a session comes to, record by record; its size does not grow with the session."""

    started: str = ""
    machine: dict[str, Any] = field(default_factory=dict)  # empty where nothing was started
    elapsed: float = 0.0  # seconds, of all starts together
    now: float = 0.0  # of the newest record, since its own start
    n_starts: int = 0
    n_steps: int = 0
    last_step: int | None = None
    n_not_finite: int = 0
    ended: bool = False
    times: dict[str, Counter[int]] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)  # by part, of all steps
    peaks: dict[str, float] = field(default_factory=dict)
    cpu: tuple[int, float] = (0, 0.0)  # readings, and their sum
    n_epochs: int = 0
    last_epoch: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    warnings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count one record in."""
        if record["kind"] != "start":  # between two starts nothing was watched
            self.elapsed += record["t"] - self.now
        self.now = record["t"]
        self.ended = record["kind"] == "stop"
        match record["kind"]:
            case "start":
                self.started = self.started or record["time"]
                self.machine, self.n_starts = record["machine"], self.n_starts + 1
            case "steps":
                self._add_steps(record)
            case "load":
                self._add_load(record)
            case "epoch":
                self._add_epoch(record)
            case "warning":
                told = self.warnings.setdefault(
                    record["cause"], {"text": record["text"], "step": record["step"], "n_times": 0}
                )
                told["n_times"] += 1
            case "again":
                for cause, n_times in record["causes"].items():
                    self.warnings[cause]["n_times"] += n_times

    def _add_steps(self, record: Record) -> None:
        self.n_steps += record["n_steps"]
        self.last_step = record["step"]
        self.n_not_finite += record["n_not_finite"]
        for part, counts in record["bins"].items():
            counted = self.times.setdefault(part, Counter())
            counted.update({int(place): n for place, n in counts.items()})
        self.seconds.update(record["seconds"])

    def _add_load(self, record: Record) -> None:
        self.cpu = self.cpu[0] + 1, self.cpu[1] + record["cpu_percent"]
        for name in _PEAKS:
            if record.get(name) is not None:
                self.peaks[name] = max(self.peaks.get(name, 0.0), record[name])

    def _add_epoch(self, record: Record) -> None:
        self.n_epochs += 1
        self.last_epoch = {"epoch": record["epoch"], **record["metrics"]}
        loss = record["metrics"].get("val_loss")
        if loss is not None and (not self.best or loss < self.best["val_loss"]):
            self.best = self.last_epoch

    def summary(self) -> dict[str, Any]:
        """Plain numbers, as JSON takes them; what was never recorded is None or empty.

        Returns:
            ``started`` (UTC), ``machine``, ``duration_s``, ``complete`` (it was stopped, not
            killed), ``n_starts``, ``n_steps``, ``last_step``, ``steps_per_second`` (of the time
            inside steps), ``n_not_finite``, ``time_ms`` (part -> ``share`` of all parts,
            ``mean``, ``p50``, ``p95``, ``p99``), ``peak``, ``mean_cpu_percent``, ``n_epochs``,
            ``best_epoch`` and ``last_epoch`` (with their metrics), ``warnings`` (one a cause).
        """
        inside = self.seconds["step"]
        n_readings, cpu = self.cpu
        return {
            "started": self.started,
            "machine": self.machine,
            "duration_s": self.elapsed,
            "complete": self.ended,
            "n_starts": self.n_starts,
            "n_steps": self.n_steps,
            "last_step": self.last_step,
            "steps_per_second": self.n_steps / inside if inside else None,
            "n_not_finite": self.n_not_finite,
            "time_ms": {part: self._times(part, inside) for part in self._parts()},
            "peak": dict(self.peaks),
            "mean_cpu_percent": cpu / n_readings if n_readings else None,
            "n_epochs": self.n_epochs,
            "best_epoch": self.best or None,
            "last_epoch": self.last_epoch or None,
            "warnings": [{"cause": cause, **told} for cause, told in self.warnings.items()],
        }

    def _parts(self) -> list[str]:
        known = [part for part in PARTS if part in self.times]
        return [*[part for part in self.times if part not in PARTS], *known]

    def _times(self, part: str, inside: float) -> dict[str, float]:
        counts = self.times[part]
        spent = self.seconds[part]
        return {
            "share": spent / inside if inside else 0.0,
            "mean": 1e3 * spent / sum(counts.values()),
            **{f"p{share}": 1e3 * percentile(counts, share) for share in PERCENTILES},
        }


def summarise(records: Iterable[Record]) -> dict[str, Any]:
    """`SessionTotals.summary` of records that were read."""
    totals = SessionTotals()
    for record in records:
        totals.add(record)
    return totals.summary()


def compare_sessions(directories: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """The summary of each session, by its folder.

    Raises:
        DatasetError: a folder has no log, or a damaged one.
    """
    return {str(directory): summarise(read_log(directory)) for directory in directories}


def comparison_rows(
    summaries: Mapping[str, Mapping[str, Any]],
) -> list[tuple[str, list[float | str | None]]]:
    """What to set side by side: a name, and its value in each session (None: not recorded)."""
    each = list(summaries.values())
    parts = [part for part in PARTS if any(part in one["time_ms"] for one in each)]
    figures = sorted({name for one in each for name in (one["best_epoch"] or {}) if "val_" in name})
    rows: list[tuple[str, list[float | str | None]]] = [
        ("ended", [{True: "stopped", False: "cut short"}[one["complete"]] for one in each]),
        ("duration, s", [one["duration_s"] for one in each]),
        ("steps", [one["n_steps"] for one in each]),
        ("steps per second", [one["steps_per_second"] for one in each]),
        ("best epoch", [(one["best_epoch"] or {}).get("epoch") for one in each]),
    ]
    rows += [(f"best {x}", [(one["best_epoch"] or {}).get(x) for one in each]) for x in figures]
    rows += [
        (f"{part}, ms ({column})", [one["time_ms"].get(part, {}).get(column) for one in each])
        for part in parts
        for column in ("p50", "p95")
    ]
    rows += [
        ("peak memory of the process, MB", [one["peak"].get("process_mb") for one in each]),
        ("peak memory of the GPU, MB", [one["peak"].get("gpu_mb") for one in each]),
        ("mean load of the processor, %", [one["mean_cpu_percent"] for one in each]),
        ("warnings", [", ".join(told["cause"] for told in one["warnings"]) or "none"
                      for one in each]),
    ]  # fmt: skip
    return [row for row in rows if any(value is not None for value in row[1])]


def comparison_text(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    """`comparison_rows` as a table for a terminal, a column a session."""
    names = ["", *[Path(name).name for name in summaries]]
    lines = [names, *[[name, *map(cell, values)] for name, values in comparison_rows(summaries)]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    )


def cell(value: float | str | None) -> str:
    """A value as text; a dash where there is none."""
    if isinstance(value, str):
        return value
    if value is None:
        return "-"
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1e4 else f"{value:.4g}"
