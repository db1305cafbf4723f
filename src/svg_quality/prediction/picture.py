"""One image, checked, with everything a model knows of it before any parameters are named."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from svg_quality.conversion.images import (
    MAX_SOURCE_PIXELS,
    LogoImage,
    image_from_pixels,
    load_image,
)
from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ImageError
from svg_quality.prediction.bundle import Bundle, Scores
from svg_quality.prediction.reference import Similarity

ImageLike = Path | str | bytes | np.ndarray | Image.Image
_PNG_MODES: Final = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture under one model version; stays valid when a newer version is loaded."""

    name: str  # the path, or what kind of thing was given
    image: LogoImage
    descriptors: np.ndarray  # float32 (d,), from `describe`
    features: np.ndarray  # float32 (1, 2048), from the backbone
    similarity: Similarity
    bundle: Bundle
    model_name: str
    model_version: str

    @property
    def interval(self) -> float:
        """The coverage that the ends of `score` promise, in (0, 1)."""
        return self.bundle.intervals["ssim"].level

    def score(self, parameters: Sequence[Parameters]) -> Scores:
        """What conversions would give.

        Args:
            parameters: ``n`` sets; none give empty arrays.
        """
        return self.bundle.score(self.features, self.descriptors, parameters)


def read_image(image: ImageLike, working_size: int) -> tuple[str, LogoImage]:
    """Check and decode what a caller gave as an image; with what to call it.

    Args:
        image: path, bytes of a file, uint8 array ``(H, W[, 3 or 4])``, or PIL image.
        working_size: px of the longer side to which larger ones are reduced.

    Raises:
        ImageError: it cannot be read, is no image, is empty, or has too many pixels.
    """
    if isinstance(image, str | Path):
        return str(image), load_image(Path(image), working_size)
    if isinstance(image, bytes):
        return "bytes", load_image(image, working_size)
    if isinstance(image, np.ndarray):
        _check_size(image.shape[1::-1])
        return "array", image_from_pixels(image, working_size)
    if isinstance(image, Image.Image):
        _check_size(image.size)
        return "image", load_image(png_of(image), working_size)
    kind = type(image).__name__
    raise ImageError(f"an image must be a path, bytes, an array or a PIL image, got {kind}")


def _check_size(size: tuple[int, ...]) -> None:
    pixels = int(np.prod(size)) if len(size) == 2 else 1  # of another shape: refused on reading
    described = " x ".join(map(str, size))
    if pixels == 0:
        raise ImageError(f"an image must have pixels, got {described}", "too_small")
    if pixels > MAX_SOURCE_PIXELS:
        raise ImageError(
            f"an image must have at most {MAX_SOURCE_PIXELS} pixels, got {described}", "too_large"
        )


def png_of(image: Image.Image) -> bytes:
    """An image as a PNG file, in its own mode where PNG has it.

    Raises:
        ImageError: it does not decode whole, or is of floating-point numbers.
    """
    if image.mode == "F":
        raise ImageError("a floating-point image must state its range, and none of them does")
    buffer = io.BytesIO()
    try:
        (image if image.mode in _PNG_MODES else image.convert("RGBA")).save(buffer, "PNG")
    except (OSError, ValueError, SyntaxError) as error:  # decoded only now, and cut short
        raise ImageError(
            f"an image must decode whole, it does not: {error}", "unreadable"
        ) from error
    return buffer.getvalue()
