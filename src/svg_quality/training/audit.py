"""Whether an epoch is whole: no row lost, doubled or put together from two."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from svg_quality.training.rows import IMAGES_AT_ONCE, Batch, Rows


@dataclass(frozen=True, slots=True)
class EpochAudit:
    """How the rows of an epoch compare with their source."""

    n_rows: int  # that came
    n_lost: int  # of the source, did not come (a training loader drops a rest of one row)
    n_doubled: int  # came more often than they are in the source
    n_mixed_up: int  # are no row of the source

    @property
    def is_whole(self) -> bool:
        """Every row came once, as it is."""
        return not (self.n_lost or self.n_doubled or self.n_mixed_up)


def audit_epoch(rows: Rows, batches: Iterable[Batch]) -> EpochAudit:
    """Go through batches and compare the content of each row, by SHA-256, with its source's."""
    source: Counter[bytes] = Counter()
    for start in range(0, len(rows), IMAGES_AT_ONCE):
        part = slice(start, start + IMAGES_AT_ONCE)
        features = np.asarray(rows.features[rows.image_index[part]], np.float32)
        source.update(_digests(features, rows.tabular[part], rows.ssim[part], rows.log_bytes[part]))
    came: Counter[bytes] = Counter()
    for batch in batches:
        came.update(_digests(*(column.numpy() for column in batch)))
    surplus = came - source
    return EpochAudit(
        n_rows=came.total(),
        n_lost=(source - came).total(),
        n_doubled=sum(n for digest, n in surplus.items() if digest in source),
        n_mixed_up=sum(n for digest, n in surplus.items() if digest not in source),
    )


def _digests(
    features: np.ndarray, tabular: np.ndarray, ssim: np.ndarray, log_bytes: np.ndarray
) -> Iterator[bytes]:
    targets = np.stack([ssim, log_bytes], 1).astype(np.float32)
    for parts in zip(features, tabular.astype(np.float32, copy=False), targets, strict=True):
        yield hashlib.sha256(b"".join(part.tobytes() for part in parts)).digest()
