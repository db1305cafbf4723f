"""Which conversions can be learned from; the others are kept aside, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from svg_quality.conversion.parameters import NAMES


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """A table parted in two; the counts add up."""

    kept: pd.DataFrame
    set_aside: pd.DataFrame  # the same columns and ``reason``


def clean_conversions(frame: pd.DataFrame) -> Cleaned:
    """Set aside failures and contradictions.

    Args:
        frame: a checked conversions table.

    Returns:
        Rows with figures, one for each picture and parameter set. Where the same picture and
        parameters carry the same SSIM twice the first row stays; where they carry different
        ones, none does.
    """
    reasons = pd.Series(pd.NA, index=frame.index, dtype="str")
    reasons[frame["error"].notna()] = "conversion failed: " + frame["error"].fillna("")
    key = ["image_id", "width", "height", *NAMES]
    measured = frame[frame["error"].isna()]
    conflict = measured.groupby(key, observed=True)["ssim"].transform("nunique") > 1
    reasons[conflict[conflict].index] = "same picture and parameters, different SSIM"
    repeated = measured.loc[~conflict, key].duplicated()
    reasons[repeated[repeated].index] = "repeats an earlier row"
    kept = reasons.isna()
    return Cleaned(
        frame[kept].reset_index(drop=True),
        frame[~kept].assign(reason=reasons[~kept]).reset_index(drop=True),
    )
