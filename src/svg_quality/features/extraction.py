"""Features of many pictures, each computed once, in batches, through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from svg_quality.conversion.images import load_image
from svg_quality.errors import ImageError
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.preprocessing import preprocess
from svg_quality.features.store import FeatureStore

_ROWS_A_FILE: Final = 256  # pictures that a killed extraction may lose


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extraction did."""

    n_computed: int
    n_reused: int
    failed: dict[str, str] = field(default_factory=dict)  # image_id -> reason

    @property
    def reached_share(self) -> float:
        """Of all pictures asked for, the share whose features are in the store."""
        n_reached = self.n_computed + self.n_reused
        return n_reached / max(n_reached + len(self.failed), 1)


def extract_features(
    paths: Mapping[str, Path],
    graph: OnnxGraph,
    fingerprint: str,
    store: FeatureStore,
    *,
    working_size: int,
    batch_size: int,
    on_images: Callable[[int], object] = lambda n_images: None,
) -> Extraction:
    """Compute what the store lacks; a picture that cannot be read is left out, with its reason.

    Args:
        paths: file by image_id.
        graph: the backbone.
        fingerprint: of the backbone; the store's kind.
        store: where the rows go, every few batches.
        working_size: px, to which larger pictures are reduced, as for their conversion.
        batch_size: pictures in one pass of the backbone.
        on_images: called with the number of pictures just dealt with.
    """
    missing = store.missing(fingerprint, list(paths))
    n_reused = len(paths) - len(missing)
    on_images(n_reused)
    failed: dict[str, str] = {}
    read = partial(_read, working_size=working_size)
    with ThreadPoolExecutor(max_workers=2) as readers:
        for start in range(0, len(missing), _ROWS_A_FILE):
            names: list[str] = []
            rows: list[np.ndarray] = []
            for batch in _batches(missing[start : start + _ROWS_A_FILE], batch_size):
                images = dict(zip(batch, readers.map(read, [paths[i] for i in batch]), strict=True))
                good = {i: x for i, x in images.items() if isinstance(x, np.ndarray)}
                failed |= {i: x for i, x in images.items() if isinstance(x, str)}
                if good:
                    rows.append(graph(images=np.stack(list(good.values())))["features"])
                    names += good
                on_images(len(batch))
            if rows:
                store.add(fingerprint, names, np.concatenate(rows))
    return Extraction(len(missing) - len(failed), n_reused, failed)


def _batches(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def _read(path: Path, working_size: int) -> np.ndarray | str:
    try:
        return preprocess(load_image(path, working_size).rgb)
    except ImageError as error:
        return str(error)
