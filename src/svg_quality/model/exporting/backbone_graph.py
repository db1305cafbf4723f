"""A torch backbone from its own ONNX file: a bundle is enough, no weights need be found again."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from svg_quality.errors import ModelError
from svg_quality.features.backbone import ResNetFeatureExtractor


def backbone_from_graph(path: Path) -> ResNetFeatureExtractor:
    """The network that an fp32 graph of `features.backbone.export_backbone` was exported from.

    The exporter folds each batch norm into the convolution before it. So the convolutions get the
    folded kernels, and each batch norm is left with their bias as its only effect.

    Raises:
        ModelError: the file is no ONNX graph, is in 8 bits, or is not a ResNet-50.
    """
    extractor = ResNetFeatureExtractor().eval()
    convolutions = [m for m in extractor.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in extractor.modules() if isinstance(m, nn.BatchNorm2d)]
    kernels = _kernels(path)
    shapes = [kernel.shape for kernel, _ in kernels]
    if shapes != [convolution.weight.shape for convolution in convolutions]:
        raise ModelError(f"a backbone must be a ResNet-50, the one in {path} is not")
    with torch.no_grad():
        for convolution, norm, (kernel, bias) in zip(convolutions, norms, kernels, strict=True):
            convolution.weight.copy_(kernel)
            norm.weight.fill_(1)
            norm.bias.copy_(bias)
            for statistic, value in ((norm.running_mean, 0.0), (norm.running_var, 1 - norm.eps)):
                if statistic is not None:
                    statistic.fill_(value)
    return extractor


def read_graph(path: Path) -> onnx.ModelProto:
    """An ONNX file that has passed onnx's own checker.

    Raises:
        ModelError: it is missing, damaged or no valid graph.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
        return onnx.load(path)
    except (OSError, onnx.checker.ValidationError) as error:
        raise ModelError(f"an ONNX file must pass onnx's checker, {path}: {error}") from error


def _kernels(path: Path) -> list[tuple[Tensor, Tensor]]:
    """Kernel and bias of each convolution, in the order in which they are run."""
    graph = read_graph(path).graph
    stored = {value.name: value for value in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    if not all(len(node.input) == 3 and set(node.input[1:]) <= stored.keys() for node in nodes):
        raise ModelError(
            f"a backbone must be in fp32 to be rebuilt, the kernels of {path} are not: it is in"
            " 8 bits, or its batch norms were not folded"
        )
    return [(_tensor(stored[node.input[1]]), _tensor(stored[node.input[2]])) for node in nodes]


def _tensor(value: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(numpy_helper.to_array(value).copy())
