"""How far the SSIM said of pictures' conversions is from what was measured."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from svg_quality.errors import ModelError
from svg_quality.model.losses import LossConfig
from svg_quality.training.pictures import PictureRows

_LOSS: Final = LossConfig()  # for the scale and the bend of the Huber loss


def ssim_loss(said: Tensor, measured: Tensor, reduction: str = "mean") -> Tensor:
    """Huber's, in units of the scale that `train` uses, on the device of what was said.

    Args:
        said: float32 ``(n,)``.
        measured: float32 ``(n,)``, on any device.
        reduction: ``mean``, or ``none`` for one of each row.
    """
    scaled = (said - measured.to(said.device)) / _LOSS.ssim_scale
    return huber_loss(scaled, torch.zeros_like(scaled), reduction, delta=_LOSS.huber_delta)


def losses_of_pictures(said: Tensor, rows: PictureRows) -> Tensor:
    """The mean loss of each picture's rows, float32 ``(n_images,)``.

    Args:
        said: of the rows, float32 ``(n,)`` on the CPU.
        rows: what was measured.
    """
    sums, counts = torch.zeros(2, rows.n_images)
    sums.index_add_(0, rows.image_index, ssim_loss(said, rows.ssim, "none"))
    counts.index_add_(0, rows.image_index, torch.ones(len(rows.ssim)))
    mean: Tensor = sums / counts
    return mean


def scores_of_rows(said: Tensor, rows: PictureRows) -> dict[str, float]:
    """``loss``, ``mae`` and ``r2`` of SSIM over all rows.

    Args:
        said: of the rows, float32 ``(n,)`` on the CPU.
        rows: what was measured.

    Raises:
        ModelError: the loss is not finite.
    """
    loss, residual = finite_loss(float(ssim_loss(said, rows.ssim))), said - rows.ssim
    r2 = 1 - float(residual.square().mean() / rows.ssim.var(correction=0))
    return {"loss": loss, "mae": float(residual.abs().mean()), "r2": r2}


def finite_loss(loss: float) -> float:
    """The loss as it is.

    Raises:
        ModelError: it is not finite.
    """
    if not math.isfinite(loss):
        raise ModelError(f"the loss must be finite, got {loss}: lower the learning rate")
    return loss
