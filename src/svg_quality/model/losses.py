"""What training minimises.

Predictions are ``p``, measured values ``y``, ``r = p - y``, all in units of the target's own
scale. Of one SSIM or size, the point part is one of

=========  ===========================================================================
huber      ``r**2 / 2`` up to ``d``, then ``d (|r| - d / 2)``
mse, mae   ``r**2``, ``|r|``
focal      ``(2 sigmoid(b |r|) - 1)**g |r|``, see `FocalLoss`
ssim       1 - the SSIM of the batch's two vectors, see `SSIMLoss`
combined   huber, ssim and ranking together, the last two growing with the training
=========  ===========================================================================

Beside it stands the error part ``|r| / b + log(b)``, ``b = exp(log_error)``, whose best ``b`` is
the mean of ``|r|`` (Laplace's likelihood). There ``r`` is detached and in the target's own unit:
the part teaches what error to expect and leaves the point alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from svg_quality.errors import SettingsError
from svg_quality.model.quality_head import MemberOutputs
from svg_quality.model.weighting import Schedule, WeightedSum, Weighting

Point = Literal["huber", "mse", "mae", "ssim", "focal", "combined"]
CLEAR_DIFFERENCE = 0.01  # of SSIM: nearer than that, which of two is better does not matter
_BLOCK = 256  # rows set against all others at once, so that 4,096 rows take MB, not GB


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights and scales of the parts."""

    ssim_scale: float = 0.05  # SSIM; an error of this size counts 1
    bytes_scale: float = 0.3  # natural logarithm
    huber_delta: float = 0.5  # in units of the scale
    bytes_weight: float = 0.5
    error_weight: float = 0.1
    point: Point = "huber"  # of SSIM; log bytes always has Huber's
    ranking_weight: float = 0.0  # of the ranking loss of SSIM beside it
    weighting: Weighting = "fixed"  # of SSIM, log bytes and ranking

    def __post_init__(self) -> None:
        scales = self.ssim_scale, self.bytes_scale, self.huber_delta
        weights = self.bytes_weight, self.error_weight, self.ranking_weight
        sound = all(0 < scale < inf for scale in scales) and all(0 <= w < inf for w in weights)
        if not sound:
            raise SettingsError(f"scales must be positive and weights at least 0, got {self}")
        if self.point not in get_args(Point):
            raise SettingsError(f"point must be one of {get_args(Point)}, got {self.point!r}")


class SSIMLoss(nn.Module):
    """One minus the SSIM of two vectors: what was predicted for a batch, and what was measured.

    SSIM's own formula [1]_, with the whole batch as its one window::

        1 - (2 m_p m_y + C1) (2 c_py + C2) / ((m_p^2 + m_y^2 + C1) (v_p + v_y + C2))

    ``m`` means, ``v`` variances and ``c`` covariance (of the batch, divided by its size),
    ``C1 = (0.01 range)^2``, ``C2 = (0.03 range)^2``. It asks for the right spread and order of
    the values; its first factor barely sees a shift of values that lie far from zero, which
    Lin's concordance correlation [2]_, else alike, would. In [0, 2] for values of one sign.

    Shape:
        ``(B,)`` or ``(B, k)`` both, ``B`` at least 2, to a scalar, the mean over the columns.

    References:
        .. [1] Wang, Bovik, Sheikh, Simoncelli (2004), doi:10.1109/TIP.2003.819861
        .. [2] Lin (1989), doi:10.2307/2532051
    """

    def __init__(self, data_range: float = 1.0) -> None:
        super().__init__()
        if not data_range > 0:
            raise SettingsError(f"data_range must be positive, got {data_range}")
        self.data_range = data_range

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """See the class."""
        _check_shapes(pred, target)
        c1, c2 = (0.01 * self.data_range) ** 2, (0.03 * self.data_range) ** 2
        mean_p, mean_y = pred.mean(0), target.mean(0)
        p, y = pred - mean_p, target - mean_y
        luminance = (2 * mean_p * mean_y + c1) / (mean_p.square() + mean_y.square() + c1)
        structure = (2 * (p * y).mean(0) + c2) / (p.square().mean(0) + y.square().mean(0) + c2)
        return (1 - luminance * structure).mean()


class RankingLoss(nn.Module):
    """The margin by which pairs of a batch stand in the wrong order; zero where all are right.

    Mean over all pairs with ``y_i - y_j > threshold`` of ``max(0, margin - (p_i - p_j))`` (the
    hinge of RankSVM [1]_); zero where no pair is that far apart.

    Args:
        margin: by how much the better one shall be predicted better; at most ``threshold``, so
            that measured values themselves have no loss.
        threshold: measured difference from which the order of a pair counts.

    Shape:
        ``(B,)`` or ``(B, k)`` both, to a scalar.

    References:
        .. [1] Herbrich, Graepel, Obermayer (2000), Large margin rank boundaries for ordinal
           regression, MIT Press
    """

    def __init__(
        self, margin: float = CLEAR_DIFFERENCE, threshold: float = CLEAR_DIFFERENCE
    ) -> None:
        super().__init__()
        if not 0 <= margin <= threshold:
            raise SettingsError(f"margin must be in [0, {threshold=}], got {margin}")
        self.margin, self.threshold = margin, threshold

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """See the class."""
        _check_shapes(pred, target)
        total, n_pairs = pred.new_zeros(()), pred.new_zeros(())
        for p, y in zip(pred.split(_BLOCK), target.split(_BLOCK), strict=True):
            counts = (y.unsqueeze(1) - target) > self.threshold  # (block, B, ...)
            short = (self.margin - (p.unsqueeze(1) - pred)).clamp(min=0)
            total = total + (short * counts).sum()
            n_pairs = n_pairs + counts.sum()
        return total / n_pairs.clamp(min=1)


class FocalLoss(nn.Module):
    """Mean of ``(2 sigmoid(beta |r|) - 1)^gamma |r|``: rows already good count little.

    Focal-R of [1]_ (there with ``beta = 0.2``), after the focal loss of classification. With
    ``gamma = 0`` it is the mean absolute error; the factor lies in [0, 1).

    Args:
        beta: how soon an error counts in full; per unit of ``r``.
        gamma: how little a small one counts; 0, or at least 1 (between, the slope at 0 is not
            finite).

    Shape:
        any, both alike, to a scalar.

    References:
        .. [1] Yang, Zha, Chen, Wang, Katabi (2021), Delving into deep imbalanced regression,
           arXiv:2102.09554, with its code (``weighted_focal_l1_loss``)
    """

    def __init__(self, beta: float = 0.2, gamma: float = 1.0) -> None:
        super().__init__()
        if not (beta > 0 and (gamma == 0 or gamma >= 1)):
            raise SettingsError(f"beta must be positive, gamma 0 or from 1, got {beta}, {gamma}")
        self.beta, self.gamma = beta, gamma

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """See the class."""
        _check_shapes(pred, target)
        error = (pred - target).abs()
        return ((2 * torch.sigmoid(self.beta * error) - 1).pow(self.gamma) * error).mean()


class CombinedLoss(nn.Module):
    """A weighted sum of losses, as `WeightedSum` weighs them.

    Shape:
        what its losses take, to a mapping of each one's scalar, unweighted, and ``total_loss``.

    Example:
        >>> both = CombinedLoss({"mae": nn.L1Loss(), "ranking": RankingLoss()},
        ...                     {"mae": 1.0, "ranking": 0.0}, {"ranking": 0.5}, "linear")
        >>> float(both(torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.6]))["mae"])
        0.05...
    """

    def __init__(
        self,
        losses: Mapping[str, nn.Module],
        weights: Mapping[str, float],
        final_weights: Mapping[str, float] | None = None,
        schedule: Schedule = "constant",
        weighting: Weighting = "fixed",
    ) -> None:
        super().__init__()
        if set(losses) != set(weights) or "total_loss" in losses:
            raise SettingsError(f"each loss must have a weight, got {[*losses]} and {[*weights]}")
        self.losses = nn.ModuleDict(losses)
        self.sum = WeightedSum(weights, final_weights, schedule, weighting)

    def forward(self, pred: Tensor, target: Tensor, progress: float = 0.0) -> dict[str, Tensor]:
        """See the class; ``progress`` of the training in [0, 1]."""
        parts: dict[str, Tensor] = {name: loss(pred, target) for name, loss in self.losses.items()}
        return parts | {"total_loss": self.sum(parts, progress)}


class TrainingLoss(nn.Module):
    """What the trainer minimises: see the module.

    With learnt weights it has parameters, which an optimiser must be given too; in evaluation
    mode it is the fixed sum, so that epochs compare.

    Shape:
        - said: `MemberOutputs` of ``(B, k)``; ssim, log_bytes: measured, ``(B,)``;
        - output: a scalar, the mean over rows and members of the weighted sum of the parts.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.point = _point_loss(config)
        self.size = nn.HuberLoss(delta=config.huber_delta)
        weights = {"ssim": 1.0, "log_bytes": config.bytes_weight, "ranking": config.ranking_weight}
        self.ranking = _ranking(config) if config.ranking_weight else None
        if self.ranking is None:
            del weights["ranking"]
        self.sum = WeightedSum(weights, weighting=config.weighting)

    def forward(
        self, said: MemberOutputs, ssim: Tensor, log_bytes: Tensor, progress: float = 0.0
    ) -> Tensor:
        """See the class; ``progress`` of the training in [0, 1]."""
        config = self.config
        ssim, log_bytes = (y.unsqueeze(1).expand_as(said.ssim) for y in (ssim, log_bytes))
        scaled = said.ssim / config.ssim_scale, ssim / config.ssim_scale
        parts = {
            "ssim": self._of_ssim(*scaled, progress),
            "log_bytes": self.size(
                said.log_bytes / config.bytes_scale, log_bytes / config.bytes_scale
            ),
        }
        if self.ranking is not None:
            parts["ranking"] = self.ranking(*scaled)
        expected = _expected_error(said.ssim, said.log_error, ssim) + (
            config.bytes_weight
            * _expected_error(said.log_bytes, said.log_bytes_log_error, log_bytes)
        )
        total: Tensor = self.sum(parts, progress) + config.error_weight * expected
        return total

    def _of_ssim(self, said: Tensor, measured: Tensor, progress: float) -> Tensor:
        if isinstance(self.point, CombinedLoss):
            combined: Tensor = self.point(said, measured, progress)["total_loss"]
            return combined
        alone: Tensor = self.point(said, measured)
        return alone


def _point_loss(config: LossConfig) -> nn.Module:
    huber = nn.HuberLoss(delta=config.huber_delta)
    similarity = SSIMLoss(1 / config.ssim_scale)
    match config.point:
        case "huber":
            return huber
        case "mse":
            return nn.MSELoss()
        case "mae":
            return nn.L1Loss()
        case "focal":
            return FocalLoss(beta=2.0)
        case "ssim":
            return similarity
        case "combined":
            return CombinedLoss(
                {"huber": huber, "ssim": similarity, "ranking": _ranking(config)},
                {"huber": 1.0, "ssim": 0.0, "ranking": 0.0},
                {"ssim": 0.5, "ranking": 0.1},
                "cosine",
            )


def _ranking(config: LossConfig) -> RankingLoss:
    clear = CLEAR_DIFFERENCE / config.ssim_scale
    return RankingLoss(clear, clear)


def _expected_error(said: Tensor, log_error: Tensor, measured: Tensor) -> Tensor:
    residual = (said - measured).detach().abs()
    return (residual * torch.exp(-log_error) + log_error).mean()


def _check_shapes(pred: Tensor, target: Tensor) -> None:
    if pred.shape != target.shape:
        raise SettingsError(
            f"predicted and measured must be of one shape, got {tuple(pred.shape)} and "
            f"{tuple(target.shape)}"
        )
