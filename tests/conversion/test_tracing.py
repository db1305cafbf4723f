"""Tracing, drawing, measuring: real VTracer, real resvg."""

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import PRESETS, Parameters
from svg_quality.conversion.rendering import render
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.conversion.similarity import ssim
from svg_quality.conversion.tracing import MAX_PIXELS, count_paths, trace
from svg_quality.errors import ConversionError, ImageError


def disc(size: int = 96, colour: tuple[int, int, int] = (200, 30, 30)) -> np.ndarray:
    picture = np.full((size, size, 3), 255, np.uint8)
    y, x = np.mgrid[:size, :size]
    picture[(x - size / 2) ** 2 + (y - size / 2) ** 2 < (size / 3) ** 2] = colour
    return picture


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_same_input_gives_the_same_svg(name: str) -> None:
    assert trace(disc(), PRESETS[name]) == trace(disc(), PRESETS[name])


def test_a_disc_is_traced_well_and_small() -> None:
    measured = measure(disc(), Parameters())
    assert 0.95 < measured.ssim < 1
    assert measured.path_count == 2  # the ground and the disc
    assert measured.svg_bytes == len(measured.svg) < 1000


def test_figures_are_those_of_the_svg_itself() -> None:
    measured = measure(disc(), Parameters(mode="polygon"))
    drawn = render(measured.svg, 96, 96)
    assert measured.ssim == ssim(disc(), drawn)
    assert measured.mse == pytest.approx(((disc().astype(float) - drawn) ** 2).mean())
    assert measured.path_count == measured.svg.count("<path") == count_paths(measured.svg)


def test_binary_goes_by_luminance_not_by_the_red_channel() -> None:
    """VTracer's own threshold would make pure blue as dark as pure red is light."""
    red, blue = (trace(disc(colour=c), PRESETS["bw"]) for c in ((255, 0, 0), (0, 0, 255)))
    assert count_paths(red) == count_paths(blue) == 1


def test_fewer_decimals_never_make_a_larger_file() -> None:
    sizes = [measure(disc(), Parameters(path_precision=n)).svg_bytes for n in (0, 1, 2, 4, 8)]
    assert sizes == sorted(sizes)


@pytest.mark.slow
def test_a_real_panic_becomes_a_conversion_error() -> None:
    """Found by tracing 2,457 logos: visioncortex 0.8.10, color.rs:279, divides by zero."""
    files = metadata.distribution("diagrams").files or []
    path = next(file for file in files if str(file).endswith("onprem/iac/awx.png"))
    parameters = Parameters(
        color_precision=5, layer_difference=0, corner_threshold=151, length_threshold=5.64,
        splice_threshold=117,
    )  # fmt: skip
    with pytest.raises(ConversionError, match="must not panic, got: attempt to divide by zero"):
        trace(load_image(Path(str(path.locate()))).rgb, parameters)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(11, 40), st.integers(11, 40))
def test_any_valid_set_on_any_picture_measures(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    measured = measure(picture, sobol_sets(1, "full", seed)[0])
    assert -1 <= measured.ssim_worst_tile <= measured.ssim <= 1
    assert measured.svg_bytes > 0


def test_refuses_what_would_overflow_and_what_cannot_be_scored() -> None:
    side = int(MAX_PIXELS**0.5) + 1
    with pytest.raises(ImageError, match="at most 16000000 pixels"):
        trace(np.zeros((side, side, 3), np.uint8), Parameters())
    with pytest.raises(ImageError, match="at least 11 px"):
        measure(disc(10), Parameters())


def test_drawing_refuses_what_is_no_svg() -> None:
    with pytest.raises(ConversionError, match="able to draw"):
        render("<svg")


def test_drawing_is_on_white_at_the_size_asked_for() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"/>'
    assert render(svg).shape == (2, 4, 3)
    assert render(svg, 20, 10).shape == (10, 20, 3)
    assert (render(svg) == 255).all()
