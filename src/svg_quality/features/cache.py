"""Rows of the store, read when they are asked for, the newest of them kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np

from svg_quality.features.store import FeatureStore, by_chunk


class CachedFeatures:
    """Rows of one kind as if they were one array, float32 ``(n, d)``, in bounded memory.

    What is kept are the store's chunks (up to 64 rows each), the least recently used going
    first. Threads may share it; a process that gets a copy starts with nothing in memory.

    Args:
        store: where the rows are.
        kind: of them.
        image_ids: of the ``n`` rows, in this order.
        max_bytes: of the chunks in memory. One chunk more is held while it is being read.

    Attributes:
        n_hits: rows asked for so far whose chunk was in memory.
        n_misses: rows asked for so far whose chunk was read from a file.

    Raises:
        FeatureError: an image has no row of this kind.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> store = FeatureStore(Path(tempfile.mkdtemp()))
        >>> store.add("backbone-1", ["a", "b"], np.eye(2, dtype=np.float32))
        >>> features = CachedFeatures(store, "backbone-1", ["b", "a"], max_bytes=2**20)
        >>> features[np.array([0, 0, 1])]
        array([[0., 1.],
               [0., 1.],
               [1., 0.]], dtype=float32)
        >>> features.shape, features.n_hits, features.n_misses
        ((2, 2), 0, 3)
    """

    def __init__(
        self, store: FeatureStore, kind: str, image_ids: Sequence[str], max_bytes: int
    ) -> None:
        self._arguments = store, kind, image_ids, max_bytes
        self._places = store.locate(kind, image_ids)
        self._numbers = np.arange(len(image_ids))
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._max_bytes = max_bytes
        self._lock = Lock()
        self.n_bytes = 0  # in memory now
        self.n_hits = 0
        self.n_misses = 0

    def __reduce__(self) -> tuple[Callable[..., CachedFeatures], tuple[object, ...]]:
        """Copies for other processes: without the lock and without what is in memory."""
        return CachedFeatures, self._arguments

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and numbers in a row."""
        return len(self), self._places.width

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """Rows by their place, as NumPy would give them: float32 ``(*index.shape, d)``.

        Each file is opened once at most, and of it only the chunks are read that are needed.

        Raises:
            IndexError: a place is beyond the last row.
            FeatureError: a file is damaged or gone.
        """
        asked = self._numbers[index]
        rows = np.ravel(asked)
        made = np.empty((len(rows), self._places.width), np.float32)
        offset = self._places.offset[rows]
        wanted = dict(by_chunk(self._places.chunk[rows]))
        with self._lock:
            for number in [number for number in wanted if number in self._kept]:
                self._kept.move_to_end(number)
                at = wanted.pop(number)
                made[at] = self._kept[number][offset[at]]
                self.n_hits += len(at)
            for number, values in self._places.chunks(wanted):
                made[wanted[number]] = values[offset[wanted[number]]]
                self.n_misses += len(wanted[number])
                self._keep(number, values)
        return made.reshape(*np.shape(asked), self._places.width)

    def _keep(self, number: int, values: np.ndarray) -> None:
        self._kept[number] = values
        self.n_bytes += values.nbytes
        while self.n_bytes > self._max_bytes:
            self.n_bytes -= self._kept.popitem(last=False)[1].nbytes
