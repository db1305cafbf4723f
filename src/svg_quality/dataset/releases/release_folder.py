"""Making a folder that is there whole or not at all.

It is made under a hidden name beside its place and shown by one rename. One process at a time
makes folders in a place: it holds a lock that the system lets go of when the process dies, so
hidden folders found under the lock were left by killed ones and are removed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from svg_quality.errors import DatasetError

UNFINISHED: Final = ".unfinished-"
LOCK: Final = ".lock"
_PATIENCE_S: Final = 1800.0


@contextmanager
def unfinished_folder(place: Path, patience_s: float = _PATIENCE_S) -> Iterator[Path]:
    """A new hidden folder in ``place``, gone afterwards unless it was renamed to be shown.

    Args:
        place: folder of what will be shown; made where it does not exist.
        patience_s: to wait for another process that makes something there, s.

    Raises:
        DatasetError: that process took longer.
    """
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / LOCK, timeout=patience_s):
            for left in place.glob(f"{UNFINISHED}*"):
                shutil.rmtree(left)
            folder = place / f"{UNFINISHED}{os.getpid()}"
            folder.mkdir()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        raise DatasetError(
            f"one process at a time must make releases in {place}, another did for {patience_s:g} s"
        ) from None
