"""What a choice costs: by hand on one logo, and laws that hold for any prediction."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from svg_quality.conversion.parameters import Parameters
from svg_quality.evaluation.regret import choice_figures, choice_intervals, per_image

SSIM = [0.90, 0.95, 0.899, 0.80]  # the first is the default's: the floor is 0.899
SIZES = [1000, 4000, 500, 100]


def logo(name: str = "a", **changes: Any) -> pd.DataFrame:
    """Four sets of one logo, the first of them VTracer's default."""
    sets = [Parameters(color_precision=bits).as_dict() for bits in (6, 8, 5, 3)]
    values = {"ssim": SSIM, "predicted_ssim": SSIM, "svg_bytes": SIZES,
              "predicted_svg_bytes": SIZES} | changes  # fmt: skip
    return pd.DataFrame(sets).assign(image_id=name, group=name, **values)


def test_a_perfect_prediction_regrets_nothing() -> None:
    told = choice_figures(logo())
    assert told["regret_chosen"] == 0
    assert told["regret_default"] == pytest.approx(0.05)
    assert told["regret_random"] == pytest.approx(0.95 - np.mean(SSIM))
    assert told["size_factor_chosen"] == 1
    assert told["size_factor_default"] == pytest.approx(2)
    # random: 1000 and 4000 and 500 keep the floor, 100 does not and the default takes its place
    assert told["size_factor_random"] == pytest.approx((2 * 8 * 1 * 2) ** 0.25)
    assert (told["kept_chosen"], told["kept_random"], told["kept_default"]) == (1, 0.75, 1)
    assert (told["spearman_within"], told["kendall_within"]) == (1, pytest.approx(1))


def test_a_choice_that_breaks_the_floor_gives_way_to_the_default() -> None:
    told = choice_figures(logo(predicted_ssim=[0.9, 0.91, 0.8, 0.95]))
    assert told["regret_chosen"] == pytest.approx(0.95 - 0.80)
    assert told["kept_chosen"] == 0
    assert told["size_factor_chosen"] == pytest.approx(2)  # the default's 1000 over 500
    assert told["shortfall_chosen"] == pytest.approx(0.899 - 0.80)


def test_sets_that_cannot_be_told_apart_are_chosen_by_lot() -> None:
    told = choice_figures(logo(predicted_ssim=0.5, predicted_svg_bytes=7))
    assert told["regret_chosen"] == pytest.approx(told["regret_random"])
    assert told["size_factor_chosen"] == pytest.approx(told["size_factor_random"])
    assert told["kept_chosen"] == told["kept_random"]
    assert told["spearman_within"] is None


def test_without_the_default_only_the_picture_is_judged() -> None:
    told = choice_figures(logo().iloc[1:])
    assert told["regret_chosen"] == 0
    assert (told["n_images"], told["n_with_default"]) == (1, 0)
    assert (told["regret_default"], told["size_factor_chosen"], told["kept_chosen"]) == (None,) * 3
    assert choice_intervals(logo().iloc[1:])["size_factor_chosen"] is None


def test_one_set_is_no_choice() -> None:
    assert choice_figures(logo().head(1)) == {"n_images": 0, "n_with_default": 0}
    assert choice_intervals(logo().head(1))["regret_chosen"] is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_laws_of_any_prediction(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = pd.concat(
        [
            logo(
                str(k),
                ssim=rng.uniform(0, 1, 4).round(2),
                predicted_ssim=rng.uniform(0, 1, 4).round(2),
                svg_bytes=rng.integers(1, 9999, 4),
                predicted_svg_bytes=rng.uniform(1, 9999, 4),
            )
            for k in range(5)
        ]
    )
    images = per_image(rows)
    for chooser in ("chosen", "random", "default"):
        assert (images[f"regret_{chooser}"] >= 0).all()
        assert (images[f"log_size_{chooser}"] >= -1e-12).all()
        assert images[f"kept_{chooser}"].between(0, 1).all()
    for line, (_, sets) in zip(images.itertuples(), rows.groupby("image_id"), strict=True):
        if sets.ssim.nunique() > 1 and sets.predicted_ssim.nunique() > 1:
            expected = stats.spearmanr(sets.ssim, sets.predicted_ssim).statistic
            assert line.spearman == pytest.approx(expected)
    low, high = choice_intervals(rows)["regret_chosen"] or (1, 0)
    assert images.regret_chosen.min() <= low <= high <= images.regret_chosen.max()


def test_rank_correlations_weigh_by_number_of_sets() -> None:
    backwards = logo("b", predicted_ssim=[-value for value in SSIM])
    told = choice_figures(pd.concat([logo("a").head(2), backwards]))
    assert told["spearman_within"] == pytest.approx((2 * 1 + 4 * -1) / 6)
