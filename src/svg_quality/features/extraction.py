"""Features of many pictures, each computed once, in batches, through ONNX Runtime."""

from __future__ import annotations

import logging
import resource
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np

from svg_quality.conversion.images import load_image
from svg_quality.errors import ImageError, ModelError
from svg_quality.features.failures import Failure
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.preprocessing import Fit, preprocess
from svg_quality.features.store import FeatureStore

_ROWS_A_FILE: Final = 256  # pictures that a killed extraction may lose
_MAXRSS: Final = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extraction did."""

    n_computed: int
    n_reused: int
    failed: dict[str, Failure] = field(default_factory=dict)  # by image_id
    seconds: float = 0.0
    batch_size: int = 0  # in the end: smaller than asked for where memory ran out
    peak_memory_mib: float = 0.0  # resident, of the whole process since it began (getrusage)

    @property
    def reached_share(self) -> float:
        """Of all pictures asked for, the share whose features are in the store."""
        n_reached = self.n_computed + self.n_reused
        return n_reached / max(n_reached + len(self.failed), 1)

    @property
    def images_per_second(self) -> float:
        """Pictures read and computed; 0 where all were there already."""
        return self.n_computed / self.seconds if self.n_computed else 0.0


def extract_features(
    paths: Mapping[str, Path],
    graph: OnnxGraph,
    fingerprint: str,
    store: FeatureStore,
    *,
    working_size: int,
    batch_size: int,
    fit: Fit = "pad",
    on_images: Callable[[int], object] = lambda n_images: None,
) -> Extraction:
    """Compute what the store lacks; a picture that cannot be done is left out, with its reason.

    A batch that memory does not suffice for is halved, and so are those after it; a batch that
    fails otherwise is halved until the picture that it fails on is alone.

    Args:
        paths: file by image_id.
        graph: the backbone.
        fingerprint: of the backbone; the store's kind.
        store: where the rows go, every few batches.
        working_size: px, to which larger pictures are reduced, as for their conversion.
        batch_size: pictures in one pass of the backbone.
        fit: how a picture becomes a square.
        on_images: called with the number of pictures just dealt with, of those that were missing.
    """
    start = perf_counter()
    missing = store.missing(fingerprint, list(paths))
    n_reused = len(paths) - len(missing)
    reader, backbone = _Reader(paths, working_size, fit), _Backbone(graph, batch_size)
    failed: dict[str, Failure] = {}
    rows: dict[str, np.ndarray] = {}
    for images, unread in reader.batches(missing, batch_size):
        made, broken = backbone(images)
        rows |= made
        failed |= unread | broken
        if len(rows) >= _ROWS_A_FILE:
            store.add(fingerprint, list(rows), np.stack(list(rows.values())))
            rows = {}
        on_images(len(images) + len(unread))
    if rows:
        store.add(fingerprint, list(rows), np.stack(list(rows.values())))
    return Extraction(
        n_computed=len(missing) - len(failed),
        n_reused=n_reused,
        failed=failed,
        seconds=perf_counter() - start,
        batch_size=backbone.batch_size,
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS / 2**20,
    )


class _Reader:
    """Pictures from files to the backbone's input, in two threads, a batch ahead."""

    def __init__(self, paths: Mapping[str, Path], working_size: int, fit: Fit) -> None:
        self._paths, self._working_size, self._fit = paths, working_size, fit

    def batches(
        self, names: Sequence[str], size: int
    ) -> Iterator[tuple[dict[str, np.ndarray], dict[str, Failure]]]:
        """Of each batch, in order, the pictures that could be read and the others' failures."""
        ahead: deque[dict[str, Future[np.ndarray | Failure]]] = deque()
        with ThreadPoolExecutor(max_workers=2) as threads:
            for start in range(0, len(names), size):
                batch = names[start : start + size]
                ahead.append({name: threads.submit(self._read, name) for name in batch})
                if len(ahead) > 1:
                    yield self._sorted(ahead.popleft())
            while ahead:
                yield self._sorted(ahead.popleft())

    def _sorted(
        self, batch: dict[str, Future[np.ndarray | Failure]]
    ) -> tuple[dict[str, np.ndarray], dict[str, Failure]]:
        images: dict[str, np.ndarray] = {}
        failed: dict[str, Failure] = {}
        for name, future in batch.items():
            read = future.result()
            if isinstance(read, Failure) and read.category == "out_of_memory":
                read = self._read(name)  # once more: other pictures were being read beside it
            if isinstance(read, Failure):
                failed[name] = read
            else:
                images[name] = read
        return images, failed

    def _read(self, name: str) -> np.ndarray | Failure:
        try:
            return preprocess(load_image(self._paths[name], self._working_size).rgb, self._fit)
        except (ImageError, MemoryError) as error:
            return Failure.of(error)


class _Backbone:
    """The graph, in batches that memory suffices for."""

    def __init__(self, graph: OnnxGraph, batch_size: int) -> None:
        self._graph = graph
        self.batch_size = batch_size

    def __call__(
        self, images: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, Failure]]:
        """Features by name, float32 ``(2048,)`` each, and the failures of the others."""
        rows: dict[str, np.ndarray] = {}
        failed: dict[str, Failure] = {}
        waiting, size = list(images), self.batch_size
        while waiting:
            part = waiting[:size]
            try:
                said = self._graph(images=np.stack([images[i] for i in part]))["features"]
            except (MemoryError, ModelError) as error:
                if len(part) > 1:
                    size = len(part) // 2
                    self._halved(error, size)
                    continue
                failed[part[0]] = Failure.of(error)
            else:
                finite = np.isfinite(said).all(1)
                rows |= {i: row for i, row, good in zip(part, said, finite, strict=True) if good}
                lost = [i for i, good in zip(part, finite, strict=True) if not good]
                reason = "features must be finite, those of this picture are not"
                failed |= dict.fromkeys(lost, Failure("not_finite", reason))
            waiting = waiting[len(part) :]
        return rows, failed

    def _halved(self, error: MemoryError | ModelError, size: int) -> None:
        if isinstance(error, MemoryError):
            self.batch_size = size
            _log.warning("Memory ran out: batches of %d pictures from here on (%s).", size, error)
