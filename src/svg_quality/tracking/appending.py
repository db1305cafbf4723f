"""Appending to a log that several processes write: one at a time, and whole lines only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from filelock import FileLock, Timeout

from svg_quality.dataset.whole_lines import drop_unfinished_line
from svg_quality.errors import StorageError

PATIENCE_S: Final = 60.0  # an append takes milliseconds


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
            drop_unfinished_line(log)
            yield log
    except Timeout:
        raise StorageError(
            f"a log must be free within {patience_s:g} s, another process holds {path}"
        ) from None
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"a log must be writable, {path} is not: {error}") from error
