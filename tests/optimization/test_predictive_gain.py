"""Expected gain against drawing from the beliefs."""

import numpy as np
import pytest

from svg_quality.optimization.gain import Beliefs, chance, expected_gain
from svg_quality.optimization.objective import Objective

N_DRAWS = 400_000
MIDDLE = 0.7  # the share of SSIM's standard deviation that is believed


@pytest.fixture(scope="module")
def beliefs() -> Beliefs:
    return Beliefs(
        np.array([0.95, 0.93, 0.90]), np.array([0.01, 0.02, 0.03]),
        np.log([3000.0, 2000, 1000]), np.array([0.1, 0.3, 0.2]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def draws(beliefs: Beliefs) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    ssim = rng.normal(beliefs.ssim, MIDDLE * beliefs.ssim_sd, (N_DRAWS, 3))
    return ssim, np.exp(rng.normal(beliefs.log_bytes, beliefs.log_bytes_sd, (N_DRAWS, 3)))


def test_of_the_smallest_file(beliefs: Beliefs, draws: tuple[np.ndarray, np.ndarray]) -> None:
    ssim, size = draws
    saved = np.where(ssim >= 0.92, 1 - size / 2500, 0).clip(0).mean(0)
    found = expected_gain(Objective.smallest(0.92), beliefs, (0.94, 2500))
    assert found == pytest.approx(saved, abs=2e-3)


def test_of_the_best_picture(beliefs: Beliefs, draws: tuple[np.ndarray, np.ndarray]) -> None:
    gained = (draws[0] - 0.93).clip(0).mean(0)
    found = expected_gain(Objective.best_ssim(), beliefs, (0.93, 2500))
    assert found == pytest.approx(gained, abs=1e-4)


def test_of_the_best_picture_within(beliefs: Beliefs, draws: tuple[np.ndarray, np.ndarray]) -> None:
    gained = np.where(draws[1] <= 2000, draws[0] - 0.93, 0).clip(0).mean(0)
    found = expected_gain(Objective.best_ssim_within(2000), beliefs, (0.93, 1900))
    assert found == pytest.approx(gained, abs=1e-4)


def test_chance_of_both_bounds(beliefs: Beliefs, draws: tuple[np.ndarray, np.ndarray]) -> None:
    kept = ((draws[0] >= 0.92) & (draws[1] <= 2500)).mean(0)
    assert chance(Objective.smallest(0.92, 2500), beliefs) == pytest.approx(kept, abs=3e-3)
    assert chance(Objective.best_ssim(), beliefs).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "objective",
    [
        Objective.smallest(0.92), Objective.smallest(0.92, 2500), Objective.best_ssim(),
        Objective.best_ssim_within(2500), Objective.smallest(1.0, 10),
    ],
)  # fmt: skip
def test_is_finite_and_not_negative_where_nothing_meets_yet(
    objective: Objective, beliefs: Beliefs
) -> None:
    gain = expected_gain(objective, beliefs, None)
    assert np.isfinite(gain).all()
    assert (gain >= 0).all()


def test_caution_prefers_what_keeps_the_floor(beliefs: Beliefs) -> None:
    wanted = Objective.smallest(0.925)
    bold, careful = (expected_gain(wanted, beliefs, (0.93, 3500), n) for n in (1, 8))
    assert bold.argmax() == 1
    assert careful.argmax() == 0
