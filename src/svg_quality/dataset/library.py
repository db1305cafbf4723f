"""The logo library: every picture a conversion was made of, kept under its own digest.

Conversions name a picture by its place in the library, so a dataset needs neither the folder it
came from nor a path with somebody's name in it.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from svg_quality.conversion.images import LogoImage

JPEG_QUALITY: Final = 60


class LogoLibrary:
    """A folder of image files, each named by the SHA-256 of its pixels.

    Args:
        root: the folder; made on first use.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, image_path: str) -> Path:
        """The file that a table's ``image_path`` names."""
        return self.root / image_path

    def add(self, data: bytes, image: LogoImage) -> str:
        """Keep a file; gives its ``image_path``, the same for the same picture."""
        suffix = "jpg" if image.format == "JPEG" else image.format.lower()
        image_path = f"{image.image_id[:2]}/{image.image_id}.{suffix}"
        self.keep(image_path, data)
        return image_path

    def keep(self, image_path: str, data: bytes) -> None:
        """Write a file under its ``image_path``, whole or not at all, where it is not there yet."""
        path = self.path(image_path)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")  # a backup leaves such names out
            unfinished.write_bytes(data)
            unfinished.replace(path)


def jpeg_copy(rgb: np.ndarray) -> bytes:
    """The picture as a JPEG file of quality 60: how logos often arrive.

    Args:
        rgb: uint8 ``(H, W, 3)``.
    """
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
