"""Pictures inside pages stay small and true."""

import base64

import cv2
import numpy as np
import pytest

from svg_quality.pages.pictures import pixels_uri, svg_uri, unlike_recorded


def decoded(uri: str) -> np.ndarray:
    kind, data = uri.split(",", 1)
    assert kind == "data:image/webp;base64"
    raw = np.frombuffer(base64.b64decode(data, validate=True), np.uint8)
    return cv2.imdecode(raw, cv2.IMREAD_COLOR)[..., ::-1]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_small_pixels_are_embedded_as_they_are() -> None:
    rgb = noise(40, 60)
    np.testing.assert_array_equal(decoded(pixels_uri(rgb)), rgb)


@pytest.mark.parametrize("shape", [(320, 320), (512, 300), (2000, 11)])
def test_embedded_pixels_stay_small_whatever_they_show(shape: tuple[int, int]) -> None:
    uri = pixels_uri(noise(*shape))
    assert max(decoded(uri).shape) == 320
    assert len(uri) < 80_000  # 72 of these make 5.8 MB


def test_an_svg_is_embedded_byte_for_byte() -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><title>\N{SNOWMAN}</title></svg>"
    kind, data = svg_uri(svg).split(",", 1)
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data).decode() == svg


def test_a_conversion_that_came_out_otherwise_is_told() -> None:
    assert unlike_recorded(0.5, 100, np.float32(0.5000001), 100) is None
    assert unlike_recorded(0.5, 101, 0.5, 100) == (
        "Converted again, this row gives SSIM 0.500000 and 101 bytes; recorded are 0.500000 and "
        "100. The image or a library is not the one that was recorded."
    )
    assert unlike_recorded(0.5, 100, 0.50001, 100) is not None
