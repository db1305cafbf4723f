"""What a network is tried with: inputs of any number of rows, a loss, and ranges of its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ModelError
from svg_quality.features.backbone import ResNetFeatureExtractor
from svg_quality.features.preprocessing import INPUT_SIZE
from svg_quality.model.mlp import SSIMPredictor
from svg_quality.model.modes import mode
from svg_quality.model.quality_head import QualityHead
from svg_quality.model.quality_model import N_PARAMETERS, QualityPredictionModel, encode_parameters

Inputs = tuple[Tensor, ...]
Range = tuple[float, float]
UNIT: Range = (0.0, 1.0)
POSITIVE: Range = (0.0, math.inf)
# ResNet-50: 1.5e-5 was measured in float32, and 0 in float64 on the same 33 rows.
DEEP: Final = 1e-4


def squares(model: nn.Module, inputs: Inputs) -> Tensor:
    """Mean square of all outputs: a loss for where only the way back through the network counts."""
    outputs = [said.float() for said in named_outputs(model(*inputs)).values()]
    return torch.cat([said.flatten() for said in outputs]).square().mean()


@dataclass(frozen=True, slots=True)
class Example:
    """How to try a network.

    Args:
        inputs: rows asked for -> inputs, each ``(n, ...)`` float32; fewer rows are the first of
            more, and every call gives the same.
        ranges: of outputs, by name (see `named_outputs`); others must be finite, no more.
        loss: network and inputs -> a number, in training mode.
        n_training: rows of a training step.
        n_timed, n_passes: rows of a pass that is timed, and how often it is.
        tolerance: of a row's outputs alone and in a batch, over the largest output or 1. In float32
            the kernels add up in another order; the deeper the network, the more it shows.
        build: makes the network anew from torch's random numbers; None where nobody knows how.
    """

    inputs: Callable[[int], Inputs]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    loss: Callable[[nn.Module, Inputs], Tensor] = squares
    n_training: int = 64
    n_timed: int = 256
    n_passes: int = 15
    tolerance: float = 1e-5
    build: Callable[[], nn.Module] | None = None


def example_of(model: nn.Module, seed: int = 42) -> Example:
    """Noise for the networks of this project, where no real rows are at hand.

    Raises:
        ModelError: the network is another; give an `Example` for it.
    """
    if isinstance(model, QualityHead):
        config = model.config
        return Example(
            noise(seed, (config.d_features,), (config.d_tabular,)),
            {"ssim": (-1.0, 1.0), "ssim_spread": POSITIVE, "log_bytes_spread": POSITIVE},
            build=lambda: QualityHead(config),
        )
    if isinstance(model, SSIMPredictor):
        settings = model.config
        return Example(
            noise(seed, (settings.input_dim,)),
            {"output": UNIT},
            build=lambda: SSIMPredictor(**asdict(settings)),
        )
    pictures = noise(seed, (3, INPUT_SIZE, INPUT_SIZE))
    if isinstance(model, QualityPredictionModel):
        defaults = encode_parameters([Parameters()])
        predictor = model.config
        return Example(
            lambda n: (*pictures(n), defaults.expand(n, N_PARAMETERS).clone()),
            {"0": UNIT, "1": POSITIVE},
            n_training=4,
            n_timed=1,
            n_passes=5,
            tolerance=DEEP,
            build=lambda: QualityPredictionModel(predictor),
        )
    if isinstance(model, ResNetFeatureExtractor):
        n_frozen = model.n_frozen
        return Example(
            pictures, {"output": POSITIVE}, n_training=4, n_timed=1, n_passes=5, tolerance=DEEP,
            build=lambda: ResNetFeatureExtractor(n_frozen),
        )  # fmt: skip
    raise ModelError(f"an example must be given for a {type(model).__name__}, it is not known here")


def noise(seed: int, *shapes: tuple[int, ...]) -> Callable[[int], Inputs]:
    """Inputs of standard normal numbers, one ``(n, *shape)`` for each shape."""

    def inputs(n: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        rows = [[torch.randn(shape, generator=generator) for shape in shapes] for _ in range(n)]
        return tuple(torch.stack(column) for column in zip(*rows, strict=True))

    return inputs


def named_outputs(said: Any) -> dict[str, Tensor]:
    """Outputs by name: a tuple's places, a named tuple's or mapping's names, else ``output``.

    Raises:
        ModelError: there is something else in them.
    """
    if isinstance(said, Tensor):
        return {"output": said}
    if isinstance(said, Mapping):
        named = dict(said)
    elif isinstance(said, tuple):
        names = getattr(said, "_fields", [str(place) for place in range(len(said))])
        named = dict(zip(names, said, strict=True))
    else:
        raise ModelError(f"outputs must be tensors, got {type(said).__name__}")
    for name, value in named.items():
        if not isinstance(value, Tensor):
            raise ModelError(f"outputs must be tensors, {name} is {type(value).__name__}")
    return named


def predict(model: nn.Module, inputs: Inputs) -> dict[str, Tensor]:
    """Outputs in evaluation mode, without gradients."""
    with mode(model, training=False), torch.no_grad():
        return named_outputs(model(*inputs))


def out_of_range(said: Mapping[str, Tensor], ranges: Mapping[str, Range]) -> list[str]:
    """What is wrong with outputs, a text for each: not finite, or out of the range."""
    wrong = []
    for name, value in said.items():
        low, high = ranges.get(name, (-math.inf, math.inf))
        if not torch.isfinite(value).all():
            wrong.append(f"{name} is not finite")
        elif value.numel() and (float(value.min()) < low or float(value.max()) > high):
            wrong.append(
                f"{name} is in [{float(value.min()):.4g}, {float(value.max()):.4g}],"
                f" not in [{low:g}, {high:g}]"
            )
    return wrong
