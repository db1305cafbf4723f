"""Champion and challenger on the very same conversions: which errs less, and whose intervals hold.

Both predicted every picture of the challenger's share, so each measured set is a pair. The
comparison is that of `compare` (paired bootstrap by logo, Wilcoxon's test beside it); what is added
is coverage, and one verdict over SSIM and bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from svg_quality.evaluation.comparing.comparison import MIN_GROUPS, Comparison, compare
from svg_quality.evaluation.live.errors import Figure, held, mean_by_logo
from svg_quality.evaluation.live.joining import KEY_NAMES

AbVerdict = Literal["better", "worse", "no difference", "mixed", "not enough"]


@dataclass(frozen=True, slots=True)
class Intervals:
    """What one model's SSIM intervals were worth."""

    promised: float
    coverage: Figure
    width: float  # mean, SSIM


@dataclass(frozen=True, slots=True)
class SideBySide:
    """A challenger beside a champion."""

    champion: str  # name and version
    challenger: str
    verdict: AbVerdict  # on the challenger
    reason: str
    n: int  # conversions both predicted
    n_groups: int  # distinct logos of them
    start: datetime | None  # UTC, of the first conversion
    end: datetime | None
    comparison: Comparison | None  # None where too few logos tell
    intervals: dict[str, Intervals]  # champion and challenger


def side_by_side(rows: pd.DataFrame, tolerance: float, n_draws: int) -> list[SideBySide]:
    """Every pair of versions that predicted the same measured conversions, the newest first.

    Args:
        rows: of `joining.join`.
        tolerance: a difference of mean absolute error up to this is none, SSIM or log bytes.
        n_draws: of the bootstrap.
    """
    by_role = {role: rows[rows["role"] == role] for role in ("champion", "challenger")}
    found = []
    for challenger, theirs in by_role["challenger"].groupby("version"):
        for champion, ours in by_role["champion"].groupby("version"):
            pair = _paired(ours, theirs)
            if len(pair[0]):
                found.append(_compared(str(champion), str(challenger), pair, tolerance, n_draws))
    return sorted(found, key=_ended, reverse=True)


def _paired(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of both with the same picture and set, in the same order."""
    keyed = [part.set_index(list(KEY_NAMES), drop=False) for part in (ours, theirs)]
    common = keyed[0].index.intersection(keyed[1].index)
    left, right = (part.loc[common].reset_index(drop=True) for part in keyed)
    return left, right


def _compared(
    champion: str,
    challenger: str,
    pair: tuple[pd.DataFrame, pd.DataFrame],
    tolerance: float,
    n_draws: int,
) -> SideBySide:
    ours, theirs = pair
    n_groups = int(ours["group"].nunique())
    comparison = compare(ours, theirs, tolerance, n_draws) if n_groups >= MIN_GROUPS else None
    verdict, reason = _verdict(comparison, n_groups)
    return SideBySide(
        champion=champion,
        challenger=challenger,
        verdict=verdict,
        reason=reason,
        n=len(ours),
        n_groups=n_groups,
        start=ours["at"].min().to_pydatetime(),
        end=ours["at"].max().to_pydatetime(),
        comparison=comparison,
        intervals={
            role: _intervals(part, n_draws)
            for role, part in (("champion", ours), ("challenger", theirs))
        },
    )


def _intervals(rows: pd.DataFrame, n_draws: int) -> Intervals:
    return Intervals(
        promised=float(rows["level"].mean()),
        coverage=mean_by_logo(held(rows), rows, n_draws),
        width=float(np.mean(rows["ssim_high"] - rows["ssim_low"])),
    )


def _verdict(comparison: Comparison | None, n_groups: int) -> tuple[AbVerdict, str]:
    """SSIM and bytes over all measured sets; one of each makes ``mixed``."""
    if comparison is None:
        return "not enough", (
            f"{n_groups} distinct logos have predictions of both and a measurement,"
            f" a verdict takes {MIN_GROUPS}"
        )
    told = comparison.differences["full"]
    by_target = {"SSIM": told["ssim"].verdict, "bytes": told["log_bytes"].verdict}
    reason = ", ".join(f"{name}: {verdict}" for name, verdict in by_target.items())
    clear = {verdict for verdict in by_target.values() if verdict != "no difference"}
    if len(clear) > 1:
        return "mixed", reason
    for verdict in clear:
        return verdict, reason
    return "no difference", reason


def _ended(found: SideBySide) -> float:
    return found.end.timestamp() if found.end else 0.0
