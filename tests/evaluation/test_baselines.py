"""Baselines: each sees what it may see, and no more."""

import numpy as np
import pytest

from svg_quality.evaluation.baselines import NAMES, fit_and_predict
from svg_quality.evaluation.metrics import score
from svg_quality.features.descriptors import SIMPLE_NAMES
from svg_quality.features.inputs import BLOCKS, TABULAR_NAMES
from svg_quality.features.probes import PROBE_NAMES
from svg_quality.training.rows import Rows


def rows(seed: int, n_images: int = 60, per_image: int = 8) -> Rows:
    """SSIM is the sum of one parameter and of one descriptor."""
    rng = np.random.default_rng(seed)
    n = n_images * per_image
    tabular = rng.normal(size=(n, len(TABULAR_NAMES))).astype(np.float32)
    of_row = np.repeat(np.arange(n_images), per_image)
    tabular[:, BLOCKS["simple"]] = rng.normal(size=(n_images, len(SIMPLE_NAMES)))[of_row]
    tabular[:, BLOCKS["probes"]] = rng.normal(size=(n_images, len(PROBE_NAMES)))[of_row]
    parameter, descriptor = tabular[:, 0], tabular[:, BLOCKS["simple"].start]
    target = (0.1 * parameter + 0.1 * descriptor).astype(np.float32)
    features = rng.normal(size=(n_images, 32)).astype(np.float32)
    return Rows(features, of_row, tabular, target, 10 * target)


def test_each_explains_its_own_part() -> None:
    train, asked = rows(0), rows(1)
    said = fit_and_predict(train, asked)
    assert set(said) == set(NAMES)
    r2 = {name: score(asked.ssim, got.ssim)["r2"] for name, got in said.items()}
    assert r2["mean"] == pytest.approx(0, abs=0.05)
    assert 0.3 < (r2["parameters_only"] or 0) < 0.6
    assert 0.1 < (r2["image_only"] or 0) < 0.6
    assert (r2["gradient_boosting"] or 0) > 0.8
    assert (r2["gradient_boosting_simple"] or 0) > 0.8
    assert all(len(got.log_bytes) == len(asked) for got in said.values())


def test_blind_ones_are_blind() -> None:
    train, asked = rows(0, 30), rows(1, 30)
    said = fit_and_predict(train, asked, ("image_only",))["image_only"].ssim
    assert all(len(set(said[asked.image_index == image])) == 1 for image in range(30))


def test_the_simple_one_knows_nothing_of_the_converter() -> None:
    train, asked = rows(0, 30), rows(1, 30)
    said = fit_and_predict(train, asked, ("gradient_boosting_simple",))
    for block in ("lookups", "probes"):
        asked.tabular[:, BLOCKS[block]] = 9.0
    again = fit_and_predict(train, asked, ("gradient_boosting_simple",))
    name = "gradient_boosting_simple"
    assert np.array_equal(said[name].ssim, again[name].ssim)
