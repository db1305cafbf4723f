"""The numbers of `residual.ResidualPrior`, and what the process is told of a set.

By marginal likelihood, 140 steps of Adam (experiments/benchmarks/fit_residual_priors.py), from the
residuals of the demo's model on 80 logos of its validation split, 257 measured sets each; widths
and predictions are the model's own. They say where a model of this design errs alike, which
training it again does not change; how far it errs is in the widths, calibrated in every bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from svg_quality.conversion.parameters import Parameters
from svg_quality.features.inputs import TABULAR_NAMES, tabular_inputs
from svg_quality.optimization.residual import ResidualPrior

LENGTHS: Final[dict[str, tuple[float, float]]] = {  # input: of SSIM's residuals, of log bytes'
    "is_binary": (5.4, 1.84),
    "is_cutout": (2.34, 0.952),
    "is_spline": (3.47, 0.949),
    "corner_threshold": (0.364, 0.712),
    "log_length_threshold": (1.11, 1.08),
    "splice_threshold": (0.565, 0.413),
    "log_path_precision": (4.49, 1.06),
    "at_binary_log_kept": (19.4, 0.545),
    "at_binary_lost_area": (0.0311, 0.0449),
    "at_log_regions": (19.8, 3.11),
    "at_boundary": (0.518, 1.02),
    "at_corners": (0.118, 0.0204),
    "at_seams": (0.0221, 0.552),
    "at_contrast": (0.0126, 0.139),
    "at_ssim_flat": (1.28, 1.11),
    "at_rms_flat": (221, 76),
    "at_ssim_merged": (1.58, 1.89),
    "at_log_merged": (1.47, 0.914),
    "at_merged_boundary": (0.264, 0.111),
    "at_log_kept": (6.72, 7.47),
    "at_log_perimeter": (11.1, 13.7),
    "at_log_error": (23.9, 63.8),
    "at_lost_area": (7.27, 9.55),
    "ssim": (0.0202, 0.023),
    "log_bytes": (5.45, 0.526),
}
_SAID: Final = ("ssim", "log_bytes")  # the inputs that are predictions
_COLUMNS: Final = [TABULAR_NAMES.index(name) for name in LENGTHS if name not in _SAID]
_OF_SSIM, _OF_LOG_BYTES = np.array(list(LENGTHS.values())).T

SSIM_PRIOR: Final = ResidualPrior(
    _OF_SSIM, power=0.949, similar=0.382, shared=0.0189, offset=6.26e-05, own=0.035
)
LOG_BYTES_PRIOR: Final = ResidualPrior(
    _OF_LOG_BYTES, power=0.914, similar=0.307, shared=0.0153, offset=0.00352, own=0.0295
)


def residual_inputs(
    descriptors: np.ndarray,
    canonical_sets: Sequence[Parameters],
    ssim: np.ndarray,
    log_bytes: np.ndarray,
) -> np.ndarray:
    """Inputs of the process; float64 ``(n, d)``.

    Args:
        descriptors: of the picture, from `describe`.
        canonical_sets: ``n`` sets, what VTracer does not read at its default (`dials.canonical`).
        ssim, log_bytes: predicted, float64 ``(n,)``.
    """
    told = tabular_inputs(descriptors, canonical_sets)[:, _COLUMNS].astype(np.float64)
    return np.column_stack([told, ssim, log_bytes])
