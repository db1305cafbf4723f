"""Watches a training from a thread beside it: load, times, losses, and what is wrong with them.

A step costs the trainer a few microseconds: it is put into a queue, and the thread does the
rest. The log is `log`'s, the warnings are `watch`'s, the page is `report`'s.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Final, Self

from svg_quality.errors import SettingsError
from svg_quality.training.monitoring.load import Load, LoadMeter
from svg_quality.training.monitoring.log import RotatingLog
from svg_quality.training.monitoring.recorder import Recorder
from svg_quality.training.monitoring.watch import Limits, Step, Watch

THREAD: Final = "training-monitor"
_MAX_WAITING: Final = 50_000  # steps: beyond, the trainer's thread writes them itself
_JOIN_SECONDS: Final = 10.0


class TrainingMonitor:
    """Watches one session; a context manager.

    Before `start_monitoring` and after `stop_monitoring` what is recorded is kept as well, but
    no load is read. The thread ends with the ``with`` block, at `stop_monitoring`, when the
    monitor is no longer referred to, and with the interpreter. A second session in the same
    folder, such as a resumed training, goes on in the same log.

    Args:
        log_dir: of the log.
        interval: seconds between readings.
        limits: beyond which it warns.
        max_bytes, n_files: bounds of the log.
        meter: what reads the load; the machine's when None.

    Raises:
        SettingsError: the interval or a bound is not positive.

    Example:
        >>> from tempfile import mkdtemp
        >>> with TrainingMonitor(Path(mkdtemp())) as monitor:
        ...     monitor.record_step(1, {"forward": 0.001, "backward": 0.002}, 0.5, 1.0)
        >>> monitor.get_training_summary()["n_steps"]
        1
    """

    def __init__(
        self,
        log_dir: Path,
        *,
        interval: float = 1.0,
        limits: Limits | None = None,
        max_bytes: int = 2_000_000,
        n_files: int = 4,
        meter: Callable[[], Load] | None = None,
    ) -> None:
        if not interval > 0:
            raise SettingsError(f"interval must be positive, got {interval}")
        self.log_dir, self.interval = log_dir, interval
        log = RotatingLog(log_dir, max_bytes, n_files)
        self._session = _Session(Recorder(log, Watch(limits or Limits())), meter or LoadMeter())
        self._end: Callable[[], object] = lambda: None

    def start_monitoring(self) -> None:
        """Begin to read the load; twice is once."""
        if self._session.running:
            return
        stop = threading.Event()
        thread = threading.Thread(
            target=self._session.run, args=(stop, self.interval), name=THREAD, daemon=True
        )
        self._session.begin()
        thread.start()
        # Held by the registry of finalizers, which also runs them when the interpreter exits;
        # the thread knows the session alone, so that the monitor itself can be collected.
        self._end = weakref.finalize(self, _end, stop, thread)

    def stop_monitoring(self) -> None:
        """Write what is left and end the thread; twice is once."""
        self._end()

    def record_step(
        self, step: int, seconds: Mapping[str, float], loss: float, gradient_norm: float
    ) -> None:
        """Keep one step.

        Args:
            step: counted by the trainer, over all epochs.
            seconds: by part: ``data``, ``forward``, ``backward``, ``optimizer``.
            loss, gradient_norm: of the step; not finite is a warning.
        """
        self._session.put(Step(step, dict(seconds), loss, gradient_norm))

    def record_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep an epoch's metrics; the one of the lowest ``val_loss`` is the best."""
        self._session.epoch(epoch, metrics)

    def note(self, kind: str, text: str) -> None:
        """Keep, and warn of, something the trainer did, such as going back to a checkpoint."""
        self._session.note(kind, text)

    def get_training_summary(self) -> dict[str, Any]:
        """What the session comes to so far; see `SessionTotals.summary`."""
        return self._session.summary()

    def __enter__(self) -> Self:
        self.start_monitoring()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.note("exception", f"{type(error).__name__}: {error}")
        self.stop_monitoring()


class _Session:
    """What the trainer's thread and the monitor's share; one lock guards the recorder."""

    def __init__(self, recorder: Recorder, meter: Callable[[], Load]) -> None:
        self._recorder, self._meter = recorder, meter
        self._lock = threading.Lock()
        self._waiting: deque[Step] = deque()
        self._began = perf_counter()
        self.running = False

    def begin(self) -> None:
        with self._lock:
            self.running = True
            self._recorder.start(self._t())

    def run(self, stop: threading.Event, interval: float) -> None:
        """The body of the thread."""
        read = -interval
        while not stop.wait(interval):
            self._read()
            read = self._t()
        if self._t() - read > interval / 2:  # shares of a shorter time are mostly chance
            self._read()
        with self._lock:
            self._drain()
            self.running = False
            self._recorder.stop(self._t())

    def put(self, step: Step) -> None:
        self._waiting.append(step)
        if len(self._waiting) > _MAX_WAITING:
            with self._lock:
                self._drain()

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        with self._lock:
            self._drain()
            self._recorder.epoch(self._t(), epoch, metrics)

    def note(self, kind: str, text: str) -> None:
        with self._lock:
            self._drain()
            self._recorder.note(self._t(), kind, text)

    def summary(self) -> dict[str, Any]:
        with self._lock:
            self._drain()
            return self._recorder.totals.summary()

    def _read(self) -> None:
        load = self._meter()
        with self._lock:
            self._drain()
            self._recorder.load(self._t(), load)

    def _drain(self) -> None:
        steps = [self._waiting.popleft() for _ in range(len(self._waiting))]
        self._recorder.steps(self._t(), steps)

    def _t(self) -> float:
        return perf_counter() - self._began


def _end(stop: threading.Event, thread: threading.Thread) -> None:
    stop.set()
    if thread is not threading.current_thread():  # the collector may run in any thread
        thread.join(_JOIN_SECONDS)
