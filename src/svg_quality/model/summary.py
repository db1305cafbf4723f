"""What a network is made of: parameters and memory, layer by layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from svg_quality.model.modes import mode

_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One layer: a module that holds no other."""

    name: str
    kind: str
    output_shape: tuple[int, ...]  # of its last call
    n_parameters: int
    n_trainable: int
    activation_bytes: int  # of all its outputs in one pass


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A whole network; bytes are those of one pass of the inputs it was taken with."""

    layers: tuple[LayerSummary, ...]
    n_parameters: int
    n_trainable: int
    parameter_bytes: int
    buffer_bytes: int
    activation_bytes: int  # outputs of all layers, as training keeps them; in place counts once

    @property
    def total_bytes(self) -> int:
        """Parameters, buffers and activations together: without gradients and optimizer."""
        return self.parameter_bytes + self.buffer_bytes + self.activation_bytes

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**dataclasses.asdict(self), "total_bytes": self.total_bytes}

    def table(self) -> str:
        """A line for each layer, then the sums, as text."""
        lines = [
            (layer.name, layer.kind, "x".join(map(str, layer.output_shape)), layer.n_parameters)
            for layer in self.layers
        ]
        widths = [max(5, *(len(str(line[i])) for line in lines)) if lines else 5 for i in range(3)]
        heading = _line(("layer", "kind", "output", "parameters"), widths)
        body = [_line((*line[:3], f"{line[3]:,}"), widths) for line in lines]
        sums = [
            f"parameters   {self.n_parameters:,} ({self.n_trainable:,} trainable)",
            f"memory       {self.total_bytes / _MEGABYTE:.1f} MB: parameters"
            f" {self.parameter_bytes / _MEGABYTE:.1f}, buffers {self.buffer_bytes / _MEGABYTE:.1f},"
            f" activations {self.activation_bytes / _MEGABYTE:.1f}",
        ]
        return "\n".join([heading, *body, "", *sums])


def summarise(model: nn.Module, *inputs: Tensor) -> ModelSummary:
    """Run a network once in evaluation mode, without gradients, and count; its mode is restored.

    Parameters that modules share count once. Of a layer that is called several times the outputs
    of all calls count; an output that shares memory with one already counted (ReLU in place, a
    dropout that passes its input on) does not.

    Args:
        model: any network.
        inputs: of its ``forward``.
    """
    leaves = layers_of(model)
    shapes, activations = _outputs(model, leaves, inputs)
    layers = tuple(
        LayerSummary(
            name,
            type(leaves[name]).__name__,
            shapes[name],
            _count(list(leaves[name].parameters())),
            _count([p for p in leaves[name].parameters() if p.requires_grad]),
            activations.get(name, 0),
        )
        for name in shapes
    )
    parameters = list(model.parameters())
    return ModelSummary(
        layers=layers,
        n_parameters=_count(parameters),
        n_trainable=_count([p for p in parameters if p.requires_grad]),
        parameter_bytes=sum(p.nbytes for p in parameters),
        buffer_bytes=sum(b.nbytes for b in model.buffers()),
        activation_bytes=sum(activations.values()),
    )


def layers_of(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that hold no other, by their names."""
    return {name: m for name, m in model.named_modules() if not any(True for _ in m.children())}


def _outputs(
    model: nn.Module, leaves: Mapping[str, nn.Module], inputs: Sequence[Tensor]
) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """By layer, in the order of their calls: shape of the last output, bytes of all new ones."""
    shapes: dict[str, tuple[int, ...]] = {}
    activations: dict[str, int] = {}
    kept = list(inputs)  # so that no address is used twice while they are compared
    seen = {image.data_ptr() for image in inputs}

    def record(name: str, said: Any) -> None:
        for output in _tensors(said):
            shapes[name] = tuple(output.shape)
            kept.append(output)
            if output.data_ptr() not in seen:
                seen.add(output.data_ptr())
                activations[name] = activations.get(name, 0) + output.nbytes

    hooks = [_hooked(module, name, record) for name, module in leaves.items()]
    try:
        with mode(model, training=False), torch.no_grad():
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes, activations


def _hooked(module: nn.Module, name: str, record: Any) -> RemovableHandle:
    def hook(module: nn.Module, arguments: Any, said: Any) -> None:
        record(name, said)

    return module.register_forward_hook(hook)


def _tensors(said: Any) -> list[Tensor]:
    if isinstance(said, Tensor):
        return [said]
    return [t for part in said for t in _tensors(part)] if isinstance(said, tuple | list) else []


def _count(parameters: Sequence[Tensor]) -> int:
    return sum(p.numel() for p in parameters)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = (f"{cell:<{width}}" for cell, width in zip(cells[:3], widths, strict=True))
    return "  ".join([*left, f"{cells[3]:>12}"])
