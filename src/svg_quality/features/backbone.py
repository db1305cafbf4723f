"""ResNet-50 without its classifier: build it, calibrate it, write it as ONNX.

The only module that imports torchvision. Prediction does not come here: it runs the ONNX file
through `features.inference`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import warnings
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # raised by torch.load; nothing is unpickled here
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from svg_quality.errors import ModelError
from svg_quality.features.preprocessing import INPUT_SIZE, PREPROCESSING, Fit

N_FEATURES: Final = 2048
N_STAGES: Final = 5  # stem, layer1 to layer4
_DOWNLOAD_URL: Final = "https://download.pytorch.org/models/resnet50-11ad3fa6.pth"
_DOWNLOAD_SECONDS: Final = 20.0  # that the server may stay silent
_READ_ERRORS: Final = (
    OSError, RuntimeError, ValueError, EOFError, UnpicklingError, SafetensorError,
)  # fmt: skip
_log = logging.getLogger(__name__)


def _resnet50() -> nn.Module:
    """ResNet-50 of torchvision with random weights.

    PyPI's torchvision is linked against CUDA: beside a CPU torch its operators do not load, and
    the import fails while it registers a fake ``torchvision::nms``. Two operators' schemas,
    declared here only where they are missing, are all that its models need.
    """
    if not hasattr(torch.ops.torchvision, "nms"):
        global _schemas  # torch drops the declarations when the library object is collected
        _schemas = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _schemas.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Failed to load image Python extension")
        from torchvision.models import resnet50
    model: nn.Module = resnet50(weights=None)
    return model


_schemas: torch.library.Library | None = None


class ResNetFeatureExtractor(nn.Module):
    """ResNet-50's 2,048 features after global average pooling.

    Args:
        n_frozen: of its five stages (stem, layer1 to layer4), those that are not trained, from
            the input on; 5 freezes all of it.

    Shape:
        - images: ``(B, 3, 224, 224)`` float32, as `features.preprocessing` makes them
        - output: ``(B, 2048)`` float32, not negative

    Raises:
        ModelError: there are not so many stages.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> extractor = ResNetFeatureExtractor(n_frozen=5).eval()
        >>> extractor(torch.zeros(2, 3, 224, 224)).shape
        torch.Size([2, 2048])
        >>> extractor.n_frozen_parameters, extractor.n_trainable_parameters
        (23508032, 0)
    """

    def __init__(self, n_frozen: int = 0) -> None:
        super().__init__()
        self.resnet = _resnet50()
        self.resnet.fc = nn.Identity()
        self.n_frozen = 0
        self.freeze(n_frozen)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features of a batch of preprocessed images."""
        features: torch.Tensor = self.resnet(images)
        return features

    def freeze(self, n_stages: int) -> ResNetFeatureExtractor:
        """Freeze the first ``n_stages`` of the five and no others; gives itself.

        The parameters of a frozen stage have no gradients, and its batch norms keep the statistics
        they have, also in training mode.

        Raises:
            ModelError: there are not so many stages.
        """
        if not 0 <= n_stages <= N_STAGES:
            raise ModelError(f"n_stages must be in [0, {N_STAGES}], got {n_stages}")
        self.n_frozen = n_stages
        for place, stage in enumerate(self._stages()):
            for module in stage:
                module.requires_grad_(place >= n_stages)
        return self.train(self.training)

    def train(self, mode: bool = True) -> ResNetFeatureExtractor:
        """Training mode for what is not frozen; gives itself."""
        super().train(mode)
        for stage in self._stages()[: self.n_frozen]:
            for module in stage:
                module.eval()
        return self

    @property
    def n_frozen_parameters(self) -> int:
        """Numbers that training leaves as they are."""
        return sum(p.numel() for p in self.parameters() if not p.requires_grad)

    @property
    def n_trainable_parameters(self) -> int:
        """Numbers that training may change."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def _stages(self) -> list[tuple[nn.Module, ...]]:
        net: Any = self.resnet
        return [(net.conv1, net.bn1), (net.layer1,), (net.layer2,), (net.layer3,), (net.layer4,)]


@dataclass(frozen=True, slots=True)
class Backbone:
    """An extractor and where its weights are from."""

    extractor: ResNetFeatureExtractor
    weights: str  # "imagenet", "random", or the path they were read from


def build_backbone(weights: str, images: np.ndarray, seed: int) -> Backbone:
    """An extractor in evaluation mode.

    Args:
        weights: ``imagenet``, ``random``, a path to a state dict (as torch saves it, or
            ``.safetensors``), or ``auto``: ImageNet, and where that cannot be downloaded
            ``random``, with a warning.
        images: float32 ``(N, 3, 224, 224)``, preprocessed. Random weights have no batch-norm
            statistics of their own: they are taken over these.
        seed: of random weights.

    Raises:
        ModelError: the weights cannot be downloaded, read or fitted.
    """
    if weights == "random":
        return Backbone(_random_extractor(images, seed), "random")
    if weights not in ("imagenet", "auto"):
        return Backbone(_extractor_from(_read_state(Path(weights))), weights)
    try:
        return Backbone(_extractor_from(_download_state()), "imagenet")
    except ModelError as error:
        if weights == "imagenet":
            raise
        _log.warning(
            "ImageNet weights cannot be downloaded (%s): the backbone is RANDOM, and every run, "
            "report and bundle made with it says so.",
            error.__cause__ or error,
        )
        return Backbone(_random_extractor(images, seed), "random")


def fingerprint(extractor: ResNetFeatureExtractor, fit: Fit = "pad") -> str:
    """SHA-256 over weights and preprocessing: features of different backbones never mix."""
    digest = hashlib.sha256(PREPROCESSING[fit].encode())
    for name, tensor in sorted(extractor.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def save_weights(extractor: ResNetFeatureExtractor, path: Path) -> None:
    """Write the weights for `build_backbone`: a safetensors file with torchvision's names."""
    state = {name: value.detach().cpu().contiguous().clone()
             for name, value in extractor.resnet.state_dict().items()}  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(state, unfinished)
    unfinished.replace(path)


def export_backbone(extractor: ResNetFeatureExtractor, path: Path) -> None:
    """Write the extractor as ONNX: ``images (B, 3, 224, 224)`` to ``features (B, 2048)``."""
    example = torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE)
    axes = {"images": {0: "batch"}, "features": {0: "batch"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter that needs no further package is the deprecated one.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            extractor, (example,), str(path), input_names=["images"], output_names=["features"],
            dynamic_axes=axes, dynamo=False,
        )  # fmt: skip


def _random_extractor(images: np.ndarray, seed: int) -> ResNetFeatureExtractor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        extractor = ResNetFeatureExtractor()
    _calibrate_batch_norm(extractor, torch.from_numpy(images))
    return extractor.eval()


def _calibrate_batch_norm(extractor: nn.Module, images: torch.Tensor) -> None:
    """Set every batch norm's running statistics to those of one batch."""
    norms = [module for module in extractor.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    extractor.train()
    with torch.no_grad():
        extractor(images)
    for norm in norms:
        norm.momentum = 0.1


def _extractor_from(state: dict[str, torch.Tensor]) -> ResNetFeatureExtractor:
    extractor = ResNetFeatureExtractor()
    wanted = {key: value for key, value in state.items() if not key.startswith("fc.")}
    try:
        extractor.resnet.load_state_dict(wanted)
    except RuntimeError as error:
        raise ModelError(f"weights must be a ResNet-50 state dict, they are not: {error}") from None
    return extractor.eval()


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except _READ_ERRORS as error:
        raise ModelError(f"weights must be a readable state dict, {path} is not") from error
    if not isinstance(state, dict):
        raise ModelError(f"weights must be a state dict, {path} holds a {type(state).__name__}")
    return {str(name).removeprefix("resnet."): value for name, value in state.items()}


def _download_state() -> dict[str, torch.Tensor]:
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_SECONDS)  # torch.hub itself would wait for ever
    try:
        state = torch.hub.load_state_dict_from_url(_DOWNLOAD_URL, progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a bad hash a RuntimeError
        raise ModelError("ImageNet weights must be downloadable, they are not") from error
    finally:
        socket.setdefaulttimeout(patience)
    return dict(state)
