"""Many conversions at once, each in a process that may hang, panic or die.

VTracer holds the GIL, so threads do not help; it can loop for long and take all memory, so each
worker has a time limit per conversion and a ceiling on its address space. What goes wrong with
one conversion becomes that conversion's error, never the run's.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures import TimeoutError as CallTimeout
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import cv2
import numpy as np
from pebble import ProcessExpired, ProcessPool

from svg_quality.conversion.images import LogoImage, load_image
from svg_quality.conversion.measure import FIGURES, Measurement, measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import SvgQualityError

Task = TypeVar("Task")
Result = TypeVar("Result")

ADDRESS_SPACE: Final = 3 * 2**30  # bytes a worker may map; libraries alone map about 1 GiB
_QUEUED_PER_WORKER: Final = 8


def worker_count(asked: int) -> int:
    """Processes to start: as many as asked for, with 0 one per core."""
    return asked or os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Task, Result]):
    """What came of a task: its result, or the reason why there is none."""

    task: Task
    result: Result | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ConversionTask:
    """One image file to be traced with one parameter set."""

    conversion_id: str
    path: Path
    working_size: int
    parameters: Parameters


@dataclass(frozen=True, slots=True, eq=False)
class PixelsTask:
    """A decoded picture to be traced with one parameter set."""

    rgb: np.ndarray  # uint8 (H, W, 3) on white
    parameters: Parameters


def convert_all(
    tasks: Iterable[ConversionTask], n_workers: int, timeout_s: float
) -> Iterator[Outcome[ConversionTask, dict[str, Any]]]:
    """Measure every task; the results are the fields of `Measurement` but the SVG itself.

    Takes what `run_isolated` does. Neighbours that share an image are cheapest.
    """
    return run_isolated(_convert, tasks, n_workers, timeout_s)


def run_isolated(
    function: Callable[[Task], Result], tasks: Iterable[Task], n_workers: int, timeout_s: float
) -> Iterator[Outcome[Task, Result]]:
    """Call a function on every task in worker processes; one outcome for each, as they end.

    Args:
        function: importable by name.
        tasks: consumed as workers become free.
        n_workers: processes.
        timeout_s: seconds that one call may take before its worker is killed.
    """
    pending: dict[Future[Any], Task] = {}
    waiting = iter(tasks)
    with _process_pool(n_workers) as pool:
        try:
            while True:
                for task in islice(waiting, n_workers * _QUEUED_PER_WORKER - len(pending)):
                    pending[pool.schedule(function, args=[task], timeout=timeout_s)] = task
                if not pending:
                    return
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield _outcome(pending.pop(future), future, timeout_s)
        finally:
            for future in pending:
                future.cancel()


class WorkerPool:
    """Worker processes that stay: for conversions that are wanted now and then, as they come.

    Used as a context manager; the processes start at once, so that they are ready by the time
    the first tasks come.

    Args:
        n_workers: processes; 0 for one per core.
        timeout_s: seconds that one call may take before its worker is killed.
    """

    def __init__(self, n_workers: int, timeout_s: float) -> None:
        self.n_workers = worker_count(n_workers)
        self.timeout_s = timeout_s
        self._lock = Lock()
        self._pool: ProcessPool | None = None
        self._closed = False
        self._pending: set[Future[Any]] = set()

    def __enter__(self) -> Self:
        self._pending.discard(self._schedule(os.getpid, []))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._closed = True
            pool, pending = self._pool, list(self._pending)
        for future in pending:  # whoever waits for them, in other threads, must not wait for ever
            future.cancel()
        if pool is not None:
            pool.stop()
            pool.join()

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> list[Outcome[Task, Result]]:
        """Call a function on every task; one outcome for each, in order.

        Several threads may call this at once: their tasks take turns.

        Args:
            function: importable by name.
            tasks: what to call it with.

        Raises:
            RuntimeError: the pool is closed, also where it is closed meanwhile: that is no outcome
                of any task.
        """
        outcomes = self._run(function, tasks)
        lost = [place for place, outcome in enumerate(outcomes) if outcome is None]
        again = self._run(function, [tasks[place] for place in lost]) if lost else []
        for place, outcome in zip(lost, again, strict=True):
            outcomes[place] = outcome or Outcome(
                tasks[place], None, "workers must outlive a conversion, twice they did not"
            )
        return [outcome for outcome in outcomes if outcome is not None]

    def _run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> list[Outcome[Task, Result] | None]:
        """None for a task that was lost with the whole pool."""
        futures = [self._schedule(function, [task]) for task in tasks]
        try:
            return [self._wait(task, future) for task, future in zip(tasks, futures, strict=True)]
        finally:
            for future in futures:  # where the wait was interrupted
                future.cancel()
            with self._lock:
                self._pending.difference_update(futures)

    def _wait(self, task: Task, future: Future[Any]) -> Outcome[Task, Any] | None:
        try:
            if isinstance(future.exception(), BrokenProcessPool):
                return None
            return _outcome(task, future, self.timeout_s)
        except CancelledError:
            raise RuntimeError("a pool must stay open until its tasks are done") from None

    def _schedule(self, function: Callable[..., Any], args: Sequence[Any]) -> Future[Any]:
        with self._lock:
            if self._closed:
                raise RuntimeError("a pool must be open to run tasks, this one is closed")
            if self._pool is not None and not self._pool.active:
                # Pebble gives a whole pool up where a worker dies that has no task.
                self._pool.join()
                self._pool = None
            self._pool = self._pool or _process_pool(self.n_workers)
            future: Future[Any] = self._pool.schedule(function, args=args, timeout=self.timeout_s)
            self._pending.add(future)
            return future


def _process_pool(n_workers: int) -> ProcessPool:
    return ProcessPool(
        max_workers=n_workers, context=get_context("spawn"), initializer=_prepare_worker
    )


def _outcome(task: Task, future: Future[Any], timeout_s: float) -> Outcome[Task, Any]:
    """Whatever went wrong with a call is that call's reason, foreseen or not."""
    error = future.exception()
    if error is None:
        return Outcome(task, future.result(), None)
    if isinstance(error, CallTimeout):
        reason = f"a conversion must end within {timeout_s:g} s, this one was stopped"
    elif isinstance(error, ProcessExpired):
        reason = f"a worker must outlive its conversion, this one died (exit code {error.exitcode})"
    elif isinstance(error, MemoryError):
        reason = f"a conversion must fit in {ADDRESS_SPACE >> 20} MiB, this one did not"
    elif isinstance(error, SvgQualityError):
        reason = str(error)
    else:
        reason = f"a conversion must not fail, this one did: {type(error).__name__}: {error}"
    return Outcome(task, None, reason)


def _prepare_worker() -> None:
    cv2.setNumThreads(1)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    # VTracer's panics print a backtrace each; the message is kept in the row's error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _convert(task: ConversionTask) -> dict[str, Any]:
    image = _load(task.path, task.working_size)
    return figures_of(measure(image.rgb, task.parameters))


def convert_pixels(task: PixelsTask) -> Measurement:
    """Measure a task, for `WorkerPool.run`."""
    return measure(task.rgb, task.parameters)


def figures_of(measured: Measurement) -> dict[str, Any]:
    """The fields of a measurement but the SVG itself."""
    return {name: getattr(measured, name) for name in FIGURES}


@lru_cache(maxsize=4)
def _load(path: Path, working_size: int) -> LogoImage:
    return load_image(path, working_size)
