"""A logo to be traced: its file, its pixels at the working size, and its descriptors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from svg_quality.conversion.images import WORKING_SIZE, LogoImage, check_colours, load_image
from svg_quality.errors import ImageError
from svg_quality.features.descriptors import describe
from svg_quality.prediction.picture import ImageLike, png_of, read_image


@dataclass(slots=True, eq=False)
class Logo:
    """One logo; made by `Logo.read`."""

    name: str  # the path as given, or what kind of thing was given
    data: bytes  # the file
    image: LogoImage  # at most the working size
    working_size: int  # px of the longer side
    _descriptors: np.ndarray | None = field(default=None, repr=False)

    @classmethod
    def read(cls, source: ImageLike, working_size: int = WORKING_SIZE, name: str = "") -> Logo:
        """Read a logo.

        Args:
            source: path, bytes of a file, uint8 array ``(H, W[, 3 or 4])``, or PIL image.
            working_size: px of the longer side to which larger pictures are reduced.
            name: what to call it; the path, or what kind of thing it is.

        Raises:
            ImageError: it is no image that can be read, or shows one colour only.
        """
        called, data = _file_of(source)
        known = "" if isinstance(source, bytes) else called  # of bytes a refusal says how many
        image = load_image(data, working_size, name or known)
        check_colours(image, name or called)
        return cls(name or called, data, image, working_size)

    @property
    def descriptors(self) -> np.ndarray:
        """What `describe` says of it, computed once.

        Raises:
            ConversionError: VTracer panicked on a reduced copy of it.
        """
        if self._descriptors is None:
            self._descriptors = describe(self.image.rgb, self.image.transparent_share)
        return self._descriptors

    def described(self, descriptors: np.ndarray) -> Logo:
        """The same logo with descriptors that are already known."""
        return replace(self, _descriptors=descriptors)


def _file_of(source: ImageLike) -> tuple[str, bytes]:
    if isinstance(source, str | Path):
        try:
            return str(source), Path(source).read_bytes()
        except OSError as error:
            raise ImageError(
                f"an image must be readable, got {source}: {error.strerror}", "unreadable"
            ) from error
    if isinstance(source, bytes):
        return "bytes", source
    called, _ = read_image(source, WORKING_SIZE)  # refuses what is no picture
    if isinstance(source, np.ndarray):
        flat = source[..., 0] if source.ndim == 3 and source.shape[2] == 1 else source
        return called, png_of(Image.fromarray(flat))
    return called, png_of(source)
