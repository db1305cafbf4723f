"""What pictures and tables give away about people: found, named by kind, never repeated.

Software names and dates of making are not private and are left alone; so are accounts that
machines come with (``/home/runner``).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Final, NamedTuple

import pandas as pd
from PIL import ExifTags, Image

from svg_quality.dataset.assurance.image_headers import (
    Block,
    inflate,
    iptc_fields,
    kind_of,
    metadata_blocks,
)
from svg_quality.dataset.assurance.private_text import EMAIL, USER_PATH, kinds_in
from svg_quality.dataset.assurance.xml_content import XmlContent, read_xml

POSITION: Final = "GPS position"
PERSON: Final = "author or owner"
CAMERA: Final = "camera"
COMMENT: Final = "free comment"
KINDS: Final = (POSITION, PERSON, CAMERA, EMAIL, USER_PATH, COMMENT)

_NAMES: Final = {  # of fields of EXIF, XMP, IPTC, PNG texts and SVG metadata, in lower case
    PERSON: {
        "artist", "author", "authors", "authorsposition", "by-line", "byline", "cameraownername",
        "contact", "contributor", "copyright", "creator", "creatorcontactinfo", "credit",
        "hostcomputer", "owner", "ownername", "photographer", "publisher", "rights",
        "rightsholder", "xpauthor",
    },
    CAMERA: {
        "bodyserialnumber", "cameraserialnumber", "lens", "lensmake", "lensmodel",
        "lensserialnumber", "make", "makernote", "model", "serialnumber", "uniquecameramodel",
    },
    COMMENT: {"comment", "usercomment", "xpcomment"},
}  # fmt: skip
_IPTC: Final = {80: "by-line", 85: "authorsposition", 110: "credit", 116: "copyright",
                118: "contact", 122: "author"}  # fmt: skip
_BY_SOFTWARE: Final = ("created with", "generator", "file written by", "creator: gd-jpeg",
                       "optimized", "compressed by", "file source: http", "lead technologies",
                       "screenshot", "intel(r) jpeg")  # fmt: skip
_MAX_SVG: Final = 2**26  # bytes that a compressed SVG may expand to


class Trace(NamedTuple):
    """Something private in a file: of what kind, and where; the thing itself is not kept."""

    kind: str
    where: str


def private_traces(data: bytes) -> list[Trace]:
    """Everything private in a picture's metadata, each once.

    Args:
        data: the bytes of a file: PNG, JPEG, WebP, GIF, TIFF, BMP, SVG or SVGZ.
    """
    kind = kind_of(data)
    if kind == "GZIP":
        data, _ = inflate(data, _MAX_SVG, wbits=31)
        kind = kind_of(data)
    found = _xml_traces(read_xml(data)) if kind == "XML" else _raster_traces(data)
    return list(dict.fromkeys(found))


def private_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells of a table's text columns that hold an e-mail address or a user's name.

    Returns:
        ``row`` (place in the frame, from 0), ``column`` and ``kind``, one line for each.
    """
    lines = []
    for column in frame.columns:
        values = frame[column]
        if not (pd.api.types.is_string_dtype(values) or values.dtype == object):
            continue
        codes, texts = pd.factorize(values)
        kinds = {code: found for code, text in enumerate(texts) if (found := kinds_in(str(text)))}
        if kinds:
            rows = pd.Series(codes).map(kinds).dropna().explode()
            lines.append(pd.DataFrame({"row": rows.index, "column": column, "kind": rows.array}))
    empty = pd.DataFrame({"row": pd.Series(dtype=int), "column": "", "kind": ""})
    return pd.concat(lines, ignore_index=True) if lines else empty


def _xml_traces(content: XmlContent, holder: str = "SVG") -> Iterator[Trace]:
    for path, text in content.fields():
        yield from _judge(holder, path.split("/"), text, named=holder != "SVG" or _is_about(path))
    for text in content.comments:
        yield from _judge(f"{holder} comment", [], text)


def _is_about(path: str) -> bool:
    """Whether a field describes the file; elsewhere in an SVG `model` or `lens` is just an id."""
    return "metadata" in path.lower().split("/")


def _raster_traces(data: bytes) -> Iterator[Trace]:
    for block in metadata_blocks(data):
        if block.kind == "exif":
            yield from _exif_traces(block.data)
        elif block.kind == "xmp":
            yield from _xmp_traces(block.data)
        elif block.kind == "iptc":
            for number, value in iptc_fields(block.data):
                yield from _judge("IPTC", [_IPTC.get(number, "")], _text(value))
        elif block.kind == "comment":
            yield from _judge("comment", ["comment"], _text(block.data))
        elif block.kind == "text":
            yield from _png_text_traces(block)


def _png_text_traces(block: Block) -> Iterator[Trace]:
    space, _, name = block.name.rpartition(":")
    if space != "icc":  # the maker of a colour profile
        yield from _judge("PNG text", [name], _text(block.data))


def _xmp_traces(data: bytes) -> Iterator[Trace]:
    start, end = data.find(b"<x:xmpmeta"), data.rfind(b"</x:xmpmeta>")
    packet = data[start : end + len(b"</x:xmpmeta>")] if 0 <= start < end else data.strip(b"\0")
    content = read_xml(packet)
    yield from _xml_traces(content, "XMP")
    if content.fault:
        yield from _judge("XMP", [], _text(data))


def _exif_traces(data: bytes) -> Iterator[Trace]:
    exif = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd tags; what it reads is judged
            exif.load(data)
            fields = dict(exif)
            details = dict(exif.get_ifd(ExifTags.IFD.Exif))
            position = dict(exif.get_ifd(ExifTags.IFD.GPSInfo))
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, OverflowError):
        yield from _judge("EXIF", [], _text(data[: 2**16]))
        return
    if set(position) - {int(ExifTags.GPS.GPSVersionID)}:
        yield Trace(POSITION, "EXIF GPS")
    for tag, value in [*fields.items(), *details.items()]:
        yield from _exif_field(ExifTags.TAGS.get(tag, ""), value)


def _exif_field(name: str, value: object) -> Iterator[Trace]:
    if name == "XMLPacket" and isinstance(value, bytes):
        yield from _xmp_traces(value)
    elif name == "IPTCNAA" and isinstance(value, bytes):
        for number, text in iptc_fields(value):
            yield from _judge("IPTC", [_IPTC.get(number, "")], _text(text))
    elif isinstance(value, bytes):
        plain = value.decode("utf-16-le", "ignore") if name.startswith("XP") else _text(value)
        yield from _judge("EXIF", [name], plain.removeprefix("ASCII").removeprefix("UNICODE"))
    elif isinstance(value, str):
        yield from _judge("EXIF", [name], value)


def _judge(holder: str, names: list[str], text: str, *, named: bool = True) -> Iterator[Trace]:
    """What a field gives away by its name, and by what its text looks like."""
    text = text.strip(" \t\r\n\0")
    if not text:
        return
    for kind in kinds_in(text):
        yield Trace(kind, holder)
    for name in names if named else []:
        plain = name.lower()
        if plain.startswith("gps") and plain not in ("gpsversionid", "gpsinfo"):
            yield Trace(POSITION, f"{holder} GPS")
        for kind, known in _NAMES.items():
            by_software = kind == COMMENT and text.lower().startswith(_BY_SOFTWARE)
            if plain in known and not by_software:
                yield Trace(kind, f"{holder} {name}")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
