"""From steps and readings to records: log lines, totals, and warnings told once."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

import numpy as np

from svg_quality.training.monitoring.load import Load, machine
from svg_quality.training.monitoring.log import Record, RotatingLog
from svg_quality.training.monitoring.summary import SessionTotals, time_bins
from svg_quality.training.monitoring.watch import Step, Warned, Watch

_log = logging.getLogger(__name__)


class Recorder:
    """Writes what it is handed, in order; knows no clock and no thread.

    Args:
        log: where the records go.
        watch: what gives warnings.
    """

    def __init__(self, log: RotatingLog, watch: Watch) -> None:
        self.log, self.watch = log, watch
        self.totals = SessionTotals()
        self._cannot_write = False

    def start(self, t: float) -> None:
        """Say when, where and by whom the session is run."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._write({"kind": "start", "t": t, "time": now, "pid": os.getpid(),
                     "machine": machine()})  # fmt: skip

    def stop(self, t: float) -> None:
        """Say that the session ended in order."""
        self._write({"kind": "stop", "t": t})

    def load(self, t: float, load: Load) -> None:
        """Keep a reading."""
        self._write({"kind": "load", "t": t, **dataclasses.asdict(load)})
        self._warn(t, list(self.watch.load(load)))

    def steps(self, t: float, steps: Sequence[Step]) -> None:
        """Keep steps in one record: their times by bin, their losses and gradients summed up."""
        if not steps:
            return
        parts = list(dict.fromkeys(part for step in steps for part in step.seconds))
        spent = np.array([[step.seconds.get(part, 0.0) for part in parts] for step in steps])
        times = dict(zip([*parts, "step"], [*spent.T, spent.sum(1)], strict=True))
        losses = [step.loss for step in steps if math.isfinite(step.loss)]
        norms = [step.gradient_norm for step in steps if math.isfinite(step.gradient_norm)]
        finite = (math.isfinite(x.loss) and math.isfinite(x.gradient_norm) for x in steps)
        self._write({
            "kind": "steps",
            "t": t,
            "step": steps[-1].step,
            "n_steps": len(steps),
            "n_not_finite": sum(not one for one in finite),
            "loss": _middle(losses),
            "max_loss": max(losses, default=None),
            "gradient_norm": _middle(norms),
            "max_gradient_norm": max(norms, default=None),
            "seconds": {part: float(values.sum()) for part, values in times.items()},
            "ms": {part: 1e3 * float(np.median(values)) for part, values in times.items()},
            "bins": {part: time_bins(values) for part, values in times.items()},
        })  # fmt: skip
        self._warn(t, list(self.watch.steps(list(steps))))

    def epoch(self, t: float, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep an epoch's metrics; one that is not finite becomes null."""
        told = {name: _finite(float(value)) for name, value in metrics.items()}
        self._write({"kind": "epoch", "t": t, "epoch": epoch, "metrics": told})

    def note(self, t: float, kind: str, text: str) -> None:
        """Keep what the trainer says, and say it: a warning that is told every time."""
        self._write({"kind": "note", "t": t, "cause": kind, "text": text})
        if kind in self.totals.warnings:
            _log.warning("%s: %s", kind, text)
        self._warn(t, [Warned(kind, text, self.totals.last_step)])

    def _warn(self, t: float, warned: Sequence[Warned]) -> None:
        again: Counter[str] = Counter()
        for cause, text, step in warned:
            if cause in self.totals.warnings:
                again[cause] += 1
                continue
            self._write({"kind": "warning", "t": t, "cause": cause, "text": text, "step": step})
            _log.warning("%s: %s", cause, text)
        if again:
            self._write({"kind": "again", "t": t, "causes": dict(again)})

    def _write(self, record: Record) -> None:
        rounded: Record = _rounded(record)
        self.totals.add(rounded)
        if self._cannot_write:
            return
        try:
            self.log.append(rounded)
        except OSError as error:  # a full disk must not end a training of hours
            self._cannot_write = True
            self._warn(record["t"], [Warned("log", f"cannot be written: {error}", None)])


def _middle(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rounded(value: Any) -> Any:
    """Six significant digits say enough, in half the bytes."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return value
