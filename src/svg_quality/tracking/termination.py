"""SIGTERM while something is open that must be ended honestly: a run, a trial, workers.

Where a block is mostly computing, the signal unwinds the stack at once. Where it opens and closes
things of which half is worse than nothing, it waits until the block asks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

_SENT_AGAIN_S: Final = 0.1


class Terminated(SystemExit):
    """SIGTERM arrived inside a stage; leads to the exit code a shell expects, 143."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextlib.contextmanager
def sigterm_as_exception() -> Iterator[None]:
    """Let SIGTERM unwind the stack, unless somebody else already handles it.

    Raises:
        Terminated: where the signal finds the process, at the latest as the block ends.
    """
    if not _in_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    came: list[bool] = []  # an Event's lock would block a signal inside a signal

    def terminate() -> None:
        came.append(True)
        raise Terminated

    with _handled_by(terminate):
        with _sent_again_where_dropped():
            yield
        if came:
            raise Terminated


@contextlib.contextmanager
def sigterm_held() -> Iterator[Callable[[], None]]:
    """Let SIGTERM wait, whoever handled it before: nothing in the block is interrupted.

    Yields:
        To be called where the block can end: raises Terminated if the signal has come.

    Raises:
        Terminated: as the block ends, if the signal came and nobody asked.
    """
    came: list[bool] = []

    def end_if_asked() -> None:
        if came:
            raise Terminated

    if not _in_main_thread():  # signals find only the main one
        yield end_if_asked
        return
    with _handled_by(lambda: came.append(True)):
        yield end_if_asked
    end_if_asked()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _handled_by(act: Callable[[], None]) -> Iterator[None]:
    """SIGTERM calls ``act`` in this process; a forked worker, which inherits it, just ends."""
    owner = os.getpid()

    def handler(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # what is open is not its own
            os._exit(128 + signum)
        act()

    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextlib.contextmanager
def _sent_again_where_dropped() -> Iterator[None]:
    """Python drops what is raised inside a finalizer: SIGTERM comes again a moment later."""
    others, timers = sys.unraisablehook, list[threading.Timer]()

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, Terminated):
            others(dropped)
            return
        timers.append(threading.Timer(_SENT_AGAIN_S, os.kill, (os.getpid(), signal.SIGTERM)))
        timers[-1].start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = others
        for timer in timers:
            timer.cancel()
            timer.join()  # else it might send when nobody handles the signal any more
