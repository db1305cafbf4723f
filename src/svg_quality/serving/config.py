"""What a server is told before it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from svg_quality.serving.answer_schemas import Limits
from svg_quality.serving.schemas import MAX_SETS

_WAITING_PER_SLOT: Final = 8
_HELD: Final = 8  # times the largest request, of all requests together


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """Limits and switches of a server."""

    api_key: str | None = None  # None: this machine's own programs and pages alone
    max_request_bytes: int = 20_000_000
    max_megapixels: float = 25.0
    max_batch: int = 64  # images
    max_concurrent: int = 0  # predictions, and as many conversions, at once; 0: one per core
    timeout_s: float = 30.0  # of a request, and of one conversion
    data: Path | None = None  # project's data folder to keep predictions and conversions in

    @property
    def n_slots(self) -> int:
        """Requests worked on at once."""
        return self.max_concurrent or os.cpu_count() or 1

    @property
    def max_waiting(self) -> int:
        """Requests that may wait for a slot."""
        return self.n_slots * _WAITING_PER_SLOT

    @property
    def max_held_bytes(self) -> int:
        """Bytes of all requests that are being read or worked on."""
        return self.max_request_bytes * _HELD

    @property
    def max_pixels(self) -> int:
        """Pixels that a picture may promise."""
        return round(self.max_megapixels * 1e6)

    @property
    def limits(self) -> Limits:
        """What callers are told of it."""
        return Limits(
            max_request_bytes=self.max_request_bytes,
            max_megapixels=self.max_megapixels,
            max_batch=self.max_batch,
            max_sets=MAX_SETS,
            timeout_s=self.timeout_s,
            max_concurrent=self.n_slots,
            max_waiting=self.max_waiting,
        )
