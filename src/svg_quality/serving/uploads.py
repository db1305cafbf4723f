"""Pictures as they were sent, made safe to decode in this process.

What a picture promises is checked from its first bytes, before anything is decoded. An SVG is
drawn by a worker process, which has a time limit and a ceiling on its memory and is given no file
and no address: from then on it is a PNG like any other.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

import cv2

from svg_quality.conversion.images import check_header, load_image
from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import ImageError

_KEPT_DRAWINGS: Final = 64


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture as it was sent."""

    name: str
    data: bytes
    format: str | None = None  # as it was sent, where the data no longer tells


class Drawings:
    """Uploads as files that are safe to decode here: an SVG becomes a PNG.

    Args:
        pool: that draws.
        max_pixels: that a picture may promise.
    """

    def __init__(self, pool: WorkerPool, max_pixels: int) -> None:
        self._pool = pool
        self._max_pixels = max_pixels
        self._lock = Lock()
        self._kept: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()

    def checked(self, upload: Upload, working_size: int) -> Upload:
        """The same picture, its promises checked, and drawn where it is an SVG.

        Raises:
            ImageError: it is of no format taken here, too large, or cannot be drawn.
        """
        if _is_markup(upload.data):
            return Upload(upload.name, self._drawn(upload.data, working_size), "SVG")
        check_header(upload.data, self._max_pixels)
        return upload

    def _drawn(self, data: bytes, working_size: int) -> bytes:
        key = hashlib.sha256(data).digest(), working_size
        with self._lock:
            known = self._kept.get(key)
        if known is None:
            outcome = self._pool.run(draw, [(data, working_size)])[0]
            if outcome.result is None:
                raise ImageError(outcome.error or "an SVG must be drawable, this one is not")
            known = outcome.result
        with self._lock:
            self._kept[key] = known
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT_DRAWINGS:
                self._kept.popitem(last=False)
        return known


def draw(task: tuple[bytes, int]) -> bytes:
    """An SVG and the px of its longer side to a PNG, for `WorkerPool.run`.

    Raises:
        ImageError: it cannot be drawn, or refers to anything outside itself.
    """
    data, working_size = task
    rgb = load_image(data, working_size).rgb
    return cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()


def _is_markup(data: bytes) -> bool:
    return data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
