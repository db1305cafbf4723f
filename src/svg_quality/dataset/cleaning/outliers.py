"""Rows far from the others of their logo type: worth a look, and never dropped for it.

Distances are robust: from the median, in units of the median absolute deviation scaled to a
standard deviation [1]_. Sizes, counts and times spread over factors, so their logarithms count.

References:
    .. [1] Iglewicz, Hoaglin (1993), How to Detect and Handle Outliers, ASQC 16, chapter 3: also
       the mean absolute deviation where more than half of the values are the same
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd

JUDGED: Final[dict[str, Callable[[np.ndarray], np.ndarray]]] = {  # and the scale of each
    "ssim": np.asarray,
    "svg_bytes": np.log,
    "path_count": np.log1p,
    "mse": np.log1p,
    "trace_ms": np.log1p,
    "render_ms": np.log1p,
}
MIN_ROWS: Final = 20  # of a type; among fewer, "far from the others" means little
COLUMNS: Final = ("conversion_id", "logo_type", "figure", "value", "median", "distance")
_MAD_TO_SD: Final = 1.482602  # 1 / the normal distribution's third quartile
_MEAN_TO_SD: Final = 1.253314  # sqrt(pi / 2)


def find_outliers(frame: pd.DataFrame, limit: float) -> pd.DataFrame:
    """Every figure that is further from the median of its type than a limit.

    Args:
        frame: ``conversion_id``, ``logo_type`` and the figures of ``JUDGED``; a missing figure is
            no outlier.
        limit: robust standard deviations.

    Returns:
        A row for each such figure, the furthest first: ``conversion_id``, ``logo_type``,
        ``figure``, ``value``, ``median`` (of the type, as measured) and ``distance`` (robust
        standard deviations, negative below the median). A row may come for several figures.
    """
    codes, types = pd.factorize(frame["logo_type"], sort=True)
    found = []
    for figure, scale in JUDGED.items():
        column = np.asarray(frame[figure].to_numpy(np.float64, na_value=np.nan))
        for code, logo_type in enumerate(types):
            places = np.flatnonzero(codes == code)
            values = column[places]
            distance = robust_distance(scale(values))
            far = np.abs(distance) > limit
            if far.any():
                found.append(
                    pd.DataFrame(
                        {
                            "conversion_id": frame["conversion_id"].iloc[places[far]].astype("str"),
                            "logo_type": logo_type,
                            "figure": figure,
                            "value": values[far],
                            "median": np.nanmedian(values),
                            "distance": distance[far],
                        }
                    )
                )
    if not found:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(found, ignore_index=True)
    order = table["distance"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def robust_distance(values: np.ndarray) -> np.ndarray:
    """How far each value is from the median, in robust standard deviations.

    Args:
        values: float64 ``(N,)``; not-a-number for what is missing.

    Returns:
        ``(N,)``; 0 where ``N`` is under ``MIN_ROWS``, where a value is missing, and where all
        are the same.
    """
    known = values[~np.isnan(values)]
    if len(known) < MIN_ROWS:
        return np.zeros(len(values))
    centre = np.median(known)
    spread = _MAD_TO_SD * float(np.median(np.abs(known - centre)))
    if spread == 0:  # more than half are the same
        spread = _MEAN_TO_SD * float(np.mean(np.abs(known - centre)))
    if spread == 0:
        return np.zeros(len(values))
    return np.asarray(np.nan_to_num((values - centre) / spread))
