"""What training minimises.

Per row and member, in units of the target's own scale ``s``, with ``r`` the error::

    point:  Huber_d(r / s)                         errors under d squared, larger ones linear
    error:  |r| / b + log(b),  b = exp(log_error)  Laplace: its best b is the mean of |r|

In the second the error is detached: it teaches what error to expect and leaves the point alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from svg_quality.model.mlp import MemberOutputs


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Weights and scales of the parts."""

    ssim_scale: float = 0.05  # SSIM; an error of this size counts 1
    bytes_scale: float = 0.3  # natural logarithm
    huber_delta: float = 0.5  # in units of the scale
    bytes_weight: float = 0.5
    error_weight: float = 0.1


def member_loss(said: MemberOutputs, ssim: Tensor, log_bytes: Tensor, config: LossConfig) -> Tensor:
    """Mean over rows and members of the weighted sum of the parts.

    Args:
        said: of the members, ``(B, k)`` each.
        ssim: measured, ``(B,)``.
        log_bytes: measured, natural logarithm, ``(B,)``.
        config: weights and scales.

    Returns:
        A scalar.
    """
    return point_and_error(said.ssim, said.log_error, ssim, config.ssim_scale, config) + (
        config.bytes_weight
        * point_and_error(
            said.log_bytes, said.log_bytes_log_error, log_bytes, config.bytes_scale, config
        )
    )


def point_and_error(
    said: Tensor, log_error: Tensor, measured: Tensor, scale: float, config: LossConfig
) -> Tensor:
    """The two parts for one target; ``said`` and ``log_error`` are ``(B, k)``."""
    residual = said - measured.unsqueeze(1)
    point = huber_loss(residual / scale, torch.zeros_like(residual), delta=config.huber_delta)
    error = residual.detach().abs() * torch.exp(-log_error) + log_error
    return point + config.error_weight * error.mean()
