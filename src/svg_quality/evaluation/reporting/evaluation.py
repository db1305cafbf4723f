"""Everything that the page of one evaluation tells, and whether it can be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.images import load_image
from svg_quality.conversion.parameters import NAMES
from svg_quality.errors import DatasetError
from svg_quality.evaluation.comparing.predictions import Predictions
from svg_quality.evaluation.reporting.gallery import LoadRgb

_NUMBERS: Final = (
    "ssim", "svg_bytes", "predicted_ssim", "ssim_low", "ssim_high", "predicted_svg_bytes"
)  # fmt: skip
REQUIRED: Final = ("image_id", "image_path", "source", "logo_type", "everyday", *NAMES, *_NUMBERS)


def load_logo(image_path: str) -> np.ndarray:
    """The image at a path as it is converted by default: uint8 ``(H, W, 3)``.

    Raises:
        ImageError: it cannot be read.
    """
    return load_image(Path(image_path)).rgb


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationReport:
    """Everything one page tells.

    Attributes:
        title: of the page.
        context: what was evaluated on what: model version, run, dataset, commit, versions.
        rows: one per conversion of the split, with the columns ``REQUIRED``.
        metrics: region -> target -> metric -> number, and region -> ``coverage`` and ``choice``
            -> numbers.
        baselines: by name, each in the shape of ``metrics``.
        warnings: what a reader must know first, such as random backbone weights.
        interval: promised coverage of ``ssim_low``..``ssim_high``, in (0, 1).
        logo_column: the column that tells logos apart; copies of a logo share its value.
        load_rgb: the image at a recorded path, uint8 ``(H, W, 3)``, at the recorded working size.
        timing: how long predictions took, ms; `MS_PER_10000` is graded.
        features: of `feature_statistics`.
        predictions: the table to keep beside the page, for `compare`.
        levels: promised level -> lower and upper ends of every row, for the calibration curve.
    """

    title: str
    context: Mapping[str, str]
    rows: pd.DataFrame
    metrics: Mapping[str, Any]
    baselines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    interval: float = 0.9
    logo_column: str = "image_id"
    load_rgb: LoadRgb = load_logo
    timing: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, float | int | None] = field(default_factory=dict)
    predictions: Predictions | None = None
    levels: Mapping[float, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def check(self) -> None:
        """Whether all of it can be drawn.

        Raises:
            DatasetError: the rows are empty, lack a column, or hold a number that cannot be drawn.
        """
        rows = self.rows
        missing = [name for name in (*REQUIRED, self.logo_column) if name not in rows]
        if missing:
            raise DatasetError(
                f"an evaluation needs all its columns, it lacks {', '.join(missing)}"
            )
        if rows.empty:
            raise DatasetError("an evaluation must have at least one row, got none")
        for name in _NUMBERS:
            values = rows[name].to_numpy(float, na_value=np.nan)
            n_bad = int((~np.isfinite(values)).sum())
            if n_bad:
                raise DatasetError(f"{name} must be a finite number in every row, {n_bad} are not")
            if name.endswith("bytes") and values.min() <= 0:
                raise DatasetError(f"{name} must be above 0 in every row, got {values.min():g}")
