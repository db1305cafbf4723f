"""What a loss looks like around trained weights: along two random directions.

The directions are filter-normalised [1]_: a normal draw whose part for each row of a matrix is
as long as that row of weights. So one unit is a change as large as the weights themselves, and
pictures of differently scaled networks compare. Biases and batch norm keep their values.

References:
    .. [1] Li, Xu, Taylor, Studer, Goldstein (2018), Visualizing the loss landscape of neural
       nets, arXiv:1712.09913, section 4
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from svg_quality.errors import ModelError


def filter_normalised_direction(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """One direction: a tensor of its shape for each matrix of the model, by parameter name."""
    direction = {}
    for name, weight in model.named_parameters():
        if weight.ndim < 2:
            continue
        draw = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        lengths = [values.flatten(1).norm(dim=1) for values in (weight.detach(), draw)]
        ratio = lengths[0] / lengths[1].clamp(min=1e-12)
        direction[name] = draw * ratio.reshape(-1, *[1] * (weight.ndim - 1))
    return direction


def loss_landscape(
    model: nn.Module,
    measure: Callable[[], float],
    reach: float = 1.0,
    n_steps: int = 15,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """The loss on a square grid around the model's weights, which are as before afterwards.

    Args:
        model: trained.
        measure: the loss of the model as it is at that moment.
        reach: how far the grid goes each way, in units of the directions.
        n_steps: grid points along each direction; odd, so that the middle is the trained model.
        seed: of the two directions.

    Returns:
        The places along a direction, ``(n_steps,)``, and the loss, ``(n_steps, n_steps)``:
        float64, first direction along the rows.

    Raises:
        ModelError: ``n_steps`` is not odd and above 1, or ``reach`` not positive.
    """
    if n_steps < 3 or n_steps % 2 == 0 or not reach > 0:
        raise ModelError(f"n_steps must be odd, reach positive, got {n_steps} and {reach}")
    generator = torch.Generator().manual_seed(seed)
    first, second = (filter_normalised_direction(model, generator) for _ in range(2))
    parameters = dict(model.named_parameters())
    trained = {name: parameters[name].detach().clone() for name in first}
    places = np.linspace(-reach, reach, n_steps)
    values = np.empty((n_steps, n_steps))
    try:
        with torch.no_grad():
            for i, a in enumerate(places):
                for j, b in enumerate(places):
                    for name, weight in trained.items():
                        parameters[name].copy_(weight + a * first[name] + b * second[name])
                    values[i, j] = measure()
    finally:
        with torch.no_grad():
            for name, weight in trained.items():
                parameters[name].copy_(weight)
    return places, values
