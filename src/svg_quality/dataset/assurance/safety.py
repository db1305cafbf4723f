"""What an input file could do to whoever opens it: active content of SVGs, decompression bombs.

Defence in depth: `load_image` refuses most of this, and everything is looked for here again from
the raw bytes, by other code, before anything is decoded or drawn.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from svg_quality.conversion.images import MAX_SOURCE_PIXELS
from svg_quality.dataset.assurance.drawn_elements import MAX_DRAWN, drawn_elements
from svg_quality.dataset.assurance.image_headers import (
    inflate,
    kind_of,
    metadata_blocks,
    promised_pixels,
)
from svg_quality.dataset.assurance.private_text import masked
from svg_quality.dataset.assurance.xml_content import ENTITIES, Element, XmlContent, read_xml

ACTIVE: Final = "active content"
REFERENCE: Final = "external reference"
ENTITY: Final = "entities"
BOMB: Final = "decompression bomb"
UNREADABLE: Final = "unreadable file"
KINDS: Final = (ACTIVE, REFERENCE, ENTITY, BOMB, UNREADABLE)

MAX_FILE: Final = 2**27  # bytes; a logo is a thousandth of that
MAX_SVG: Final = 2**25  # bytes of markup, expanded
# Deflate packs at most 1,032 bytes into one. Real logos reach 250 pixels a byte, when small.
LARGE: Final = 2**24  # pixels from which the ratio counts
MAX_RATIO: Final = 400  # pixels per byte of the file

_ACTIVE_ELEMENTS: Final = frozenset(
    {"script", "foreignobject", "iframe", "embed", "object", "applet", "audio", "video", "source",
     "handler", "listener", "base", "link", "meta", "form"}
)  # fmt: skip
_LOADING: Final = frozenset({"href", "src", "srcset", "action", "formaction", "poster"})
_ANIMATIONS: Final = frozenset({"animate", "set", "animatemotion", "animatetransform",
                                "animatecolor"})  # fmt: skip
_ANIMATED_VALUES: Final = ("to", "from", "by", "values")
_INACTIVE_DATA: Final = ("data:image/png", "data:image/jpeg", "data:image/jpg", "data:image/gif",
                         "data:image/webp", "data:image/bmp", "data:font/",
                         "data:application/font", "data:application/x-font",
                         "data:application/vnd.ms-fontobject")  # fmt: skip
_SCRIPT_SCHEMES: Final = ("javascript:", "vbscript:", "livescript:", "mocha:", "data:text/html",
                          "data:application/xhtml", "data:text/xml",
                          "data:application/xml")  # fmt: skip
_NESTED_SVG: Final = "data:image/svg+xml"
_W3C: Final = ("http://www.w3.org/", "https://www.w3.org/")  # document types nobody fetches
_XHTML: Final = "http://www.w3.org/1999/xhtml"
# Elsewhere names mean something else: `dc:source` is a line of a drawing's description.
_NOT_INERT: Final = ("", "http://www.w3.org/2000/svg", "http://www.w3.org/2001/xml-events", _XHTML)
_XINCLUDE: Final = "http://www.w3.org/2001/XInclude"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_MAX_NESTING: Final = 3  # SVGs within SVGs within ...

_CSS_ESCAPE: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
_CSS_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
_CSS_NAMESPACE: Final = re.compile(r"@namespace[^;]*;", re.IGNORECASE)
_CSS_LOADS: Final = re.compile(  # nothing after the target, so that no text makes it look twice
    r"""(?:url|src)\(\s*(?:"([^"]*)|'([^']*)|([^"')]*))""", re.IGNORECASE
)
_CSS_QUOTED: Final = re.compile(r""""([^"]*)"?|'([^']*)'?""")
_CSS_TAKES_QUOTED: Final = ("@import", "image-set(", "image(")
_CSS_RUNS: Final = ("expression(", "-moz-binding", "behavior:", "javascript:", "vbscript:")


class Threat(NamedTuple):
    """One thing found in a file."""

    kind: str  # one of ``KINDS``
    fact: str


def scan_file(path: Path) -> list[str]:
    """What is unsafe about a file, a sentence each; empty for one that is safe."""
    return [f"{threat.kind}: {threat.fact}" for threat in read_and_scan(path)[0]]


def read_and_scan(path: Path) -> tuple[list[Threat], bytes]:
    """The threats of a file, and its bytes; none where it cannot be read or is too large."""
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MAX_FILE:
            return [Threat(BOMB, f"{n_bytes:,} bytes, at most {MAX_FILE:,}")], b""
        data = path.read_bytes()
    except OSError as error:
        return [Threat(UNREADABLE, f"cannot be read: {error.strerror}")], b""
    return threats(data), data


def threats(data: bytes) -> list[Threat]:
    """The same for the bytes of a file, each thing once.

    Args:
        data: PNG, JPEG, WebP, GIF, BMP, TIFF, SVG or SVGZ; anything else is itself a finding.
    """
    return list(dict.fromkeys(_threats(data, 0)))


def _threats(data: bytes, nesting: int) -> Iterator[Threat]:
    kind = kind_of(data)
    if kind == "XML":
        yield from _svg_threats(data, nesting)
    elif kind == "GZIP":
        yield from _gzip_threats(data, nesting)
    elif kind is None:
        yield Threat(UNREADABLE, "neither a known image format nor XML")
    else:
        yield from _raster_threats(data, kind)


def _raster_threats(data: bytes, kind: str) -> Iterator[Threat]:
    pixels = promised_pixels(data)
    if pixels is None:
        yield Threat(UNREADABLE, f"a {kind} whose header states no size")
    elif pixels > MAX_SOURCE_PIXELS:
        yield Threat(BOMB, f"promises {pixels:,} pixels, at most {MAX_SOURCE_PIXELS:,}")
    elif pixels > LARGE and pixels > MAX_RATIO * len(data):
        ratio = pixels / len(data)
        yield Threat(BOMB, f"{ratio:,.0f} pixels per byte of the file, at most {MAX_RATIO}")
    for block in metadata_blocks(data):
        if block.too_large:
            yield Threat(BOMB, f"a compressed {block.kind} that expands beyond its limit")


def _gzip_threats(data: bytes, nesting: int) -> Iterator[Threat]:
    plain, more = inflate(data, MAX_SVG, wbits=31)
    if more:
        yield Threat(BOMB, f"gzip that expands beyond {MAX_SVG:,} bytes")
    elif nesting >= _MAX_NESTING:
        yield Threat(BOMB, f"files nested deeper than {_MAX_NESTING}")
    else:
        yield from _threats(plain, nesting + 1)


def _svg_threats(data: bytes, nesting: int) -> Iterator[Threat]:
    if len(data) > MAX_SVG:
        yield Threat(BOMB, f"{len(data):,} bytes of markup, at most {MAX_SVG:,}")
        return
    content = read_xml(data)
    if content.fault == ENTITIES:
        yield Threat(ENTITY, "the document type declares entities")
    elif content.fault:
        yield Threat(UNREADABLE, content.fault)
    elif content.elements[0].name.lower() != "svg":
        yield Threat(UNREADABLE, "XML that is no SVG")
    if content.doctype and content.doctype[1] and not content.doctype[1].startswith(_W3C):
        yield Threat(REFERENCE, f"document type at {_shown(content.doctype[1])}")
    for target, text in content.instructions:
        if target.lower() == "xml-stylesheet":
            yield Threat(REFERENCE, f"style sheet {_shown(text)}")
    for place, text in content.texts:
        if content.elements[place].name.lower() == "style":
            yield from _css_threats(text, nesting)
    for element in content.elements:
        yield from _element_threats(element, nesting)
    yield from _size_threats(content)


def _element_threats(element: Element, nesting: int) -> Iterator[Threat]:
    name = element.name.lower()
    is_active = name in _ACTIVE_ELEMENTS and element.namespace in _NOT_INERT
    if is_active or element.namespace == _XHTML:
        yield Threat(ACTIVE, f"a {_shown(element.name)} element")
    if element.namespace == _XINCLUDE:
        yield Threat(REFERENCE, "an inclusion of another file")
    for (space, attribute), value in element.attributes.items():
        plain = attribute.lower()
        address = _normal(value)
        if not space and plain.startswith("on") and len(plain) > 2:
            yield Threat(ACTIVE, f"an {_shown(plain)} handler")
        elif space == _XML and plain == "base" and address:
            yield Threat(REFERENCE, f"addresses relative to {_shown(value)}")
        elif plain in _LOADING:
            yield from _address_threats(value, name, nesting)
        elif address.startswith(_SCRIPT_SCHEMES):
            yield Threat(ACTIVE, f"{_shown(plain)} runs a script")
        elif not space:
            yield from _css_threats(value, nesting)
        if name in _ANIMATIONS:
            yield from _animation_threats(plain, address)


def _animation_threats(attribute: str, value: str) -> Iterator[Threat]:
    """Animations move a picture; one that sets an address or a handler loads or runs something."""
    if attribute == "attributename" and (value.rpartition(":")[2] == "href" or value[:2] == "on"):
        yield Threat(ACTIVE, f"an animation of {_shown(value)}")
    if attribute in _ANIMATED_VALUES and "://" in value:
        yield Threat(REFERENCE, f"an animation to {_shown(value)}")


def _address_threats(value: str, element: str, nesting: int) -> Iterator[Threat]:
    """Whether following an address leaves the file; a link (`a`) is followed by people only."""
    address = _normal(value)
    if address.startswith(_SCRIPT_SCHEMES):
        yield Threat(ACTIVE, f"{_shown(element)} runs a script")
    elif address.startswith(_NESTED_SVG):
        yield from _nested_threats(value, nesting)
    elif address.startswith("data:") and not address.startswith(_INACTIVE_DATA):
        yield Threat(ACTIVE, f"{_shown(element)} holds {_shown(address[:40])}")
    elif address and not address.startswith(("#", "data:")) and element != "a":
        yield Threat(REFERENCE, f"{_shown(element)} loads {_shown(value)}")


def _nested_threats(value: str, nesting: int) -> Iterator[Threat]:
    head, _, body = value.partition(",")
    inner = unquote_to_bytes(body)
    if head.strip().lower().endswith(";base64"):
        try:
            inner = base64.b64decode(inner)
        except binascii.Error:
            yield Threat(UNREADABLE, "an embedded SVG that is no base64")
            return
    if nesting >= _MAX_NESTING:
        yield Threat(BOMB, f"files nested deeper than {_MAX_NESTING}")
    else:
        yield from _threats(inner, nesting + 1)


def _css_threats(text: str, nesting: int) -> Iterator[Threat]:
    """What a style sheet, or an attribute that may hold `url()`, loads or runs."""
    if "(" not in text and "@" not in text and "\\" not in text and ":" not in text:
        return
    css = _CSS_COMMENT.sub("", _CSS_ESCAPE.sub(_unescaped, _CSS_COMMENT.sub("", text)))
    css = _CSS_NAMESPACE.sub("", css)
    squeezed = _normal(css)
    for word in _CSS_RUNS:
        if word in squeezed:
            yield Threat(ACTIVE, f"a style with {word}")
    targets = ["".join(parts) for parts in _CSS_LOADS.findall(css)]
    if any(word in squeezed for word in _CSS_TAKES_QUOTED):
        targets += ["".join(parts) for parts in _CSS_QUOTED.findall(css)]
    for target in targets:
        yield from _address_threats(target, "a style", nesting)


def _unescaped(match: re.Match[str]) -> str:
    if not match[1]:
        return match[2]
    number = int(match[1], 16)
    return chr(number) if number < 0x110000 else ""


def _size_threats(content: XmlContent) -> Iterator[Threat]:
    if not content.elements:
        return
    root = content.elements[0].attributes
    try:
        width, height = (
            float(root.get(("", side), "").strip().removesuffix("px"))
            for side in ("width", "height")
        )
    except ValueError:  # none, or in units that depend on the viewer
        width = height = 0.0
    if width * height > MAX_SOURCE_PIXELS:
        yield Threat(BOMB, f"asks for {width:,.0f} x {height:,.0f} pixels")
    if drawn_elements(content) > MAX_DRAWN:
        yield Threat(BOMB, f"draws more than {MAX_DRAWN:,} elements through <use>")


def _normal(text: str) -> str:
    """As browsers read an address: without white space and control characters, in lower case."""
    return "".join(letter for letter in text if letter > " ").lower()


def _shown(text: str) -> str:
    """A piece of a file that may stand in a report: short, on one line, nobody's name in it."""
    line = " ".join(masked(text[:200]).split())
    return line if len(line) <= 60 else f"{line[:57]}..."
