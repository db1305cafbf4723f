"""What a file could do to whoever opens it: each kind is found, and real logos have none."""

import gzip
import struct
import zlib
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from svg_quality.dataset.assurance import safety
from svg_quality.dataset.assurance.image_headers import kind_of, promised_pixels
from svg_quality.dataset.assurance.safety import scan_file, threats
from svg_quality.dataset.logos import discover_logos

SVG = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def svg(inside: str, attributes: str = "") -> bytes:
    return f"<svg {SVG} {attributes}>{inside}</svg>".encode()


def kinds(data: bytes) -> set[str]:
    return {threat.kind for threat in threats(data)}


def png(width: int, height: int, *more: bytes, data: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def chunk(kind: bytes, body: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + crc


@pytest.mark.parametrize(
    "data",
    [
        svg("<script>alert(1)</script>"),
        svg("<g><SCRIPT href='#a'/></g>"),
        svg("", "onload='alert(1)'"),
        svg("<rect OnClick='x()'/>"),
        svg("<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>"),
        svg("<a xlink:href='javascript:alert(1)'/>"),
        svg("<a href=' java&#9;script:alert(1)'/>"),
        svg("<a href='data:text/html,&lt;script&gt;'/>"),
        svg("<a><set attributeName='href' to='x'/></a>"),
        svg("<rect><animate attributeName='onclick' values='x'/></rect>"),
        svg("<a><animate attributeName='xlink:href' values='javascript:alert(1)'/></a>"),
        svg("<style>a { width: expr/**/ession(alert(1)) }</style>"),
        svg("<image href=\"data:image/svg+xml,%3Csvg onload='x'/%3E\"/>"),
        svg("<image href='data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9IngiLz4='/>"),
        f"<svg {SVG} onload='x'/>".encode("utf-16"),
        gzip.compress(svg("<script/>")),
    ],
)
def test_active_content_is_found(data: bytes) -> None:
    assert safety.ACTIVE in kinds(data)


@pytest.mark.parametrize(
    "data",
    [
        svg("<image xlink:href='https://example.org/a.png'/>"),
        svg("<image href='//example.org/a.png'/>"),
        svg("<image href='file:///etc/passwd'/>"),
        svg("<use href='sprites.svg#a'/>"),
        svg("<feImage href='a.png'/>"),
        svg("<rect fill='url(https://example.org/a#b)'/>"),
        svg("<rect style=\"fill:u\\72l('//example.org/a')\"/>"),
        svg("<style>@import 'https://example.org/a.css';</style>"),
        svg("<style>@imp\\6frt url(a.css);</style>"),
        svg("<style>@font-face { src: url(https://example.org/a.woff) }</style>"),
        svg('<style>a { fill: image-set("https://example.org/a.png" 1x) }</style>'),
        svg("", "xml:base='https://example.org/'"),
        b"<?xml-stylesheet href='https://example.org/a.css'?>" + svg(""),
        b"<!DOCTYPE svg SYSTEM 'https://example.org/a.dtd'>" + svg(""),
        svg("<x:include xmlns:x='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/>"),
        svg("<animate attributeName='x' to='https://example.org/a'/>"),
    ],
)
def test_external_references_are_found(data: bytes) -> None:
    assert safety.REFERENCE in kinds(data)


def test_entities_are_found_and_never_expanded() -> None:
    names = "abcdefghij"
    laughs = "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in pairwise(names))
    data = f"<!DOCTYPE svg [<!ENTITY a 'ha'>{laughs}]><svg {SVG}>&j;</svg>".encode()
    assert kinds(data) == {safety.ENTITY}
    outside = f"<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><svg {SVG}>&a;</svg>"
    assert kinds(outside.encode()) == {safety.ENTITY}


def test_a_drawing_that_uses_nothing_from_outside_is_safe() -> None:
    data = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
        b'"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    ) + svg(
        "<metadata xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:source>a book</dc:source>"
        "</metadata><style>@namespace url(http://www.w3.org/2000/svg); .a{fill:url(#g)}"
        "@font-face{src:url(data:font/woff2;base64,AAAA)}</style>"
        "<linearGradient id='g' xlink:href='#h'/><g id='h' class='on'><path d='M0 0h1'/></g>"
        "<use href='#h' style='fill:url(\"#g\")'/>"
        "<a href='https://example.org'><path d='M1 1'/></a>"
        "<image href='data:image/png;base64,AAAA'/>"
        "<animate attributeName='x' values='0;1' begin='0s'/>",
        "viewBox='0 0 10 10' enable-background='new 0 0 10 10'",
    )
    assert threats(data) == []


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (png(60_000, 60_000), "promises 3,600,000,000 pixels"),
        (png(9_000, 9_000), "pixels per byte"),
        (png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**24)))), "compressed text"),
        (
            png(8, 8, chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(2**24)))),
            "compressed text",
        ),
        (png(8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**24)))), "compressed profile"),
        (png(2**14, 2**12, chunk(b"acTL", struct.pack(">II", 100, 0))), "6,710,886,400 pixels"),
        (gzip.compress(b"<svg>" + b" " * 2**26), "gzip that expands"),
        (gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"a"))))), "nested"),
        (svg("", "width='100000' height='100000px'"), "asks for 100,000 x 100,000 pixels"),
        (svg("<g id='a'><use href='#a'/></g>"), "through <use>"),
    ],
)
def test_decompression_bombs_are_found(data: bytes, fact: str) -> None:
    found = [threat.fact for threat in threats(data) if threat.kind == safety.BOMB]
    assert any(fact in text for text in found), found


def test_a_large_flat_drawing_is_no_bomb_and_is_read_in_time() -> None:
    """A hundred thousand paths: counting must not be quadratic."""
    assert threats(svg("<path d='M0 0'/>" * 100_000)) == []
    assert threats(svg(f"<style>{'url(' * 100_000}</style>"))[0].kind == safety.REFERENCE


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", b"<svg><g></svg>", b"<html/>"])
def test_a_file_that_is_no_image_is_found(data: bytes) -> None:
    assert kinds(data) == {safety.UNREADABLE}


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    assert scan_file(tmp_path / "a.png") == [
        "unreadable file: cannot be read: No such file or directory"
    ]


def test_what_is_shown_of_a_file_names_nobody() -> None:
    facts = " ".join(t.fact for t in threats(svg("<image href='file:///home/jane/a.png'/>")))
    assert "jane" not in facts
    assert "/home/***" in facts


def test_no_real_logo_is_flagged() -> None:
    logos = discover_logos("diagrams")
    assert len(logos) > 2000
    assert {logo.name: found for logo in logos if (found := scan_file(logo.path))} == {}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("lossless", [False, True])
def test_the_promised_size_is_what_pillow_reads(kind: str, lossless: bool) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (37, 53, 3), np.uint8))
    buffer = BytesIO()
    image.save(buffer, kind, **({"lossless": lossless} if kind == "WEBP" else {}))
    assert kind_of(buffer.getvalue()) == kind
    assert promised_pixels(buffer.getvalue()) == 37 * 53
    assert threats(buffer.getvalue()) == []


def test_every_page_of_a_tiff_counts() -> None:
    page = Image.new("L", (40, 30))
    buffer = BytesIO()
    page.save(buffer, "TIFF", save_all=True, append_images=[page, page])
    assert promised_pixels(buffer.getvalue()) == 3 * 40 * 30


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"MM\0*",
                     b"RIFF\0\0\0\0WEBP", b"\x1f\x8b\x08", b"<svg", b"<?xml"]),
    st.binary(max_size=300),
)  # fmt: skip
def test_no_bytes_make_the_scanner_fail(magic: bytes, rest: bytes) -> None:
    for threat in threats(magic + rest):
        assert threat.kind in safety.KINDS
