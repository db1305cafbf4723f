"""What a balanced dataset looks like: shares of the logo types, and the span of quality."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

TYPE_SHARES: Final = {"simple": 0.30, "text": 0.25, "gradient": 0.25, "complex": 0.20}
SSIM_SPAN: Final = (0.3, 1.0)  # what conversions should cover
SSIM_EDGES: Final = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # cells of equal width within it


def ssim_cells(ssim: pd.Series[float]) -> pd.Series[int]:
    """The cell of each value: 0..6 within the span, -1 below it; 1.0 belongs to the last."""
    cells = np.searchsorted(SSIM_EDGES, ssim, side="right") - 1
    return pd.Series(np.minimum(cells, len(SSIM_EDGES) - 2), index=ssim.index)
