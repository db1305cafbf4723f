"""Rows of the store as one uncompressed file that the system maps into memory.

For data sets that many processes read at once, or that are read at random over and over: nothing
is decompressed again, and what is in memory is in the system's page cache, shared by all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from svg_quality.features.cache import CachedFeatures
from svg_quality.features.store import FeatureStore

_ROWS_AT_ONCE: Final = 1024  # in memory while the file is written


def map_features(store: FeatureStore, kind: str, image_ids: Sequence[str]) -> np.memmap:
    """Rows in the order asked for, float32 ``(n, d)``, read-only, from a file beside the store's.

    The file is written once for these names in this order and becomes visible by one rename. It
    holds nothing of its own: it may be deleted whenever nobody reads it.

    Raises:
        FeatureError: an image has no row of this kind.
    """
    rows = CachedFeatures(store, kind, image_ids, max_bytes=0)
    name = hashlib.sha256(" ".join(image_ids).encode()).hexdigest()[:24]
    path = store.root / kind / f"{name}.npy"
    found = _open(path, rows.shape)
    if found is None:
        _write(path, rows)
        found = np.load(path, mmap_mode="r")
    return found


def _open(path: Path, shape: tuple[int, int]) -> np.memmap | None:
    """The file, unless it is missing or not whole."""
    try:
        found: np.memmap = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None


def _write(path: Path, rows: CachedFeatures) -> None:
    """Written, not mapped: on a full disk a mapped page ends the process, a write says so."""
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}")
    header = {"descr": "<f4", "fortran_order": False, "shape": rows.shape}
    path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            file.write(rows[start : start + _ROWS_AT_ONCE].astype("<f4").tobytes())
    unfinished.replace(path)
