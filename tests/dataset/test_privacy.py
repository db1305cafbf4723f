"""What pictures and tables give away: real metadata, written by Pillow or by hand, is found."""

import gzip
import struct
import zlib
from io import BytesIO

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from svg_quality.dataset.assurance import privacy
from svg_quality.dataset.assurance.privacy import private_cells, private_traces
from svg_quality.dataset.assurance.private_text import EMAIL, USER_PATH, kinds_in, masked
from svg_quality.dataset.logos import discover_logos

BASE, GPS = ExifTags.Base, ExifTags.GPS
PICTURE = Image.new("RGB", (16, 16), "red")
XMP = (
    '<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" {0}>{1}</rdf:Description></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
)
CREATOR = "<dc:creator><rdf:Seq><rdf:li>Jane Roe</rdf:li></rdf:Seq></dc:creator>"


def saved(kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    PICTURE.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(fields: dict[int, object], gps: dict[int, object] | None = None) -> Image.Exif:
    made = Image.Exif()
    made.update(fields)
    made.get_ifd(ExifTags.IFD.GPSInfo).update(gps or {})
    return made


def texts(**values: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for name, value in values.items():
        info.add_itxt(name, value) if name.islower() else info.add_text(name, value, zip=True)
    return info


def kinds(data: bytes) -> set[str]:
    return {trace.kind for trace in private_traces(data)}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_is_found_in_every_format_that_carries_it(kind: str) -> None:
    place = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (52.0, 31.0, 12.0)}
    fields = {BASE.Artist: "Jane Roe", BASE.Make: "Canon", BASE.Model: "EOS 5D"}
    found = private_traces(saved(kind, exif=exif(fields, place).tobytes()))
    assert {trace.kind for trace in found} == {privacy.POSITION, privacy.PERSON, privacy.CAMERA}
    assert "Jane" not in str(found)
    assert "Canon" not in str(found)


@pytest.mark.parametrize(
    ("tag", "value", "kind"),
    [
        (BASE.Copyright, "Jane Roe", privacy.PERSON),
        (BASE.HostComputer, "janes-laptop", privacy.PERSON),
        (BASE.XPAuthor, "Jane Roe".encode("utf-16-le"), privacy.PERSON),
        (BASE.Software, "Tool of jane@example.org", EMAIL),
        (BASE.ImageDescription, "C:\\Users\\jane\\logo.psd", USER_PATH),
    ],
)
def test_exif_fields(tag: int, value: object, kind: str) -> None:
    assert kinds(saved("JPEG", exif=exif({tag: value}))) == {kind}


def test_serial_number_and_owner_stand_in_the_second_directory() -> None:
    made = Image.Exif()
    made.get_ifd(ExifTags.IFD.Exif).update(
        {BASE.BodySerialNumber: "0123", BASE.CameraOwnerName: "Jane Roe"}
    )
    assert kinds(saved("JPEG", exif=made.tobytes())) == {privacy.CAMERA, privacy.PERSON}
    made = Image.Exif()
    made.get_ifd(ExifTags.IFD.Exif)[BASE.MakerNote] = b"\1\2\3\4\5"
    assert private_traces(saved("JPEG", exif=made.tobytes())) == [
        (privacy.CAMERA, "EXIF MakerNote")
    ]


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("Author", "Jane Roe", privacy.PERSON),
        ("author", "Jane Roe", privacy.PERSON),
        ("Copyright", "Jane Roe", privacy.PERSON),
        ("Comment", "made for my mother", privacy.COMMENT),
        ("Description", "ask jane.roe@example.co.uk", EMAIL),
        ("svg:base-uri", "file:///home/jane/logo.svg", USER_PATH),
        ("exif:Make", "Canon", privacy.CAMERA),
    ],
)
def test_png_texts(name: str, value: str, kind: str) -> None:
    assert kinds(saved("PNG", pnginfo=texts(**{name: value}))) == {kind}


def test_png_texts_behind_the_pixels_are_found() -> None:
    body = b"Author\0Jane Roe"
    late = struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(body))
    data = saved("PNG")
    assert kinds(data[:-12] + late + data[-12:]) == {privacy.PERSON}


def test_a_profile_as_imagemagick_hides_it_in_a_text_is_found() -> None:
    raw = exif({BASE.Artist: "Jane Roe"}).tobytes()
    dump = f"\nexif\n{len(raw):8}\n{raw.hex()}\n"
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", dump, zip=True)
    assert kinds(saved("PNG", pnginfo=info)) == {privacy.PERSON}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize(
    ("attributes", "inside", "expected"),
    [
        ("", CREATOR, privacy.PERSON),
        ('exif:GPSLatitude="52,31N"', "", privacy.POSITION),
        ('aux:SerialNumber="0123"', "", privacy.CAMERA),
        ('dc:source="/Users/jane/logo.ai"', "", USER_PATH),
        ("", "<dc:title>jane@example.org</dc:title>", EMAIL),
    ],
)
def test_xmp(kind: str, attributes: str, inside: str, expected: str) -> None:
    packet = XMP.format(attributes, inside).encode()
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        data = saved("PNG", pnginfo=info)
    elif kind == "TIFF":
        data = saved("TIFF", tiffinfo={700: packet})
    elif kind == "GIF":  # Pillow writes none: an application extension before the trailer
        tail = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
        data = saved("GIF")[:-1] + b"\x21\xff\x0bXMP DataXMP" + packet + tail + b";"
    else:
        data = saved(kind, xmp=packet)
    assert kinds(data) == {expected}


def test_iptc_and_comments_of_a_jpeg() -> None:
    fields = b"\x1c\x02\x50" + struct.pack(">H", 8) + b"Jane Roe"
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(fields)) + fields
    segment = b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
    plain = saved("JPEG")
    assert private_traces(plain[:2] + segment + plain[2:]) == [(privacy.PERSON, "IPTC by-line")]
    assert kinds(saved("JPEG", comment="for my mother")) == {privacy.COMMENT}
    assert kinds(saved("GIF", comment=b"jane@example.org")) == {privacy.COMMENT, EMAIL}


SVG_METADATA = (
    "<metadata><r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#' "
    "xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:cc='http://creativecommons.org/ns#'>"
    "<cc:Work><dc:creator><cc:Agent><dc:title>{}</dc:title></cc:Agent></dc:creator></cc:Work>"
    "</r:RDF></metadata>"
)


@pytest.mark.parametrize(
    ("inside", "kind"),
    [
        (SVG_METADATA.format("Jane Roe"), privacy.PERSON),
        ("<!-- mail jane@example.org -->", EMAIL),
        ("<title>jane@example.org</title>", EMAIL),
        ("<g e='/home/jane/a.png'/>", USER_PATH),
    ],
)
def test_svg(inside: str, kind: str) -> None:
    data = f"<svg xmlns='http://www.w3.org/2000/svg'>{inside}</svg>".encode()
    assert kinds(data) == {kind}
    assert kinds(gzip.compress(data)) == {kind}


@pytest.mark.parametrize(
    "data",
    [
        saved("JPEG", exif=exif({BASE.Software: "Adobe Photoshop CC", BASE.DateTime: "2020"})),
        saved("PNG", pnginfo=texts(Software="www.inkscape.org", Comment="Created with GIMP")),
        saved("PNG", pnginfo=texts(**{"icc:copyright": "Copyright Apple Inc., 2022"})),
        saved("JPEG", comment="CREATOR: gd-jpeg v1.0"),
        saved("PNG", pnginfo=texts(Source="file:///home/runner/logo@2x.png")),
        saved("BMP"),
        b"<svg xmlns='http://www.w3.org/2000/svg'><title>A logo</title><g id='creator'/>"
        b"<!-- Generator: Adobe Illustrator --><path model='x'/></svg>",
        f"<svg xmlns='http://www.w3.org/2000/svg'>{SVG_METADATA.format('')}</svg>".encode(),
    ],
)
def test_software_and_dates_are_not_private(data: bytes) -> None:
    assert private_traces(data) == []


def test_no_real_logo_gives_anything_away() -> None:
    logos = discover_logos("diagrams")
    assert [logo.name for logo in logos if private_traces(logo.path.read_bytes())] == []


@pytest.mark.parametrize(
    ("text", "kinds", "hidden"),
    [
        ("/home/jane/x", [USER_PATH], "/home/***/x"),
        ("/Users/jane roe/x", [USER_PATH], "/Users/***/x"),
        ("C:\\Users\\jane\\x", [USER_PATH], "C:\\Users\\***\\x"),
        ("c:/Documents and Settings/jane", [USER_PATH], "c:/Documents and Settings/***"),
        ("see jane.roe+x@mail.example.org.", [EMAIL], "see ***."),
        ("/home/jane of a@b.example", [EMAIL, USER_PATH], "/home/***"),
        ("/Users/Shared/x, logo@2x.png, @media, a@b", [], None),
    ],
)
def test_texts(text: str, kinds: list[str], hidden: str | None) -> None:
    assert kinds_in(text) == kinds
    assert masked(text) == (text if hidden is None else hidden)


@given(st.text(max_size=60))
def test_nothing_is_left_to_find_in_a_masked_text(text: str) -> None:
    for whole in (text, f"/home/jane/{text}", f"{text} jane@example.org"):
        assert kinds_in(masked(whole)) == []


def test_cells_are_named_by_row_and_column() -> None:
    frame = pd.DataFrame(
        {"ssim": [1.0, 2.0, 3.0], "source": ["a/b.png", "/home/jane/b.png", None],
         "note": ["x", "x", "a@example.org"]}
    )  # fmt: skip
    found = private_cells(frame).to_numpy().tolist()
    assert found == [[1, "source", USER_PATH], [2, "note", EMAIL]]
    assert private_cells(frame[["ssim"]]).empty


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\0\x40Exif\0\0", b"GIF89a", b"BM",
                     b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"RIFF\0\0\0\0WEBP", b"<svg>"]),
    st.binary(max_size=300),
)  # fmt: skip
def test_no_bytes_make_the_search_fail(magic: bytes, rest: bytes) -> None:
    for trace in private_traces(magic + rest):
        assert trace.kind in privacy.KINDS
