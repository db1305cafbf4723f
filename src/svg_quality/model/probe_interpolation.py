"""Reading between probes: what a picture's few small conversions say of other parameters.

A probe tells SSIM and bytes at one fixed setting. For the setting asked for, a mixture of the
probes is a first answer::

    answer_h = sum_k softmax_k(q_h(parameters)) * probed_k,    h = 1 .. n_mixtures

The weights depend on the parameters and never on the picture: tens of thousands of rows teach
them, so they do not overfit on a few thousand logos as layers that see everything do. This is
attention with fixed keys [1]_; boosted trees can only cut such a blend into steps.

References:
    .. [1] Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from svg_quality.errors import ModelError

_LEAST, _MOST = -0.999, 0.9995  # SSIM of a probe, so that its inverse hyperbolic tangent is finite
_CLIP: Final = 6.0  # deviations beyond which a probe counts no more: no input is out of bounds
_WIDTH: Final = 64


class ProbeInterpolation(nn.Module):
    """Mixtures of probes, with weights from the parameters.

    Args:
        d_query: numbers that encode a parameter set.
        n_probes: probes of a picture.
        n_mixtures: answers to give; the layers after it choose among them.

    Shape:
        - query: ``(B, d_query)``; probed: ``(B, t, n_probes)``, of ``t`` targets;
        - output: ``(B, t, n_mixtures)``.

    Raises:
        ModelError: a size is not positive.

    Example:
        >>> ProbeInterpolation(16, 8).eval()(torch.zeros(5, 16), torch.zeros(5, 2, 8)).shape
        torch.Size([5, 2, 8])
    """

    def __init__(self, d_query: int, n_probes: int, n_mixtures: int = 8) -> None:
        super().__init__()
        if min(d_query, n_probes, n_mixtures) < 1:
            raise ModelError(f"sizes must be positive, got {(d_query, n_probes, n_mixtures)}")
        self.n_probes, self.n_mixtures = n_probes, n_mixtures
        self.query = nn.Sequential(
            nn.BatchNorm1d(d_query),
            nn.Linear(d_query, _WIDTH),
            nn.ReLU(),
            nn.Linear(_WIDTH, n_mixtures * n_probes),
        )

    def forward(self, query: Tensor, probed: Tensor) -> Tensor:
        """See the class."""
        scores = self.query(query).view(-1, self.n_mixtures, self.n_probes)
        return probed @ torch.softmax(scores, 2).transpose(1, 2)


def probed_targets(tabular: Tensor, n_probes: int, mean: Tensor, scale: Tensor) -> Tensor:
    """The last columns of the tabular inputs, in the units in which a head predicts.

    Args:
        tabular: ``(B, d)``; last come ``n_probes`` SSIM values, then as many of log bytes.
        n_probes: probes of a picture.
        mean, scale: of the targets ``atanh(SSIM)`` and log bytes, ``(2,)``.

    Returns:
        ``(B, 2, n_probes)``.
    """
    ssim = tabular[:, -2 * n_probes : -n_probes].clamp(_LEAST, _MOST)
    warped = 0.5 * torch.log((1 + ssim) / (1 - ssim))  # atanh, which the ONNX exporter lacks
    both = torch.stack([warped, tabular[:, -n_probes:]], 1)
    scaled = (both - mean.unsqueeze(1)) / scale.unsqueeze(1)
    return scaled.clamp(-_CLIP, _CLIP)
