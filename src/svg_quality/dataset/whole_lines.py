"""Logs of whole lines: what a killed process left of a last one is cut off, never read."""

from __future__ import annotations

import os
from typing import BinaryIO, Final

_BLOCK: Final = 1 << 16  # bytes read at once


def drop_unfinished_line(log: BinaryIO) -> int:
    """Cut a file after its last line feed; gives the bytes that remain.

    It is read from its end, so a long log costs no memory.

    Args:
        log: open for reading and writing.
    """
    end = whole = log.seek(0, os.SEEK_END)
    while whole > 0:
        start = max(whole - _BLOCK, 0)
        log.seek(start)
        found = log.read(whole - start).rfind(b"\n")
        whole = start + found + 1  # without a line feed: the start
        if found >= 0:
            break
    if whole < end:
        log.truncate(whole)
    return whole
