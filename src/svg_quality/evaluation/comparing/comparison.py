"""Whether one model errs less than another on the same rows, and by how much.

Rows of one logo are alike, so logos are drawn, not rows: the paired bootstrap resamples whole
groups and looks at the difference of the two mean absolute errors in each draw. Beside it stands
Wilcoxon's signed-rank test of each group's mean difference [1]_: it asks about the middle of the
groups, the bootstrap about the mean of the rows, and the verdict follows the bootstrap.

References:
    .. [1] Wilcoxon (1945), Individual comparisons by ranking methods, doi:10.2307/3001968
    .. [2] Holm (1979), A simple sequentially rejective multiple test procedure,
       https://www.jstor.org/stable/4615733
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from svg_quality.errors import DatasetError, SettingsError
from svg_quality.evaluation.metrics import draw_means, region_masks
from svg_quality.evaluation.residuals import quality_band_masks, value_masks

Verdict = Literal["better", "worse", "no difference"]
MIN_GROUPS: Final = 10  # fewer logos than this make no verdict
LEVEL: Final = 0.95
SIGNIFICANT: Final = 0.05
TARGETS: Final = {"ssim": "SSIM", "log_bytes": "log bytes"}


@dataclass(frozen=True, slots=True)
class Difference:
    """A contender's mean absolute error beside the reference's; below 0 it errs less."""

    n: int
    n_groups: int
    reference: float  # mean absolute error, in the target's unit
    contender: float
    difference: float  # contender minus reference
    low: float  # of the 95% interval
    high: float
    wilcoxon: float | None  # two-sided p-value; None where no group differs
    groups_better: float  # share of groups in which the contender errs less
    verdict: Verdict
    reason: str  # why, in one phrase


@dataclass(frozen=True, slots=True)
class Subgroup:
    """One logo type or quality band: did it get worse?"""

    name: str
    n: int
    n_groups: int
    difference: float | None
    p: float | None  # one-sided: that it did not get worse; None where too few logos tell
    p_holm: float | None  # the same, for as many questions as were asked
    regressed: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """One contender beside the reference."""

    differences: dict[str, dict[str, Difference]]  # region -> target
    subgroups: list[Subgroup]  # of the SSIM error, full region

    @property
    def regressions(self) -> list[Subgroup]:
        """The subgroups that got clearly worse."""
        return [subgroup for subgroup in self.subgroups if subgroup.regressed]


def compare(
    reference: pd.DataFrame,
    contender: pd.DataFrame,
    tolerance: float,
    n_draws: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare two models' predictions of the same rows.

    Args:
        reference, contender: row by row the same conversions, of `predictions.aligned`.
        tolerance: a difference of MAE up to this is none, in the target's unit.
        n_draws: of the bootstrap.
        seed: of its draws.
    """
    errors = {target: (absolute_errors(reference, target), absolute_errors(contender, target))
              for target in TARGETS}  # fmt: skip
    groups = reference["group"].to_numpy()
    return Comparison(
        differences={
            region: {
                target: mean_difference(
                    ours[mask], theirs[mask], groups[mask], tolerance, n_draws, seed
                )
                for target, (ours, theirs) in errors.items()
            }
            for region, mask in region_masks(reference).items()
            if mask.any()
        },
        subgroups=find_regressions(
            *errors["ssim"], groups, _subgroups(reference), tolerance, n_draws, seed
        ),
    )


def mean_difference(
    reference: np.ndarray,
    contender: np.ndarray,
    groups: np.ndarray,
    tolerance: float,
    n_draws: int = 2000,
    seed: int = 0,
) -> Difference:
    """The difference of two mean absolute errors, with a verdict.

    Args:
        reference, contender: absolute errors of the same rows, ``(n,)``.
        groups: ``(n,)``, the logo of each row.
        tolerance: a difference up to this is none.
        n_draws, seed: of the bootstrap.

    Raises:
        DatasetError: the arrays differ in length or are empty.
    """
    if not len(reference) == len(contender) == len(groups) > 0:
        raise DatasetError(
            "errors to compare must be paired and one or more, got "
            f"{len(reference)}, {len(contender)} and {len(groups)} groups"
        )
    apart = contender - reference
    drawn = draw_means(groups, n_draws, seed)(apart)
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    by_group = group_means(apart, groups)
    difference = float(apart.mean())
    p = _wilcoxon(by_group)
    verdict, reason = _verdict(difference, float(low), float(high), tolerance, len(by_group))
    if verdict != "no difference" and (p is None or p >= SIGNIFICANT):
        reason += "; Wilcoxon's test does not confirm it: few logos make the difference"
    return Difference(
        n=len(apart),
        n_groups=len(by_group),
        reference=float(reference.mean()),
        contender=float(contender.mean()),
        difference=difference,
        low=float(low),
        high=float(high),
        wilcoxon=p,
        groups_better=float((by_group < 0).mean()),
        verdict=verdict,
        reason=reason,
    )


def find_regressions(
    reference: np.ndarray,
    contender: np.ndarray,
    groups: np.ndarray,
    subgroups: Mapping[str, np.ndarray],
    tolerance: float,
    n_draws: int = 2000,
    seed: int = 0,
) -> list[Subgroup]:
    """Subgroups of rows that got clearly worse, whatever the whole did.

    A subgroup regressed where its MAE rose by more than ``tolerance`` and the one-sided paired
    bootstrap, corrected by Holm for the number of subgroups [2]_, gives less than 0.05.

    Args:
        reference, contender, groups: as for `mean_difference`.
        subgroups: name -> bool ``(n,)``.
        tolerance, n_draws, seed: as for `mean_difference`.

    Raises:
        SettingsError: so few draws that no p-value could ever be small enough.
    """
    _check_draws(groups, subgroups, n_draws)
    found = []
    for name, mask in subgroups.items():
        apart, logos = (contender - reference)[mask], groups[mask]
        n_groups = len(np.unique(logos))
        mean = float(apart.mean()) if len(apart) else None
        p = None
        if n_groups >= MIN_GROUPS:
            p = (1 + int((draw_means(logos, n_draws, seed)(apart) <= 0).sum())) / (n_draws + 1)
        found.append((name, len(apart), n_groups, mean, p))
    corrected = iter(holm([p for *_, p in found if p is not None]))
    lines = []
    for name, n, n_groups, mean, p in found:
        p_holm = None if p is None else next(corrected)
        worse = p_holm is not None and p_holm < SIGNIFICANT and (mean or 0) > tolerance
        lines.append(Subgroup(name, n, n_groups, mean, p, p_holm, worse))
    return lines


def _check_draws(groups: np.ndarray, subgroups: Mapping[str, np.ndarray], n_draws: int) -> None:
    """The smallest p-value is 1 / (n_draws + 1), and Holm multiplies it by what is asked."""
    n_asked = sum(len(np.unique(groups[mask])) >= MIN_GROUPS for mask in subgroups.values())
    needed = math.ceil(n_asked / SIGNIFICANT)
    if n_draws < needed:
        raise SettingsError(
            f"n_draws must be at least {needed} to find a regression among {n_asked} types and"
            f" bands, got {n_draws}"
        )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the adjusted p-values, in the order they came."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted.tolist()


def group_means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The mean of each group, ``(n_groups,)``, in the order of their sorted names."""
    _, of_row = np.unique(groups, return_inverse=True)
    means: np.ndarray = np.bincount(of_row, values) / np.bincount(of_row)
    return means


def _verdict(
    difference: float, low: float, high: float, tolerance: float, n_groups: int
) -> tuple[Verdict, str]:
    if n_groups < MIN_GROUPS:
        return "no difference", f"{n_groups} distinct logos are too few to tell"
    if low <= 0 <= high:
        if -tolerance <= low and high <= tolerance:
            return "no difference", "the whole interval lies within the tolerance"
        return "no difference", "the interval holds zero: nothing is shown either way"
    if abs(difference) <= tolerance:
        return "no difference", "the difference is within the tolerance"
    if difference < 0:
        return "better", "the whole interval lies below zero"
    return "worse", "the whole interval lies above zero"


def _wilcoxon(by_group: np.ndarray) -> float | None:
    from scipy import stats  # heavy

    if not by_group.any():
        return None
    # Pratt's way: a logo on which both err alike is a fact too, not a missing one.
    return float(stats.wilcoxon(by_group, zero_method="pratt", method="approx").pvalue)


def absolute_errors(rows: pd.DataFrame, target: str) -> np.ndarray:
    """``|predicted - measured|`` of ``ssim`` or of ``log_bytes``, float64 ``(n,)``."""
    if target == "ssim":
        said = (rows["predicted_ssim"] - rows["ssim"]).to_numpy(float)
    else:
        said = np.log((rows["predicted_svg_bytes"] / rows["svg_bytes"]).to_numpy(float))
    errors: np.ndarray = np.abs(said)
    return errors


def _subgroups(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    named = {f"type {name}": mask for name, mask in sorted(value_masks(rows["logo_type"]).items())}
    bands = quality_band_masks(rows["ssim"].to_numpy(float))
    return named | {f"SSIM {name}": mask for name, mask in bands.items()}
