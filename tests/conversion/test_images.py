"""Reading images: every kind of file a logo comes as, and files that only look like one."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svg_quality.conversion import images
from svg_quality.conversion.images import image_from_pixels, load_image
from svg_quality.errors import ImageError

RED = (220, 20, 60)


def half_red(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Left half red, right half white."""
    picture = Image.new("RGB", size, "white")
    picture.paste(RED, (0, 0, size[0] // 2, size[1]))
    return picture.quantize(4) if mode == "P" else picture.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("mode", "kind", "tolerance"),
    [
        ("RGB", "PNG", 0), ("RGBA", "PNG", 0), ("P", "PNG", 1), ("RGB", "BMP", 0),
        ("RGB", "TIFF", 0), ("P", "GIF", 1), ("RGB", "JPEG", 12), ("CMYK", "JPEG", 12),
        ("CMYK", "TIFF", 2), ("RGB", "WEBP", 12),
    ],
)  # fmt: skip
def test_colour_files_keep_their_colours(mode: str, kind: str, tolerance: int) -> None:
    image = load_image(encoded(half_red(mode), kind))
    assert image.rgb.shape == (20, 40, 3)
    assert image.format == kind
    assert np.abs(image.rgb[10, 4].astype(int) - RED).max() <= tolerance
    assert np.abs(image.rgb[10, 36].astype(int) - 255).max() <= tolerance
    assert not image.reduced


@pytest.mark.parametrize(("mode", "level"), [("L", 76), ("LA", 76), ("1", 0)])
def test_grey_files_are_grey(mode: str, level: int) -> None:
    source = Image.new("L", (20, 20), level).convert(mode, dither=Image.Dither.NONE)
    assert (load_image(encoded(source, "PNG")).rgb == level).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_cut(kind: str) -> None:
    levels = np.array([[0, 257 * 100, 65535]], np.uint16).repeat(12, 0).repeat(4, 1)
    image = load_image(encoded(Image.fromarray(levels), kind))
    assert image.rgb[0, [0, 4, 8], 0].tolist() == [0, 100, 255]


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[:10, :, 3] = 128
    image = image_from_pixels(pixels)
    assert image.rgb[0, 0].tolist() == [127, 127, 127]
    assert image.rgb[15, 0].tolist() == [255, 255, 255]
    assert image.transparent_share == pytest.approx(1 - 128 / 255 / 2)


def test_palette_transparency_becomes_white() -> None:
    picture = half_red("P")
    data = encoded(picture, "PNG", transparency=picture.getpixel((0, 0)))
    assert (load_image(data).rgb == 255).all()


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise: the left half comes to the top
    image = load_image(encoded(half_red(), "JPEG", exif=exif))
    assert image.rgb.shape == (40, 20, 3)
    assert image.rgb[5, 10, 1] < 60
    assert image.rgb[35, 10, 1] > 200


def test_an_animation_gives_its_first_frame() -> None:
    frames = [half_red("P"), Image.new("P", (40, 20), 0)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.abs(load_image(data).rgb[10, 4].astype(int) - RED).max() <= 1


def test_a_large_picture_is_reduced_by_area_and_says_so() -> None:
    checkers = np.indices((1000, 1600)).sum(axis=0) % 2 * 255
    image = image_from_pixels(checkers.astype(np.uint8), working_size=400)
    assert image.rgb.shape == (250, 400, 3)
    assert image.reduced
    assert (image.source_width, image.source_height) == (1600, 1000)
    assert np.abs(image.rgb.astype(int) - 127).max() <= 1  # an area filter averages; others alias


def test_the_id_is_of_the_pixels_not_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(encoded(half_red(), "PNG"))
    again = encoded(half_red(), "BMP")
    assert load_image(path).image_id == load_image(again).image_id
    assert load_image(path).image_id == load_image(path, working_size=30).image_id
    assert load_image(path).image_id != load_image(encoded(half_red("L"), "PNG")).image_id
    tall = encoded(Image.new("RGB", (12, 24)), "PNG")
    wide = encoded(Image.new("RGB", (24, 12)), "PNG")
    assert load_image(tall).image_id != load_image(wide).image_id


def test_svg_is_drawn_at_the_working_size() -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10">' + (
        b'<rect width="10" height="10" fill="#dc143c"/></svg>'
    )
    image = load_image(svg, working_size=200)
    assert image.format == "SVG"
    assert image.rgb.shape == (100, 200, 3)
    assert image.rgb[50, 20].tolist() == list(RED)
    assert image.rgb[50, 180].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("svg", "message"),
    [
        ('<image href="/etc/hostname.png" width="9" height="9"/>', "must not refer to other files"),
        ('<image xlink:href="file:///a.png"/>', "must not refer to other files"),
        ('<use href="http://localhost/a.svg#b"/>', "must not refer to other files"),
        ("<rect", "must be plain XML"),
        ("<text>Logo</text>", "must have its text as paths"),
    ],
)
def test_an_svg_may_not_reach_out(svg: str, message: str) -> None:
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    with pytest.raises(ImageError, match=message):
        load_image(f"{head}{svg}</svg>".encode())


def test_an_svg_with_entities_is_refused() -> None:
    bomb = b'<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>'
    with pytest.raises(ImageError, match="without entities"):
        load_image(bomb)


def test_an_svg_may_refer_to_itself_and_link_elsewhere() -> None:
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><defs>'
        b'<rect id="r" width="20" height="20"/></defs>'
        b'<a href="https://example.org"><use href="#r"/></a></svg>'
    )
    assert (load_image(svg, 20).rgb == 0).all()


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ('width="100000" height="100000"', None),
        ('viewBox="0 0 300 100"', None),
        ('width="1" height="100000"', "within 40:1"),
        ('viewBox="0 0 1e9 1"', "within 40:1"),
    ],
)
def test_an_svg_may_state_any_size_but_not_any_shape(size: str, message: str | None) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}/>'.encode()
    if message is None:
        assert max(load_image(svg, 200).rgb.shape) == 200
    else:
        with pytest.raises(ImageError, match=message):
            load_image(svg, 200)


def test_alpha_is_part_of_what_a_picture_is() -> None:
    """White at half alpha and plain white look alike on white, but are described apart."""
    white = np.full((20, 20, 4), 255, np.uint8)
    half = white.copy()
    half[..., 3] = 128
    assert (image_from_pixels(white).rgb == image_from_pixels(half).rgb).all()
    assert image_from_pixels(white).image_id != image_from_pixels(half).image_id
    assert image_from_pixels(white).image_id == image_from_pixels(white[..., :3]).image_id


def test_refuses_what_cannot_be_scored() -> None:
    with pytest.raises(ImageError, match="at least 11 px at the working size, got 40 x 10"):
        image_from_pixels(np.zeros((10, 40), np.uint8))
    with pytest.raises(ImageError, match="got 512 x 3"):
        image_from_pixels(np.zeros((20, 3000), np.uint8))


def test_refuses_what_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match=r"must be readable, got .*missing\.png"):
        load_image(tmp_path / "missing.png")
    text = tmp_path / "logo.png"
    text.write_text("not an image")
    with pytest.raises(ImageError, match=r"must be PNG, JPEG, .*logo\.png is none"):
        load_image(text)
    for kind in ("PPM", "EPS", "ICO"):  # Pillow would open them, EPS by a program of its own
        with pytest.raises(ImageError, match=r"must be PNG, JPEG, .* is none"):
            load_image(encoded(half_red(), kind))
    text.write_bytes(encoded(half_red(), "PNG")[:-40])
    with pytest.raises(ImageError, match=r"must decode whole, .*logo\.png does not"):
        load_image(text)
    monkeypatch.setattr(images, "MAX_SOURCE_PIXELS", 100)
    with pytest.raises(ImageError, match=r"at most 100 pixels, .* has 40 x 20"):
        load_image(encoded(half_red(), "PNG"))


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)]
)
def test_refuses_arrays_of_another_kind(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError, match="must be uint8"):
        image_from_pixels(pixels)


def test_refuses_floating_point_files() -> None:
    with pytest.raises(ImageError, match="floating-point"):
        load_image(encoded(Image.new("F", (20, 20)), "TIFF"))
