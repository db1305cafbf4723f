"""Pictures to be passed on: the pixels, and nothing else of the file they came in.

A picture is written anew from its decoded pixels, as a PNG without EXIF, XMP, colour profile,
text or comment, and with nothing under its transparent pixels. It is then loaded again: it must
have the very id of the picture it stands for.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from svg_quality.conversion.images import MAX_SOURCE_PIXELS, load_image
from svg_quality.errors import ImageError

_WHITE: Final = 255


@dataclass(frozen=True, slots=True)
class PictureTask:
    """A picture to be passed on."""

    source: Path
    image_id: str
    working_size: int  # px; the size of an SVG's drawing
    target: Path


def export_picture(task: PictureTask) -> int:
    """Write a picture without its metadata; gives the bytes written.

    Raises:
        ImageError: it cannot be read, or is not the picture that its id names.
    """
    try:
        data = task.source.read_bytes()
    except OSError as error:
        reason = error.strerror
        raise ImageError(f"an image must be readable, got {task.source}: {reason}") from error
    content = bare_png(data, task.working_size, drawn=task.source.suffix == ".svg")
    found = load_image(content, task.working_size).image_id
    if found != task.image_id:
        raise ImageError(
            f"a picture must keep its id, {task.source} is {found[:12]} and not"
            f" {task.image_id[:12]}"
        )
    task.target.parent.mkdir(parents=True, exist_ok=True)
    task.target.write_bytes(content)
    return len(content)


def bare_png(data: bytes, working_size: int, *, drawn: bool) -> bytes:
    """The pixels of a picture as a PNG of the chunks IHDR, IDAT and IEND alone.

    Args:
        data: of an image file.
        working_size: px of the longer side of an SVG's drawing.
        drawn: whether it is an SVG; other pictures keep their size.

    Raises:
        ImageError: it cannot be read.
    """
    # No side is longer than the number of pixels, so nothing is reduced.
    image = load_image(data, working_size if drawn else MAX_SOURCE_PIXELS)
    pixels = image.rgb if image.transparent_share == 0 else _with_alpha(data)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _with_alpha(data: bytes) -> np.ndarray:
    """Uint8 ``(H, W, 4)``, upright; what cannot be seen is white."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `load_image` has judged the file already
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.array(ImageOps.exif_transpose(image).convert("RGBA"))
    pixels[pixels[..., 3] == 0, :3] = _WHITE
    return pixels
