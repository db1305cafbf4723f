"""What it costs to choose a logo's parameters by prediction instead of by trying them all.

Within one logo's measured parameter sets two choices are made, and judged by what was measured:

* *best picture*: the set with the highest SSIM. Regret is the SSIM of the best set minus that of
  the chosen one.
* *smallest file*: the fewest bytes among sets whose SSIM is at least that of VTracer's default
  minus ``TOLERATED``. A chosen set that turns out to break that floor gives way to the default,
  as a check after converting would have it; its cost is the bytes then kept over those of the
  smallest set that really keeps the floor. How often the chosen one does is counted beside.

Sets that a prediction cannot tell apart are chosen among by lot: costs are expected ones. A
prediction must beat two choosers that need no model: a random set, and the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import Parameters
from svg_quality.evaluation.metrics import cluster_mean_interval, score

TOLERATED: Final = 0.001  # of SSIM below the default's
CHOOSERS: Final = ("chosen", "random", "default")

Choice = dict[str, float | int | None]


def per_image(rows: pd.DataFrame, logo_column: str = "group") -> pd.DataFrame:
    """One line an image with two sets or more: the costs of each chooser.

    Args:
        rows: with ``image_id``, ``ssim``, ``predicted_ssim``, ``svg_bytes``,
            ``predicted_svg_bytes``, the eleven parameters and ``logo_column``.
        logo_column: what tells logos apart.

    Returns:
        Columns ``n_sets``, ``logo``, ``spearman`` and ``kendall`` (of predicted and measured
        SSIM; NaN where either never varies), ``regret_<chooser>`` (SSIM), ``log_size_<chooser>``
        (natural logarithm of the factor), ``kept_<chooser>`` (share) and ``shortfall_chosen``
        (SSIM below the floor). NaN where the image was not converted with the default.
    """
    is_default = np.ones(len(rows), bool)
    for name, value in Parameters().as_dict().items():
        is_default &= (rows[name] == value).to_numpy()
    lines = [
        {"n_sets": len(sets), "logo": sets[logo_column].iloc[0], **_one_image(sets)}
        for _, sets in rows.assign(is_default=is_default).groupby("image_id", sort=False)
        if len(sets) > 1
    ]
    return pd.DataFrame(lines)


def choice_figures(rows: pd.DataFrame, logo_column: str = "group") -> Choice:
    """Means over images of what `per_image` gives; rank correlations weigh by number of sets.

    Returns:
        ``n_images``, ``n_with_default``, ``spearman_within``, ``kendall_within``; for each chooser
        ``regret_*`` (SSIM), ``size_factor_*`` (geometric mean, 1 at best) and ``kept_*``; and
        ``shortfall_chosen``. None where no image can tell.
    """
    images = per_image(rows, logo_column)
    told: Choice = {"n_images": len(images), "n_with_default": 0}
    if images.empty:
        return told
    told["n_with_default"] = int(images["regret_default"].notna().sum())
    for name in ("spearman", "kendall"):
        told[f"{name}_within"] = _weighted(images[name], images["n_sets"])
    for chooser in CHOOSERS:
        told[f"regret_{chooser}"] = _weighted(images[f"regret_{chooser}"])
        log_factor = _weighted(images[f"log_size_{chooser}"])
        told[f"size_factor_{chooser}"] = None if log_factor is None else float(np.exp(log_factor))
        told[f"kept_{chooser}"] = _weighted(images[f"kept_{chooser}"])
    told["shortfall_chosen"] = _weighted(images["shortfall_chosen"])
    return told


def choice_intervals(
    rows: pd.DataFrame, logo_column: str = "group", n_draws: int = 1000
) -> Mapping[str, tuple[float, float] | None]:
    """95% intervals of the mean regret and of the size factor, whole logos drawn."""
    images = per_image(rows, logo_column)
    if images.empty:
        return dict.fromkeys(("regret_chosen", "size_factor_chosen"))
    regret = cluster_mean_interval(images["regret_chosen"], images["logo"], n_draws)
    sized = images[images["log_size_chosen"].notna()]
    factor = cluster_mean_interval(sized["log_size_chosen"], sized["logo"], n_draws)
    return {
        "regret_chosen": regret,
        "size_factor_chosen": factor and (float(np.exp(factor[0])), float(np.exp(factor[1]))),
    }


def _one_image(sets: pd.DataFrame) -> dict[str, float]:
    from scipy import stats  # heavy

    ssim, guess = sets["ssim"].to_numpy(float), sets["predicted_ssim"].to_numpy(float)
    default = np.flatnonzero(sets["is_default"])
    line = {"spearman": np.nan, "kendall": np.nan}
    if np.ptp(ssim) and np.ptp(guess):
        line["spearman"] = float(score(ssim, guess)["spearman"] or 0)
        line["kendall"] = float(stats.kendalltau(guess, ssim).statistic)
    best = ssim.max()
    line |= {
        "regret_chosen": best - ssim[guess == guess.max()].mean(),
        "regret_random": best - ssim.mean(),
        "regret_default": best - ssim[default[0]] if len(default) else np.nan,
    }
    return line | _smallest_file(sets, ssim, guess, default)


def _smallest_file(
    sets: pd.DataFrame, ssim: np.ndarray, guess: np.ndarray, default: np.ndarray
) -> dict[str, float]:
    names = [f"{what}_{chooser}" for what in ("log_size", "kept") for chooser in CHOOSERS]
    if not len(default):
        return dict.fromkeys([*names, "shortfall_chosen"], np.nan)
    size = np.log(sets["svg_bytes"].to_numpy(float))
    usual = size[default[0]]
    guessed_size = sets["predicted_svg_bytes"].to_numpy(float)
    floor = ssim[default[0]] - TOLERATED
    keeps = ssim >= floor
    said_to_keep = guess >= guess[default[0]] - TOLERATED
    offered = np.where(said_to_keep, guessed_size, np.inf)
    chosen = offered == offered.min()
    smallest = size[keeps].min()
    kept = np.where(keeps, size, usual) - smallest
    return {
        "log_size_chosen": kept[chosen].mean(),
        "log_size_random": kept.mean(),
        "log_size_default": usual - smallest,
        "kept_chosen": float(keeps[chosen].mean()),
        "kept_random": float(keeps.mean()),
        "kept_default": 1.0,
        "shortfall_chosen": float(np.maximum(floor - ssim[chosen], 0).mean()),
    }


def _weighted(values: pd.Series[float], weights: pd.Series[int] | None = None) -> float | None:
    known = values.notna()
    if not known.any():
        return None
    return float(np.average(values[known], weights=None if weights is None else weights[known]))
