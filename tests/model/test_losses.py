"""The loss written out, and its gradients."""

import numpy as np
import pytest
import torch

from svg_quality.model.losses import LossConfig, member_loss
from svg_quality.model.mlp import MemberOutputs


def said(seed: int = 0, b: int = 5, k: int = 3) -> tuple[MemberOutputs, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    draw = [torch.randn(b, k, generator=generator, dtype=torch.float64) for _ in range(4)]
    outputs = MemberOutputs(draw[0] * 0.1, draw[1], draw[2] - 3, draw[3] - 1)
    return outputs, 0.1 * torch.randn(b, dtype=torch.float64), torch.randn(b, dtype=torch.float64)


def test_it_is_the_formula_of_the_module() -> None:
    outputs, ssim, log_bytes = said()
    config = LossConfig()
    total = 0.0
    for point, log_error, y, scale, weight in (
        (outputs.ssim, outputs.log_error, ssim, config.ssim_scale, 1),
        (outputs.log_bytes, outputs.log_bytes_log_error, log_bytes, config.bytes_scale,
         config.bytes_weight),
    ):  # fmt: skip
        r = point.numpy() - y.numpy()[:, None]
        z, d, b = np.abs(r / scale), config.huber_delta, np.exp(log_error.numpy())
        huber = np.where(z <= d, z**2 / 2, d * (z - d / 2))
        total += weight * (huber + config.error_weight * (np.abs(r) / b + np.log(b))).mean()
    assert member_loss(outputs, ssim, log_bytes, config).item() == pytest.approx(total, rel=1e-9)


def test_gradients_are_those_of_finite_differences() -> None:
    outputs, ssim, log_bytes = said()
    config = LossConfig(error_weight=0.0)  # the detached error has no finite difference
    parts = [part.requires_grad_() for part in outputs]
    assert torch.autograd.gradcheck(
        lambda *given: member_loss(MemberOutputs(*given), ssim, log_bytes, config), parts
    )


def test_the_error_part_leaves_the_point_alone_and_has_its_least_at_the_mean_error() -> None:
    point = torch.zeros(4, 1, requires_grad=True)
    error = torch.tensor([0.1, 0.2, 0.3, 0.6])
    log_error = torch.full((4, 1), float(np.log(0.3)), requires_grad=True)  # 0.3 is their mean
    outputs = MemberOutputs(point, point.detach(), log_error, torch.zeros(4, 1))
    config = LossConfig(huber_delta=1.0, bytes_weight=0.0, error_weight=1e6, ssim_scale=1.0)
    member_loss(outputs, error, torch.zeros(4), config).backward()
    assert log_error.grad is not None
    assert point.grad is not None
    assert log_error.grad.sum().item() == pytest.approx(0, abs=0.5)  # of a weight of 1e6
    assert point.grad.flatten().tolist() == pytest.approx((-error / 4).tolist())
