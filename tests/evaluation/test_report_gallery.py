"""Which cases are shown, and that their pictures are what they claim to be."""

import base64

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.evaluation.reporting import gallery
from svg_quality.pages.pictures import MAX_SVG_BYTES

seeds = st.integers(0, 2**32 - 1)


def guesses(seed: int, n_logos: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 120))
    return pd.DataFrame(
        {
            "logo": rng.integers(0, n_logos, n),
            "ssim": rng.uniform(0, 1, n).round(2),
            "predicted_ssim": rng.uniform(0, 1, n).round(2),
        },
        index=rng.permutation(n),
    )


def decoded(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.split(",", 1)[1], validate=True)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@given(seeds)
def test_the_worst_are_the_worst_of_each_logo(seed: int) -> None:
    rows = guesses(seed)
    by_hand: dict[int, float] = {}
    for logo, truth, guess in rows.to_numpy().tolist():
        by_hand[logo] = max(by_hand.get(logo, -1.0), abs(guess - truth))
    expected = sorted(by_hand.values(), reverse=True)[:12]

    chosen = gallery.worst_cases(rows, "logo")
    assert (chosen.predicted_ssim - chosen.ssim).abs().tolist() == pytest.approx(expected)
    assert chosen.logo.is_unique


@given(seeds)
def test_the_median_cases_are_nearest_to_the_median(seed: int) -> None:
    rows = guesses(seed)
    misses = [abs(guess - truth) for _, truth, guess in rows.to_numpy().tolist()]
    middle = float(np.median(misses))
    by_hand: dict[int, float] = {}
    for logo, miss in zip(rows.logo.tolist(), misses, strict=True):
        by_hand[logo] = min(by_hand.get(logo, 9.0), abs(miss - middle))
    expected = sorted(by_hand.values())[:12]

    chosen = gallery.median_cases(rows, "logo")
    distance = ((chosen.predicted_ssim - chosen.ssim).abs() - middle).abs()
    assert distance.tolist() == pytest.approx(expected)
    assert chosen.logo.is_unique


def noise(size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, (size, size, 3), dtype=np.uint8)


def case_row(rgb: np.ndarray, parameters: Parameters) -> pd.DataFrame:
    measured = measure(rgb, parameters)
    facts = {
        "image_path": "ab/ab12.png",
        "source": "set/b/noise.png",
        "logo_type": "complex",
        "everyday": True,
    }
    guess = {"predicted_ssim": 0.5, "ssim_low": 0.4, "ssim_high": 0.6, "predicted_svg_bytes": 99.6}
    truth = {"ssim": np.float32(measured.ssim), "svg_bytes": float(measured.svg_bytes)}
    return pd.DataFrame([parameters.as_dict() | facts | guess | truth])


def test_a_light_tracing_is_embedded_as_it_is() -> None:
    rgb, parameters = cv2.resize(noise(4), (64, 64)), Parameters(color_precision=3)
    (case,) = gallery.show_cases(case_row(rgb, parameters), lambda path: rgb)
    assert case.problem is None
    assert case.remark is None  # a float32 SSIM is the same number
    assert case.pictures is not None
    assert case.pictures.is_svg
    assert (
        base64.b64decode(case.pictures.traced.split(",")[1])
        == measure(rgb, parameters).svg.encode()
    )
    np.testing.assert_array_equal(decoded(case.pictures.source), rgb)


def test_a_heavy_tracing_is_shown_as_pixels() -> None:
    rgb, parameters = noise(96), Parameters(filter_speckle=0, mode="none", layer_difference=0)
    (case,) = gallery.show_cases(case_row(rgb, parameters), lambda path: rgb)
    assert case.svg_bytes > MAX_SVG_BYTES
    assert case.pictures is not None
    assert not case.pictures.is_svg
    assert decoded(case.pictures.traced).shape == (96, 96, 3)


def test_changed_parameters_are_told_from_defaults_and_keep_their_type() -> None:
    rgb, parameters = cv2.resize(noise(4), (64, 64)), Parameters(color_precision=3, mode="polygon")
    row = case_row(rgb, parameters).astype({"color_precision": float, "filter_speckle": float})
    (case,) = gallery.show_cases(row, lambda path: rgb)
    assert {s.name: s.value for s in case.settings if s.changed} == {
        "mode": "polygon",
        "color_precision": 3,
    }
    assert [str(s.value) for s in case.settings if s.name == "filter_speckle"] == ["4"]
    assert len(case.settings) == 11
    assert (case.name, case.predicted_svg_bytes) == ("b/noise.png", 100)


def test_a_row_that_cannot_be_converted_is_a_case_with_the_reason() -> None:
    rgb = cv2.resize(noise(4), (64, 64))
    row = case_row(rgb, Parameters()).assign(color_precision=12)
    (case,) = gallery.show_cases(row, lambda path: rgb)
    assert case.problem == "color_precision must be in [1, 8], got 12"
    assert case.pictures is None


def test_the_difference_by_hand() -> None:
    source = np.array([[[10, 20, 30], [0, 0, 0], [10, 20, 30]]], np.uint8)
    drawn = np.array([[[10, 20, 30], [255, 0, 0], [10, 20, 13]]], np.uint8)
    # 17 / 255 * 3 = 0.2 of the way from white to (176, 0, 60)
    expected = [[[255, 255, 255], [176, 0, 60], [239, 204, 216]]]
    assert gallery.difference(source, drawn).tolist() == expected
