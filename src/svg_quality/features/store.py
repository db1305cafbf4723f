"""Arrays by picture, in HDF5: the only module that imports h5py.

A store is a folder. Under it each *kind* of array (the features of one backbone, by its
fingerprint; the descriptors of one definition) has a folder of its own, so that kinds never mix.
Each batch of rows is a new compressed, chunked HDF5 file, made visible by one rename: a process
killed half-way loses its batch, never the store.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from svg_quality.errors import FeatureError

_CHUNK_ROWS: Final = 64


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
                chunks=(min(_CHUNK_ROWS, len(values)), values.shape[1]),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
        unfinished.replace(folder / f"{name}.h5")

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Rows in the order asked for, float32 ``(n, d)``; a name may be asked for twice.

        Raises:
            FeatureError: a name has no row of this kind.
        """
        wanted: dict[str, list[int]] = {}
        for place, name in enumerate(image_ids):
            wanted.setdefault(name, []).append(place)
        rows: dict[int, np.ndarray] = {}
        for path in self._files(kind):
            hits = [(row, name) for row, name in enumerate(_names(path)) if name in wanted]
            if not hits:
                continue
            with h5py.File(path) as file:
                values = file["values"][:]
            for row, name in hits:
                rows.update(dict.fromkeys(wanted[name], values[row]))
        if len(rows) < len(image_ids):
            first = next(name for place, name in enumerate(image_ids) if place not in rows)
            n_lost = len(image_ids) - len(rows)
            raise FeatureError(
                f"features must be extracted before they are read, {n_lost} rows of "
                f"{kind[:12]} are not; first: image {first[:12]}"
            )
        return np.stack([rows[place] for place in range(len(image_ids))])

    def _files(self, kind: str) -> list[Path]:
        return sorted((self.root / kind).glob("*.h5"))


def _names(path: Path) -> Iterator[str]:
    with h5py.File(path) as file:
        yield from (name.decode() for name in file["image_id"][:])
