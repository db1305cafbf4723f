"""The gates before Production: each says yes or no, in one sentence, with its figures.

* `unseen`: enough test logos are left that neither model learned from.
* `answered`: at least `LEAST_ANSWERED` of their conversions could be predicted by both.
* `better`: on those logos the challenger's mean absolute error
  of SSIM is smaller by more than chance (paired bootstrap by logo, 95% interval below zero), and
  neither SSIM nor log bytes got worse by more than chance, in the full or the everyday region.
* `covers`: measured SSIM and bytes lie in the challenger's intervals as often as it promised.
  Refused where the share is more than `SHORTFALL` below the promise *and* the promise lies
  outside the 95% interval of the share (bootstrap by logo): a shortfall that the sampling of the
  logos explains, or that the calibration's own sampling explains, is none.
* `not_slower`: the median ratio of the times is at most ``1 + max_slowdown``.
* `sane`: what it says is finite, in range, ordered, and not the same for every row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.evaluation.comparing.comparison import (
    LEVEL,
    MIN_GROUPS,
    Difference,
    compare,
)
from svg_quality.evaluation.metrics import cluster_mean_interval, covered, region_masks
from svg_quality.evaluation.residuals import quality_band_masks

SHORTFALL: Final = 0.05  # of coverage, that a calibration on a few hundred logos may miss by
LEAST_ANSWERED: Final = 0.95
_GATED: Final = ("full", "everyday")  # regions


@dataclass(frozen=True, slots=True)
class Gate:
    """One question to a challenger, and its answer."""

    name: str
    passed: bool
    reason: str  # one sentence, without a full stop
    figures: Mapping[str, Any] = field(default_factory=dict)  # plain values

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def unseen(n_groups: int, n_images: int, n_left_out: int) -> Gate:
    """Whether there are test logos enough.

    Args:
        n_groups: distinct logos that are left.
        n_images: their pictures.
        n_left_out: pictures that the challenger learned from, or from a near-duplicate of.
    """
    left_out = f"; {n_left_out} pictures left out, the challenger learned from them or their like"
    reason = f"{n_groups} distinct test logos that neither model learned from"
    if n_groups < MIN_GROUPS:
        reason = f"at least {MIN_GROUPS} distinct test logos must tell, and there are {n_groups}"
    figures = {"n_groups": n_groups, "n_images": n_images, "n_images_left_out": n_left_out}
    return Gate(
        "unseen", n_groups >= MIN_GROUPS, reason + (left_out if n_left_out else ""), figures
    )


def answered(n_answered: int, n_asked: int) -> Gate:
    """Whether the test conversions could be predicted: pictures get lost, or can't be read."""
    reason = f"{n_answered:,} of {n_asked:,} test conversions could be predicted"
    figures = {"n_answered": n_answered, "n_asked": n_asked}
    return Gate("answered", n_answered >= LEAST_ANSWERED * n_asked, reason, figures)


def better(champion: pd.DataFrame, challenger: pd.DataFrame, n_draws: int) -> Gate:
    """Whether the challenger errs less.

    Args:
        champion, challenger: the same test conversions row by row, with ``ssim``, ``svg_bytes``,
            ``predicted_ssim``, ``predicted_svg_bytes``, ``logo_type``, ``group`` and a bool
            column for each region but ``full``.
        n_draws: of the bootstrap.
    """
    found = compare(champion, challenger, tolerance=0.0, n_draws=n_draws)
    told = found.differences["full"]["ssim"]
    worse = [
        (region, target, found.differences[region][target])
        for region in _GATED
        for target in found.differences.get(region, {})
        if found.differences[region][target].verdict == "worse"
    ]
    figures = {
        "differences": {
            region: {target: asdict(one) for target, one in by_target.items()}
            for region, by_target in found.differences.items()
        },
        "regressions": [asdict(subgroup) for subgroup in found.regressions],
    }
    sizes = _sizes("SSIM", told)
    if told.verdict != "better":
        said = "it errs more" if told.verdict == "worse" else "it is not shown to err less"
        return Gate("better", False, f"{said}: {sizes}", figures)
    if worse:
        region, target, difference = worse[0]
        named = "SSIM" if target == "ssim" else "log bytes"
        reason = f"it errs more in the {region} region: {_sizes(named, difference)}"
        return Gate("better", False, reason, figures)
    return Gate("better", True, f"it errs less: {sizes}", figures)


def covers(
    rows: pd.DataFrame, promised: Mapping[str, float], n_draws: int, *, first: bool = False
) -> Gate:
    """Whether intervals hold what was measured as often as they promise.

    Args:
        rows: with ``ssim``, ``ssim_low``, ``ssim_high``, ``svg_bytes``, ``bytes_low``,
            ``bytes_high``, ``group`` and the regions' columns.
        promised: the level of ``ssim`` and of ``log_bytes``, in (0, 1).
        n_draws: of the bootstrap.
        first: there is no champion: too few logos to tell are no refusal.
    """
    groups = rows["group"].to_numpy()
    n_groups = len(np.unique(groups))
    held = {
        "ssim": covered(rows["ssim"], rows["ssim_low"], rows["ssim_high"]),
        "log_bytes": covered(rows["svg_bytes"], rows["bytes_low"], rows["bytes_high"]),
    }
    found = {
        region: {
            target: _share(values[mask], groups[mask], promised[target], n_draws)
            for target, values in held.items()
        }
        for region, mask in region_masks(rows).items()
        if mask.any()
    }
    bands = {
        name: _share(held["ssim"][mask], groups[mask], promised["ssim"], n_draws)
        for name, mask in quality_band_masks(rows["ssim"].to_numpy(float)).items()
        if mask.any()
    }
    width = float((rows["ssim_high"] - rows["ssim_low"]).mean())
    figures = {"n_groups": n_groups, "regions": found, "ssim_bands": bands, "ssim_width": width}
    short, reason = _shortfall(found)
    if n_groups < MIN_GROUPS and first:
        reason = f"not judged on {n_groups} distinct test logos, where {MIN_GROUPS} would tell"
        return Gate("covers", True, reason, figures)
    return Gate("covers", not short, reason, figures)


def _shortfall(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> tuple[bool, str]:
    """Whether a share is short in a region that counts, and the sentence on that or the first."""
    told = [
        (region, target, found[region][target])
        for region in _GATED
        for target in found.get(region, {})
    ]
    region, target, one = next((line for line in told if line[2]["short"]), told[0])
    named = "SSIM" if target == "ssim" else "bytes"
    return bool(one["short"]), (
        f"its intervals of {named} promise {one['promised']:.0%} and hold {one['share']:.1%} of "
        f"the {region} region (95% interval {one['low']:.1%} to {one['high']:.1%})"
    )


def sane(rows: pd.DataFrame) -> Gate:
    """Whether what is said could be true at all.

    Args:
        rows: with the predictions and their intervals.
    """
    said = rows[["predicted_ssim", "ssim_low", "ssim_high", "predicted_svg_bytes", "bytes_low",
                 "bytes_high"]].to_numpy(float)  # fmt: skip
    ssim, low, high, size, size_low, size_high = said.T
    faults = {
        "not_finite": ~np.isfinite(said).all(axis=1),
        "ssim_outside_its_range": np.abs(ssim) > 1,
        "bytes_not_above_0": size <= 0,
        "outside_their_own_interval": (ssim < low) | (ssim > high) | (size < size_low)
        | (size > size_high),
    }  # fmt: skip
    counted = {name: int(rows_at_fault.sum()) for name, rows_at_fault in faults.items()}
    counted["the_same"] = len(said) if len(said) > 1 and not np.ptp(ssim) else 0
    bad = [
        f"{count} of {len(said)} are {name.replace('_', ' ')}"
        for name, count in counted.items()
        if count
    ]
    reason = (
        f"its predictions are not sound: {bad[0]}" if bad
        else "each prediction is a possible figure, within its own interval"
    )  # fmt: skip
    return Gate("sane", not bad, reason, counted)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of paired ratios of times, and whether more of them are needed."""

    median: float
    low: float  # of the median's 95% interval
    high: float
    n: int


def median_ratio(challenger: Sequence[float], champion: Sequence[float]) -> Ratio:
    """Median of ``challenger / champion``, pair by pair.

    The interval is that of the sign test (order statistics of the binomial): it needs no law of
    the noise, and one disturbed pair in ten moves it little.

    Args:
        challenger, champion: seconds of the same work, one after the other, ``n`` each.
    """
    ratios = np.sort(np.asarray(challenger, float) / np.asarray(champion, float))
    n = len(ratios)
    below = list(accumulate(math.comb(n, k) / 2**n for k in range(n)))
    cut = sum(share <= (1 - LEVEL) / 2 for share in below)  # that many fall off at each end
    low, high = ratios[max(cut - 1, 0)], ratios[min(n - cut, n - 1)]
    return Ratio(float(np.median(ratios)), float(low), float(high), n)


def is_decided(ratio: Ratio, max_slowdown: float) -> bool:
    """Whether the whole interval lies on one side of the limit."""
    limit = 1 + max_slowdown
    return ratio.high <= limit or ratio.low > limit


def not_slower(ratio: Ratio, max_slowdown: float, milliseconds: Mapping[str, float]) -> Gate:
    """Whether the challenger takes at most ``1 + max_slowdown`` times as long.

    Args:
        ratio: of paired times.
        max_slowdown: 0.2 for 20%.
        milliseconds: median time of each model, for people.
    """
    passed = ratio.median <= 1 + max_slowdown
    reason = (
        f"it takes {ratio.median:.2f} times as long (95% interval {ratio.low:.2f} to "
        f"{ratio.high:.2f}), at most {1 + max_slowdown:.2f} is allowed"
    )
    figures = asdict(ratio) | {
        "max_slowdown": max_slowdown,
        "decided": is_decided(ratio, max_slowdown),
        "milliseconds": dict(milliseconds),
    }
    return Gate("not_slower", passed, reason, figures)


def refusal(gates: Sequence[Gate]) -> str:
    """Why, in one phrase: the reasons of the gates that refuse; empty where none does."""
    return "; ".join(gate.reason for gate in gates if not gate.passed)


def _share(held: np.ndarray, groups: np.ndarray, promised: float, n_draws: int) -> dict[str, Any]:
    share = float(held.mean())
    ends = cluster_mean_interval(held, groups, n_draws, LEVEL) or (share, share)
    return {
        "n": len(held),
        "n_groups": len(np.unique(groups)),
        "promised": promised,
        "share": share,
        "low": ends[0],
        "high": ends[1],
        "short": share < promised - SHORTFALL and ends[1] < promised,
    }


def _sizes(named: str, told: Difference) -> str:
    return (
        f"mean absolute error of {named} {told.contender:.4f} against {told.reference:.4f}, "
        f"difference {told.difference:+.4f} (95% interval {told.low:+.4f} to {told.high:+.4f}) "
        f"on {told.n_groups} distinct logos"
    )
