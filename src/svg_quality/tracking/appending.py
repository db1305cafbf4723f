"""Appending to a log that several processes write: one at a time, and whole lines only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from filelock import FileLock, Timeout

from svg_quality.errors import StorageError

PATIENCE_S: Final = 60.0  # an append takes milliseconds
_BLOCK: Final = 1 << 16


@contextlib.contextmanager
def appending(path: Path, patience_s: float = PATIENCE_S) -> Iterator[BinaryIO]:
    """Hold a log; what a killed process left of a line is cut off first.

    Args:
        path: of the file; it and its folder are made on first use.
        patience_s: seconds to wait for others that append.

    Raises:
        StorageError: the disk refuses, or another process holds the log for too long.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=patience_s, is_singleton=False)
        with lock, path.open("ab+") as log:
            _drop_unfinished_line(log)
            yield log
    except Timeout:
        raise StorageError(
            f"a log must be free within {patience_s:g} s, another process holds {path}"
        ) from None
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"a log must be writable, {path} is not: {error}") from error


def _drop_unfinished_line(log: BinaryIO) -> None:
    """Cut the file after its last line feed."""
    end = log.seek(0, os.SEEK_END)
    whole = end
    while whole > 0:
        start = max(whole - _BLOCK, 0)
        log.seek(start)
        found = log.read(whole - start).rfind(b"\n")
        if found >= 0:
            whole = start + found + 1
            break
        whole = start
    if whole < end:
        log.truncate(whole)
