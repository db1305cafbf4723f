"""Probes: the drawing against resvg, the block SSIM against a written-out loop, laws, goldens."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.rendering import render
from svg_quality.conversion.tracing import trace
from svg_quality.features.probes import (
    MEASURED,
    PROBE_NAMES,
    PROBES,
    block_ssim,
    blocks,
    draw,
    probe,
)

seeds = st.integers(0, 2**32 - 1)


def discs(side: int = 64) -> np.ndarray:
    """A red disc with a hole, and a blue square under it, on white."""
    y, x = np.mgrid[:side, :side] * 64 / side
    picture = np.full((side, side, 3), 255, np.uint8)
    picture[(x > 30) & (y > 30)] = (20, 40, 200)
    radius = np.hypot(x - 28, y - 28)
    picture[(radius < 22) & (radius > 8)] = (210, 30, 30)
    return picture


def noise(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["spline", "polygon", "none"])
@pytest.mark.parametrize("hierarchical", ["stacked", "cutout"])
def test_drawn_as_resvg_draws(mode: str, hierarchical: str) -> None:
    svg = trace(discs(), Parameters(mode=mode, hierarchical=hierarchical))
    drawn = draw(svg, (64, 64), (96, 96))
    expected = render(svg, 96, 96)
    around = np.ones((3, 3), np.uint8)
    inside = cv2.dilate(expected, around) == cv2.erode(expected, around)  # no edge within 1 px
    assert inside.mean() > 0.5
    assert np.array_equal(drawn[inside], expected[inside])
    assert np.corrcoef(drawn.ravel(), expected.ravel())[0, 1] > 0.99


def test_drawn_wider_than_tall() -> None:
    svg = trace(discs()[:32], Parameters(mode="polygon"))
    drawn, expected = draw(svg, (64, 32), (128, 64)), render(svg, 128, 64)
    assert drawn.shape == expected.shape
    assert np.corrcoef(drawn.ravel(), expected.ravel())[0, 1] > 0.99


def windows_written_out(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of windows of 8 px every 4 px, population variances, mean over RGB."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for top in range(0, x.shape[0] - 7, 4):
        for left in range(0, x.shape[1] - 7, 4):
            for channel in range(3):
                a = x[top : top + 8, left : left + 8, channel].astype(float)
                b = y[top : top + 8, left : left + 8, channel].astype(float)
                covariance = ((a - a.mean()) * (b - b.mean())).mean()
                values.append(
                    (2 * a.mean() * b.mean() + c1) * (2 * covariance + c2)
                    / ((a.mean() ** 2 + b.mean() ** 2 + c1) * (a.var() + b.var() + c2))
                )  # fmt: skip
    return float(np.mean(values))


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_block_ssim_is_the_written_out_one(seed: int) -> None:
    x, y = noise(seed, 20, 28), noise(seed + 1, 20, 28)
    assert block_ssim(blocks(x), y) == pytest.approx(windows_written_out(x, y), abs=2e-4)
    assert block_ssim(blocks(x), x) == pytest.approx(1, abs=1e-5)


def test_block_ssim_of_white_and_black_by_hand() -> None:
    white = np.full((16, 16, 3), 255, np.uint8)
    assert block_ssim(blocks(white), np.zeros_like(white)) == pytest.approx(1e-4, rel=1e-3)


def test_a_probe_by_hand() -> None:
    """Three quarters of 64 px are 48; its own trace, drawn and compared, is what is kept."""
    copy = cv2.resize(discs(), (48, 48), interpolation=cv2.INTER_AREA)
    svg = trace(copy, PROBES["rounded"])
    seen = dict(zip(PROBE_NAMES, probe(discs()).tolist(), strict=True))
    assert seen["probe_log_bytes_rounded"] == math.log(len(svg))
    drawn = draw(svg, (48, 48), (64, 64))
    assert seen["probe_ssim_rounded"] == pytest.approx(windows_written_out(discs(), drawn), 1e-3)


def test_golden_numbers() -> None:
    """Computed on 2026-11-21 with VTracer 0.6.15 and OpenCV 5.0.0; another may differ."""
    likeness = [0.7566, 0.7918, 0.7678, 0.7807, 0.773, 0.7389, 0.6676, 0.4423]
    sizes = [7.763, 7.3601, 7.4536, 6.5453, 6.4329, 7.5321, 6.7604, 6.8211]
    assert probe(discs()) == pytest.approx([*likeness, *sizes], abs=2e-3)


def test_names_are_by_measure_then_by_probe() -> None:
    assert len(PROBE_NAMES) == len(MEASURED) * len(PROBES)
    assert all(name.startswith("probe_ssim_") for name in PROBE_NAMES[: len(PROBES)])


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(2, 40), st.integers(2, 40))
def test_any_picture_can_be_probed_and_gives_the_same_twice(
    seed: int, height: int, width: int
) -> None:
    seen = probe(noise(seed, height, width))
    assert seen.shape == (len(PROBE_NAMES),)
    assert np.isfinite(seen).all()
    likeness = seen[: len(PROBES)]
    assert (likeness >= -1).all()
    assert (likeness <= 1 + 1e-5).all()
    assert np.array_equal(seen, probe(noise(seed, height, width)))


def test_fewer_colours_and_sizes_cost_more() -> None:
    ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    flat, shaded = probe(discs()), probe(np.minimum(discs(), ramp))
    of = PROBE_NAMES.index
    assert shaded[of("probe_ssim_3_bits_polygon")] < flat[of("probe_ssim_3_bits_polygon")]
    assert flat[of("probe_ssim_binary")] < flat[of("probe_ssim_4_bits_polygon")]
