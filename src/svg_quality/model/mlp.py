"""Perceptrons, and the plain SSIM predictor made of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from svg_quality.errors import ModelError
from svg_quality.model.dropout import BitDropout
from svg_quality.model.json_config import JsonConfig

OUTPUTS_IN_RANGE: Final = ("sigmoid", "tanh")


def multilayer_perceptron(
    d_in: int,
    hidden_dims: Sequence[int],
    d_out: int,
    dropout_rate: float,
    use_batch_norm: bool,
) -> nn.Sequential:
    """What both networks are made of: per width linear, batch norm, ReLU, dropout; then linear.

    Shape: ``(B, d_in)`` to ``(B, d_out)``.

    Raises:
        ModelError: there is no width, a width is not positive, or the rate is not in [0, 1).
    """
    widths = [d_in, *hidden_dims]
    if len(widths) < 2 or min(widths) < 1:
        raise ModelError(f"hidden_dims must be one or more positive widths, got {hidden_dims}")
    if not 0 <= dropout_rate < 1:
        raise ModelError(f"dropout_rate must be in [0, 1), got {dropout_rate}")
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers.append(nn.Linear(before, after))
        if use_batch_norm:
            layers.append(nn.BatchNorm1d(after))
        layers += [nn.ReLU(), BitDropout(dropout_rate)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], d_out))


def initialise(layers: Sequence[nn.Module]) -> None:
    """Kaiming (He et al. 2015, arXiv:1502.01852): a layer before a ReLU keeps the variance.

    The last layer has no ReLU behind it, and its gain is 1; biases start at 0. `QualityHead` keeps
    torch's own start, Kaiming's with a sixth of the variance: with this one its validation loss
    was 0.134, not 0.122 (two seeds, experiments/LOG.md).
    """
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    for layer in linear:
        before_relu = layer is not linear[-1]
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu" if before_relu else "linear")
        nn.init.zeros_(layer.bias)


@dataclass(frozen=True, slots=True)
class PredictorConfig(JsonConfig):
    """What an `SSIMPredictor` is made of; plain numbers, so that it can be written as JSON."""

    input_dim: int
    hidden_dims: tuple[int, ...] = (1024, 512, 256, 128)
    dropout_rate: float = 0.3
    use_batch_norm: bool = True
    output: str = "sigmoid"  # or "tanh": (1 + tanh x) / 2, twice as steep at its middle


class SSIMPredictor(nn.Module):
    """SSIM from one vector per row: features alone, or features and parameters side by side.

    Args:
        input_dim, hidden_dims, dropout_rate, use_batch_norm, output: see `PredictorConfig`;
            ``SSIMPredictor(**dataclasses.asdict(config))`` builds one from its settings.

    Shape:
        - input: ``(B, input_dim)``; output: ``(B, 1)``, in [0, 1].

    Raises:
        ModelError: a width is not positive, the rate not in [0, 1), or the output unknown.

    Example:
        >>> SSIMPredictor(2048).eval()(torch.zeros(2, 2048)).shape
        torch.Size([2, 1])
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dims: Sequence[int] = (1024, 512, 256, 128),
        dropout_rate: float = 0.3,
        use_batch_norm: bool = True,
        output: str = "sigmoid",
    ) -> None:
        super().__init__()
        if output not in OUTPUTS_IN_RANGE:
            raise ModelError(f"output must be one of {', '.join(OUTPUTS_IN_RANGE)}, got {output!r}")
        self.config = PredictorConfig(
            input_dim, tuple(hidden_dims), dropout_rate, use_batch_norm, output
        )
        self.layers = multilayer_perceptron(input_dim, hidden_dims, 1, dropout_rate, use_batch_norm)
        initialise(list(self.layers))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        raw: Tensor = self.layers(x)
        return torch.sigmoid(raw) if self.config.output == "sigmoid" else (1 + torch.tanh(raw)) / 2
