"""Many conversions at once, each in a process that may hang, panic or die.

VTracer holds the GIL, so threads do not help; it can loop for long and take all memory, so each
worker has a time limit per conversion and a ceiling on its address space. What goes wrong with
one conversion becomes that conversion's error, never the run's.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as CallTimeout
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import cv2
from pebble import ProcessExpired, ProcessPool

from svg_quality.conversion.images import LogoImage, load_image
from svg_quality.conversion.measure import measure
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
    with ProcessPool(
        max_workers=n_workers, context=get_context("spawn"), initializer=_prepare_worker
    ) as pool:
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
    measured = measure(image.rgb, task.parameters)
    return {name: getattr(measured, name) for name in measured.__slots__ if name != "svg"}


@lru_cache(maxsize=4)
def _load(path: Path, working_size: int) -> LogoImage:
    return load_image(path, working_size)
