"""Any image file to RGB on white: the only module that opens image files.

Flattening comes first, for VTracer draws half-transparent pixels opaque and turns small holes
black. Then a picture larger than the working size is reduced with an area filter.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from PIL import Image, ImageOps, UnidentifiedImageError

from svg_quality.conversion.rendering import render
from svg_quality.conversion.similarity import WINDOW
from svg_quality.errors import ConversionError, ImageError

SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg"}
)
# Pillow's, besides SVG: some of its rarer ones run programs.
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_SOURCE_PIXELS: Final = 100_000_000  # a header that promises more is refused before decoding
WORKING_SIZE: Final = 512  # px of the longer side
_MAX_RATIO: Final = 40
_NUMBER: Final = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*(?:px)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class LogoImage:
    """A decoded logo, ready to be traced."""

    rgb: np.ndarray  # uint8 (H, W, 3) on white, the longer side at most the working size
    transparent_share: float  # of the source's pixels, alpha-weighted, in [0, 1]
    image_id: str  # SHA-256 of the decoded, flattened pixels before any reduction
    format: str  # "PNG", "JPEG", "SVG", ...
    source_width: int  # px, before reduction
    source_height: int

    @property
    def reduced(self) -> bool:
        """Whether the picture was made smaller."""
        return self.rgb.shape[:2] != (self.source_height, self.source_width)


def load_image(source: Path | bytes, working_size: int = WORKING_SIZE, name: str = "") -> LogoImage:
    """Decode a logo, turn it upright, flatten it on white and reduce it.

    Args:
        source: a path, or the bytes of a file. Animations give their first frame; SVG is drawn
            with its longer side at the working size.
        working_size: px.
        name: what refusals call it; the path, or how many bytes it has.

    Raises:
        ImageError: it cannot be read, is no image, or promises too many pixels.
    """
    name = name or (str(source) if isinstance(source, Path) else f"<{len(source)} bytes>")
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise ImageError(
            f"an image must be readable, got {name}: {error.strerror}", "unreadable"
        ) from error
    if _looks_like_svg(data):
        flat, alpha, kind = _draw_svg(data, working_size, name), None, "SVG"
    else:
        flat, alpha, kind = _decode(data, name)
    return _logo_image(flat, alpha, kind, working_size)


def check_colours(image: LogoImage, name: str) -> None:
    """Refuse what shows a single colour: any tracing of that has SSIM 1.

    Raises:
        ImageError: it does.
    """
    if (image.rgb == image.rgb[0, 0]).all():
        raise ImageError(f"a logo must show more than one colour on white, {name} shows one")


def check_header(data: bytes, max_pixels: int) -> None:
    """Refuse a raster image by what its first bytes promise; nothing is decoded.

    Args:
        data: bytes of a file, other than SVG.
        max_pixels: that it may promise.

    Raises:
        ImageError: it is of no format read here, or promises more.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                got = f"{image.width} x {image.height}"
                fits = image.width * image.height <= max_pixels
    except Image.DecompressionBombError:
        got, fits = "far more", False
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
        raise ImageError(
            f"an image must be PNG, JPEG, WebP, GIF, BMP, TIFF or SVG, these {len(data)} bytes are"
            " none",
            "unreadable",
        ) from None
    if not fits:
        raise ImageError(f"an image must have at most {max_pixels} pixels, got {got}", "too_large")


def image_from_pixels(pixels: np.ndarray, working_size: int = WORKING_SIZE) -> LogoImage:
    """The same for an array: uint8 ``(H, W)``, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA.

    Raises:
        ImageError: the array is of another type or shape.
    """
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels not in (1, 3, 4):
        got = f"{pixels.dtype} {pixels.shape}"
        raise ImageError(f"an image array must be uint8 (H, W[, 3 or 4]), got {got}")
    squeezed = pixels[..., 0] if pixels.ndim == 3 and channels == 1 else pixels
    flat, alpha = _flatten(Image.fromarray(squeezed))
    return _logo_image(flat, alpha, "ARRAY", working_size)


def _logo_image(
    flat: np.ndarray, alpha: np.ndarray | None, kind: str, working_size: int
) -> LogoImage:
    height, width = flat.shape[:2]
    rgb = _reduce(flat, working_size)
    if min(rgb.shape[:2]) < WINDOW:
        size = f"{rgb.shape[1]} x {rgb.shape[0]}"
        raise ImageError(
            f"sides must be at least {WINDOW} px at the working size, got {size}", "too_small"
        )
    digest = hashlib.sha256(f"{width}x{height}".encode() + flat.tobytes())
    if alpha is not None and alpha.min() < 255:  # alpha is described, so it is part of the picture
        digest.update(alpha.tobytes())
    return LogoImage(
        rgb=rgb,
        transparent_share=0.0 if alpha is None else float(1 - alpha.mean() / 255),
        image_id=digest.hexdigest(),
        format=kind,
        source_width=width,
        source_height=height,
    )


def _decode(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray | None, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of sizes and of odd EXIF; we decide
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > MAX_SOURCE_PIXELS:
                    size = f"{image.width} x {image.height}"
                    raise ImageError(
                        f"an image must have at most {MAX_SOURCE_PIXELS} pixels, {name} has {size}",
                        "too_large",
                    )
                kind = image.format or "UNKNOWN"
                upright = ImageOps.exif_transpose(image)
                flat, alpha = _flatten(upright)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"an image must be PNG, JPEG, WebP, GIF, BMP, TIFF or SVG, {name} is none", "unreadable"
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ImageError(
            f"an image must decode whole, {name} does not: {error}", "unreadable"
        ) from error
    return flat, alpha, kind


def _flatten(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """RGB on white, and the alpha channel (uint8) where there is one."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        image = Image.fromarray((np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8))
    elif image.mode == "F":
        raise ImageError("a floating-point image must state its range, and none of them does")
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), None
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    white.alpha_composite(rgba)
    return np.asarray(white.convert("RGB")), np.asarray(rgba)[..., 3]


def _reduce(rgb: np.ndarray, working_size: int) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = working_size / max(height, width)
    if scale >= 1:
        return rgb
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _looks_like_svg(data: bytes) -> bool:
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith(b"<") and b"<svg" in data[:65536].lower()


def _draw_svg(data: bytes, working_size: int, name: str) -> np.ndarray:
    try:
        root = fromstring(data)
    except DefusedXmlException:
        raise ImageError(f"an SVG must be without entities, {name} declares some") from None
    except ParseError as error:
        raise ImageError(f"an SVG must be plain XML, {name} is not: {error}") from error
    for element in root.iter():
        if _local(str(element.tag)) == "text":  # fonts differ from machine to machine
            raise ImageError(f"an SVG must have its text as paths, {name} has a text element")
        for key, value in element.attrib.items():
            outside = not value.strip().startswith(("#", "data:"))
            if outside and _local(key) == "href" and _local(str(element.tag)) != "a":
                raise ImageError(f"an SVG must not refer to other files, {name} does: {value}")
    ratio = _aspect_ratio(root.attrib)
    if not 1 / _MAX_RATIO <= ratio <= _MAX_RATIO:
        raise ImageError(f"an SVG's sides must be within {_MAX_RATIO}:1, {name} is {ratio:.4g}:1")
    try:
        text = data.decode("utf-8-sig")
        return render(text, working_size, None) if ratio >= 1 else render(text, None, working_size)
    except (UnicodeDecodeError, ConversionError) as error:
        raise ImageError(f"an SVG must be drawable, {name} is not: {error}") from error


def _aspect_ratio(attributes: Mapping[str, str]) -> float:
    """Width over height as the root states them; 1 where it states neither in plain numbers.

    Known before drawing, since an SVG may ask for more pixels than there is memory.
    """
    sides = [_NUMBER.fullmatch(attributes.get(name, "")) for name in ("width", "height")]
    if all(sides):
        width, height = (float(side[1]) for side in sides if side)
    else:
        box = attributes.get("viewBox", "").replace(",", " ").split()
        plain = len(box) == 4 and all(_NUMBER.fullmatch(number) for number in box[2:])
        width, height = (float(number) for number in box[2:]) if plain else (1.0, 1.0)
    return width / height if width > 0 and height > 0 else 1.0


def _local(name: str) -> str:
    """An XML name without its namespace."""
    return name.rsplit("}")[-1]
