"""Arrays by picture, in HDF5: the only module that imports h5py.

A store is a folder. Under it each *kind* of array (the features of one backbone, by its
fingerprint; the descriptors of one definition) has a folder of its own, so that kinds never mix.
Each batch of rows is a new compressed, chunked HDF5 file, made visible by one rename: a process
killed half-way loses its batch, never the store.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from svg_quality.errors import FeatureError

CHUNK_ROWS: Final = 64
_CHUNKS_A_FILE: Final = 2**24  # more than any file has: they number chunks over all files


class FeatureStore:
    """Rows of float32 numbers, each written once.

    Args:
        root: the folder; made on first use.

    Example:
        >>> import tempfile
        >>> store = FeatureStore(Path(tempfile.mkdtemp()))
        >>> store.add("backbone-1", ["a", "b"], np.eye(2, dtype=np.float32))
        >>> store.missing("backbone-1", ["b", "c"])
        ['c']
        >>> store.read("backbone-1", ["b", "a"])
        array([[0., 1.],
               [1., 0.]], dtype=float32)
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def missing(self, kind: str, image_ids: Sequence[str]) -> list[str]:
        """Those of ``image_ids`` that have no row yet, each once, in order."""
        known = {name for file in self._files(kind) for name in _names(file)}
        return [name for name in dict.fromkeys(image_ids) if name not in known]

    def add(self, kind: str, image_ids: Sequence[str], values: np.ndarray) -> None:
        """Write rows.

        Args:
            kind: the fingerprint of what the numbers are.
            image_ids: one for each row.
            values: float32 ``(n, d)``.

        Raises:
            FeatureError: the counts differ, or a value is not finite.
        """
        if values.ndim != 2 or len(values) != len(image_ids):
            raise FeatureError(f"rows must match ids, got {values.shape} and {len(image_ids)} ids")
        if not np.isfinite(values).all():
            raise FeatureError(f"features must be finite, some of {image_ids[0]}... are not")
        if not image_ids:
            return
        folder = self.root / kind
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256("".join(image_ids).encode()).hexdigest()[:24]
        unfinished = folder / f".{name}.{os.getpid()}"
        with h5py.File(unfinished, "w") as file:
            file.create_dataset("image_id", data=np.array(image_ids, dtype="S64"))
            file.create_dataset(
                "values",
                data=values.astype(np.float32),
                chunks=(min(CHUNK_ROWS, len(values)), values.shape[1]),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
        unfinished.replace(folder / f"{name}.h5")

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Rows in the order asked for, float32 ``(n, d)``; a name may be asked for twice.

        Raises:
            FeatureError: a name has no row of this kind, or a file is damaged.
        """
        places = self.locate(kind, image_ids)
        made = np.empty((len(image_ids), places.width), np.float32)
        wanted = dict(by_chunk(places.chunk))
        for number, values in places.chunks(wanted):
            made[wanted[number]] = values[places.offset[wanted[number]]]
        return made

    def locate(self, kind: str, image_ids: Sequence[str]) -> Places:
        """Where the rows of these names lie, for reading some of them at a time.

        Raises:
            FeatureError: a name has no row of this kind, or a file is damaged.
        """
        wanted: dict[str, list[int]] = {}
        for place, name in enumerate(image_ids):
            wanted.setdefault(name, []).append(place)
        chunk, offset = (np.full(len(image_ids), -1, np.int64) for _ in range(2))
        paths, width = self._files(kind), 0
        for number, path in enumerate(paths):
            with _opened(path) as file:
                width = file["values"].shape[1]
                names = file["image_id"][:]
            for row, name in enumerate(names):
                at = wanted.get(name.decode())
                if at:
                    chunk[at] = number * _CHUNKS_A_FILE + row // CHUNK_ROWS
                    offset[at] = row % CHUNK_ROWS
        lost = np.flatnonzero(chunk < 0)
        if len(lost):
            raise FeatureError(
                f"features must be extracted before they are read, {len(lost)} rows of "
                f"{kind[:12]} are not; first: image {image_ids[lost[0]][:12]}"
            )
        return Places(tuple(paths), chunk, offset, width)

    def _files(self, kind: str) -> list[Path]:
        return sorted((self.root / kind).glob("*.h5"))


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where ``n`` rows lie. Rows are compressed by the chunk, so a chunk is the least to read."""

    paths: tuple[Path, ...]
    chunk: np.ndarray  # int64 (n,), a number that is unique over all files
    offset: np.ndarray  # int64 (n,), of the row within its chunk
    width: int  # numbers in a row

    def chunks(self, numbers: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Each chunk with its number, float32 ``(at most 64, width)``; a file is opened once.

        Raises:
            FeatureError: a file is damaged or gone.
        """
        by_file: dict[int, list[int]] = {}
        for number in numbers:
            by_file.setdefault(number // _CHUNKS_A_FILE, []).append(number)
        for place, mine in by_file.items():
            with _opened(self.paths[place]) as file:
                for number in mine:
                    first = number % _CHUNKS_A_FILE * CHUNK_ROWS
                    yield number, file["values"][first : first + CHUNK_ROWS]


def by_chunk(chunk: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each number that occurs, and the places, int64 ``(k,)``, where it does."""
    order = np.argsort(chunk, kind="stable")
    numbers, starts = np.unique(chunk[order], return_index=True)
    return zip(numbers.tolist(), np.split(order, starts[1:]), strict=False)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with h5py.File(path) as file:
            yield file
    except (OSError, KeyError) as error:
        raise FeatureError(
            f"a file of features must be whole, {path} is not: delete it and extract again"
        ) from error


def _names(path: Path) -> Iterator[str]:
    with _opened(path) as file:
        names = file["image_id"][:]
    yield from (name.decode() for name in names)
