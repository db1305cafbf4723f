"""Reading a logo to be traced: from a path, bytes, pixels; refusals."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svg_quality.conversion.images import image_from_pixels, load_image
from svg_quality.errors import ImageError
from svg_quality.features.descriptors import describe
from svg_quality.optimization.logo import Logo


def test_path_bytes_array_and_pil_image_are_the_same_logo(logo: Logo, tmp_path: Path) -> None:
    path = tmp_path / "badge.png"
    path.write_bytes(logo.data)
    pixels = np.asarray(Image.open(io.BytesIO(logo.data)))
    sources = [path, str(path), logo.data, pixels, Image.open(path)]
    read = [Logo.read(source) for source in sources]
    assert [one.name for one in read] == [str(path), str(path), "bytes", "array", "image"]
    for one in read:
        assert one.image.image_id == logo.image.image_id
        assert (one.image.rgb == logo.image.rgb).all()
        assert load_image(one.data).image_id == one.image.image_id  # the file is that picture


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3), (20, 30, 4)])
def test_arrays_are_what_they_are_elsewhere(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    logo, expected = Logo.read(pixels), image_from_pixels(pixels)
    assert (logo.image.rgb == expected.rgb).all()
    assert logo.image.transparent_share == pytest.approx(expected.transparent_share)


def test_descriptors_are_those_of_the_picture_and_may_be_given(logo: Logo) -> None:
    image = logo.image
    assert (logo.descriptors == describe(image.rgb, image.transparent_share)).all()
    assert logo.descriptors is logo.descriptors
    known = np.zeros(3)
    assert logo.described(known).descriptors is known


def test_refuses_what_is_no_logo(tmp_path: Path) -> None:
    white = Image.new("RGB", (40, 40), "white")
    with pytest.raises(ImageError, match="more than one colour on white, image shows one"):
        Logo.read(white)
    with pytest.raises(ImageError, match="more than one colour on white, x shows one"):
        Logo.read(np.full((40, 40), 7, np.uint8), name="x")
    with pytest.raises(ImageError, match=r"must be readable, got .*none\.png: No such file"):
        Logo.read(tmp_path / "none.png")
    with pytest.raises(ImageError, match=r"must be PNG, JPEG, .* <3 bytes> is none"):
        Logo.read(b"abc")
    (tmp_path / "text.png").write_bytes(b"abc")
    with pytest.raises(ImageError, match=r"must be PNG, JPEG, .*text\.png is none"):
        Logo.read(tmp_path / "text.png")
    with pytest.raises(ImageError, match=r"must be uint8 .*, got float64 \(4, 4\)"):
        Logo.read(np.zeros((4, 4)))
    with pytest.raises(ImageError, match="floating-point image must state its range"):
        Logo.read(Image.new("F", (40, 40)))
    with pytest.raises(ImageError, match="an array or a PIL image, got int"):
        Logo.read(3)  # type: ignore[arg-type]
