"""Raster files read byte by byte, without decoding a pixel: their size and their metadata blocks.

Written apart from the decoder on purpose: what it would refuse is found here too, and a file is
judged before anything opens it. Every loop moves forward and every inflation has a ceiling.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_TEXT: Final = 2**20  # bytes that one compressed text may expand to; Pillow's own ceiling
_MAX_PAGES: Final = 1000  # of a TIFF that are looked at, and tags of each
_MAX_TAGS: Final = 512
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SOF: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MAGIC: Final = {
    _PNG: "PNG", b"\xff\xd8\xff": "JPEG", b"GIF87a": "GIF", b"GIF89a": "GIF", b"BM": "BMP",
    b"II*\0": "TIFF", b"MM\0*": "TIFF", b"\x1f\x8b": "GZIP",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a file that holds metadata."""

    kind: str  # "text", "exif", "xmp", "iptc", "comment", "profile"
    name: str  # of a text; "" for the others
    data: bytes  # expanded
    too_large: bool = False  # it expands to more than ``MAX_TEXT``: ``data`` is its beginning


def kind_of(data: bytes) -> str | None:
    """PNG, JPEG, GIF, BMP, TIFF, WEBP, GZIP or XML, by the first bytes; None for anything else."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    head = data[:4096].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return "XML" if head.startswith(b"<") else None


def promised_pixels(data: bytes) -> int | None:
    """Width times height as a raster file's header states them; None where it states none.

    Of a TIFF all pages count, of an animated PNG all frames: each is decoded by somebody.
    """
    try:
        return _SIZES[kind_of(data) or ""](data)
    except (KeyError, struct.error, IndexError):
        return None


def metadata_blocks(data: bytes) -> list[Block]:
    """Every metadata block of a raster file, in its order."""
    reader = {"PNG": _png_blocks, "JPEG": _jpeg_blocks, "WEBP": _webp_blocks,
              "TIFF": _tiff_blocks, "GIF": _gif_blocks}.get(kind_of(data) or "")  # fmt: skip
    return list(reader(data)) if reader else []


def inflate(data: bytes, limit: int, wbits: int = zlib.MAX_WBITS) -> tuple[bytes, bool]:
    """At most ``limit`` bytes of a compressed stream, and whether there are more."""
    stream = zlib.decompressobj(wbits)
    try:
        out = stream.decompress(data, limit + 1)
    except zlib.error:
        return b"", False
    return out[:limit], len(out) > limit


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_PNG)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += 12 + length


def _png_size(data: bytes) -> int:
    pixels, frames = 0, 1
    for kind, body in _png_chunks(data):
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", body)
            pixels = width * height
        elif kind == b"acTL":
            frames = max(struct.unpack_from(">I", body)[0], 1)
        elif kind == b"IDAT":
            break
    return int(pixels * frames)


def _png_blocks(data: bytes) -> Iterator[Block]:
    for kind, body in _png_chunks(data):
        name, _, rest = body.partition(b"\0")
        label = name.decode("latin-1")
        if kind == b"tEXt":
            yield from _text(label, rest, False)
        elif kind == b"zTXt":
            yield from _text(label, *inflate(rest[1:], MAX_TEXT))
        elif kind == b"iTXt" and len(rest) >= 2:
            text = rest[2:].split(b"\0", 2)[-1]
            yield from _text(label, *(inflate(text, MAX_TEXT) if rest[0] else (text, False)))
        elif kind == b"iCCP":
            out, more = inflate(rest[1:], 4 * MAX_TEXT)  # a printer's profile may have 2 MiB
            yield Block("profile", "", out[:0], more)
        elif kind == b"eXIf":
            yield Block("exif", "", body)


def _text(name: str, data: bytes, more: bool) -> Iterator[Block]:
    """A PNG text, or what ImageMagick hides in one: a profile as a hexadecimal dump."""
    profile = name.removeprefix("Raw profile type ").lower()
    if name == "XML:com.adobe.xmp":
        yield Block("xmp", "", data, more)
    elif profile != name.lower() and profile not in ("icc", "icm"):
        try:
            raw = bytes.fromhex(b"".join(data.split()[2:]).decode("ascii"))
        except ValueError:  # cut short, or no dump at all
            raw = data
        kind = "exif" if raw.startswith(b"Exif\0\0") else "xmp" if b"<" in raw[:200] else "iptc"
        yield Block(kind, "", raw, more)
    else:
        yield Block("text", name, data, more)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:  # entropy-coded data: on to the next marker
            place = data.find(b"\xff", place)
            if place < 0:
                return
            continue
        marker = data[place + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            place += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            return
        (length,) = struct.unpack_from(">H", data, place + 2)
        yield marker, data[place + 4 : place + 2 + length]
        place += 2 + max(length, 2)


def _jpeg_size(data: bytes) -> int | None:
    for marker, body in _jpeg_segments(data):
        if marker in _SOF:
            height, width = struct.unpack_from(">HH", body, 1)
            return int(width * height)
    return None


def _jpeg_blocks(data: bytes) -> Iterator[Block]:
    for marker, body in _jpeg_segments(data):
        if marker == 0xE1 and body.startswith(b"Exif\0"):
            yield Block("exif", "", body)
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            yield Block("xmp", "", body.split(b"\0", 1)[1])
        elif marker == 0xED:
            yield Block("iptc", "", body)
        elif marker == 0xFE:
            yield Block("comment", "", body)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _webp_size(data: bytes) -> int | None:
    for kind, body in _webp_chunks(data):
        if kind == b"VP8X":
            sides = [int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7)]
        elif kind == b"VP8L":
            (bits,) = struct.unpack_from("<I", body, 1)
            sides = [(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1]
        elif kind == b"VP8 ":
            sides = [side & 0x3FFF for side in struct.unpack_from("<HH", body, 6)]
        else:
            continue
        return sides[0] * sides[1]
    return None


def _webp_blocks(data: bytes) -> Iterator[Block]:
    kinds = {b"EXIF": "exif", b"XMP ": "xmp"}
    for kind, body in _webp_chunks(data):
        if kind in kinds:
            yield Block(kinds[kind], "", body)


def _tiff_size(data: bytes) -> int:
    order = "<" if data[:2] == b"II" else ">"
    (place,) = struct.unpack_from(f"{order}I", data, 4)
    total, seen = 0, set[int]()
    while place and place not in seen and len(seen) < _MAX_PAGES:
        seen.add(place)
        (n_entries,) = struct.unpack_from(f"{order}H", data, place)
        sides = {256: 0, 257: 0}
        for entry in range(min(n_entries, _MAX_TAGS)):
            tag, kind = struct.unpack_from(f"{order}HH", data, place + 2 + 12 * entry)
            if tag in sides:
                number = "H" if kind == 3 else "I"
                at = place + 2 + 12 * entry + 8
                (sides[tag],) = struct.unpack_from(f"{order}{number}", data, at)
        total += sides[256] * sides[257]
        (place,) = struct.unpack_from(f"{order}I", data, place + 2 + 12 * n_entries)
    return total


def _tiff_blocks(data: bytes) -> Iterator[Block]:
    yield Block("exif", "", data)  # a TIFF's tags are what EXIF is made of


def _gif_blocks(data: bytes) -> Iterator[Block]:
    packed = data[10] if len(data) > 10 else 0
    place = 13 + (3 << (packed & 7) + 1 if packed & 0x80 else 0)
    while place < len(data) and data[place] != 0x3B:
        if data[place] == 0x2C:  # a frame: its header, its own palette, its first code size
            own = data[place + 9] if place + 9 < len(data) else 0
            place += 11 + (3 << (own & 7) + 1 if own & 0x80 else 0)
            label, body, place = 0, *_gif_sub_blocks(data, place)
        elif data[place] == 0x21:
            label = data[place + 1] if place + 1 < len(data) else 0
            body, place = _gif_sub_blocks(data, place + 2)
        else:
            return
        if label == 0xFE:
            yield Block("comment", "", body)
        elif label == 0xFF and body.startswith(b"XMP DataXMP"):
            yield Block("xmp", "", body)


def _gif_sub_blocks(data: bytes, place: int) -> tuple[bytes, int]:
    """The joined sub-blocks, and the place behind their end.

    An XMP packet is laid down as if its text were lengths, so what separates sub-blocks stays in.
    """
    start, is_xmp = place, data[place + 1 : place + 12] == b"XMP DataXMP"
    parts = []
    while place < len(data) and data[place]:
        parts.append(data[place + 1 : place + 1 + data[place]])
        place += 1 + data[place]
    joined = data[start + 1 : place] if is_xmp else b"".join(parts)
    return joined, place + 1


def _gif_size(data: bytes) -> int:
    width, height = struct.unpack_from("<HH", data, 6)
    return int(width * height)


def _bmp_size(data: bytes) -> int:
    is_old = struct.unpack_from("<I", data, 14) == (12,)  # OS/2's header has short sides
    width, height = struct.unpack_from("<HH" if is_old else "<ii", data, 18)
    return abs(int(width * height))


_SIZES: Final = {
    "PNG": _png_size, "JPEG": _jpeg_size, "GIF": _gif_size, "BMP": _bmp_size,
    "TIFF": _tiff_size, "WEBP": _webp_size,
}  # fmt: skip


def iptc_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and value of each field of IPTC's application record (record 2)."""
    place = data.find(b"\x1c\x02")
    while place >= 0 and place + 5 <= len(data):
        number, length = struct.unpack_from(">BH", data, place + 2)
        yield number, data[place + 5 : place + 5 + length]
        place = data.find(b"\x1c\x02", place + 5 + length)
