"""Every refusal of a picture by `conversion.images` has its category here."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svg_quality.conversion import images as door
from svg_quality.conversion.images import load_image
from svg_quality.errors import ImageError, ModelError
from svg_quality.features.failures import CATEGORIES, Failure, count_failures


def png(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def failure_of(source: Path | bytes) -> Failure:
    with pytest.raises(ImageError) as caught:
        load_image(source)
    return Failure.of(caught.value)


@pytest.mark.parametrize(
    ("source", "category"),
    [
        (Path("/nowhere/logo.png"), "unreadable"),
        (b"not an image", "unreadable"),
        (png((40, 40))[:200], "unreadable"),
        (png((5, 5)), "too_small"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'><text/></svg>",
         "unsupported"),
    ],
)  # fmt: skip
def test_real_refusals_have_their_category(source: Path | bytes, category: str) -> None:
    failure = failure_of(source)
    assert failure.category == category
    assert failure.category in CATEGORIES
    assert failure.reason


def test_too_many_pixels_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_SOURCE_PIXELS", 100)
    assert failure_of(png((40, 40))).category == "too_large"


def test_other_errors_too() -> None:
    assert Failure.of(MemoryError()) == Failure(
        "out_of_memory", "a picture must fit into memory, it does not: MemoryError"
    )
    assert Failure.of(ModelError("an ONNX graph must run")).category == "backbone"


def test_the_fault_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ImageError("an image must decode whole", "unreadable")))
    assert Failure.of(error) == Failure("unreadable", "an image must decode whole")


def test_counts_name_every_category() -> None:
    counts = count_failures([Failure("too_small", "a"), Failure("too_small", "b")])
    assert counts == dict.fromkeys(CATEGORIES, 0) | {"too_small": 2}
