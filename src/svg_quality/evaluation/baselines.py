"""What the model has to beat, fitted on the same training rows.

* ``mean``: the mean of the training rows;
* ``parameters_only``: gradient boosting on the encoded parameters;
* ``image_only``: gradient boosting on the statistics, the probes and the 16 main components of the
  features;
* ``gradient_boosting_simple``: gradient boosting on the parameters and plain statistics of the
  picture, what one would pick without knowing the converter;
* ``gradient_boosting``: gradient boosting on the very tabular inputs the model gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from svg_quality.features.boosting import boosted_trees
from svg_quality.features.inputs import BLOCKS
from svg_quality.training.rows import Rows

NAMES: Final = (
    "mean", "parameters_only", "image_only", "gradient_boosting_simple", "gradient_boosting",
)  # fmt: skip
_OF_IMAGE: Final = np.r_[BLOCKS["simple"], BLOCKS["probes"]]  # columns
_SIMPLE: Final = np.r_[BLOCKS["parameters"], BLOCKS["simple"]]
_N_COMPONENTS: Final = 16
_N_ROUNDS: Final = 300
_LEARNING_RATE: Final = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class BaselinePrediction:
    """What one baseline says of the asked rows; both ``(n,)``."""

    ssim: np.ndarray
    log_bytes: np.ndarray


def fit_and_predict(
    train: Rows, asked: Rows, names: tuple[str, ...] = NAMES, seed: int = 0
) -> dict[str, BaselinePrediction]:
    """Fit each baseline on ``train`` and predict both targets of ``asked``."""
    return {
        name: BaselinePrediction(
            ssim=np.clip(_predict(name, train, asked, train.ssim, seed), -1, 1),
            log_bytes=_predict(name, train, asked, train.log_bytes, seed),
        )
        for name in names
    }


def _predict(name: str, train: Rows, asked: Rows, target: np.ndarray, seed: int) -> np.ndarray:
    if name == "mean":
        return np.full(len(asked), float(target.mean()))
    if name == "parameters_only":
        block = BLOCKS["parameters"]
        return _boost(train.tabular[:, block], target, asked.tabular[:, block], seed)
    if name == "image_only":
        return _image_only(train, asked, target, seed)
    if name == "gradient_boosting_simple":
        return _boost(train.tabular[:, _SIMPLE], target, asked.tabular[:, _SIMPLE], seed)
    return _boost(train.tabular, target, asked.tabular, seed)


def _image_only(train: Rows, asked: Rows, target: np.ndarray, seed: int) -> np.ndarray:
    """Fitted on one row per image, its mean target: all rows of an image look alike to it."""
    images, first, of_row = np.unique(train.image_index, return_index=True, return_inverse=True)
    mean = np.bincount(of_row, target) / np.bincount(of_row)
    seen = train.features[images].astype(np.float64)
    centre, scale = seen.mean(0), seen.std(0) + 1e-9
    axes = np.linalg.svd((seen - centre) / scale, full_matrices=False)[2][:_N_COMPONENTS]

    def inputs(rows: Rows, which: np.ndarray) -> np.ndarray:
        reduced = (rows.features[rows.image_index[which]] - centre) / scale @ axes.T
        return np.concatenate([rows.tabular[which][:, _OF_IMAGE], reduced], 1)

    first_asked, of_asked = np.unique(asked.image_index, return_index=True, return_inverse=True)[1:]
    return _boost(inputs(train, first), mean, inputs(asked, first_asked), seed)[of_asked]


def _boost(x: np.ndarray, y: np.ndarray, asked: np.ndarray, seed: int) -> np.ndarray:
    return boosted_trees(x, y, seed, n_rounds=_N_ROUNDS, learning_rate=_LEARNING_RATE)(asked)
