"""What a person watching a stage sees: plain lines on stdout, progress with time left on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
_FORMAT = (
    "{desc:<22} {percentage:3.0f}% |{bar:24}| {n_fmt}/{total_fmt} "
    "[{elapsed}, {remaining} left{postfix}]"
)


def say(line: str) -> None:
    """One line of result."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def progress(items: Iterable[Item], total: int, label: str, done: int = 0) -> Iterator[Item]:
    """Pass items through and show how many are done and how long the rest will take.

    Args:
        items: what is still to do.
        total: with what is done already.
        label: what is being done.
        done: already, before the first item: it counts for the share, not for the speed.
    """
    yield from tqdm(
        items, total=total, desc=label, initial=done, bar_format=_FORMAT, mininterval=_interval()
    )


@contextmanager
def progress_bar(total: int, label: str, done: int = 0) -> Iterator[tqdm[Any]]:
    """The same for work that reports by itself, through ``update(n)``."""
    with tqdm(
        total=total, desc=label, initial=done, bar_format=_FORMAT, mininterval=_interval()
    ) as bar:
        yield bar


def _interval() -> float:
    """Seconds between redraws: in a log file every redraw is a line's worth of noise."""
    return 0.2 if sys.stderr.isatty() else 15.0
