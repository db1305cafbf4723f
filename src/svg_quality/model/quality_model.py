"""From pictures to SSIM in one network: the backbone, the parameters, the plain predictor.

It is what `finetune` trains, since gradients reach the backbone through it. What is registered
is the backbone it leaves behind, with a `QualityHead` trained on its features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ModelError
from svg_quality.features.backbone import N_FEATURES, ResNetFeatureExtractor
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.features.inputs import BLOCKS, PARAMETER_NAMES, tabular_inputs
from svg_quality.model.mlp import PredictorConfig, SSIMPredictor
from svg_quality.model.modes import mode

N_PARAMETERS: Final = len(PARAMETER_NAMES)
INPUT_DIM: Final = N_FEATURES + N_PARAMETERS
_CLIP: Final = 5.0  # standard deviations beyond which an input counts no more


def encode_parameters(parameters: Sequence[Parameters]) -> Tensor:
    """The columns ``PARAMETER_NAMES`` of parameter sets: float32 ``(len(parameters), 16)``."""
    columns = tabular_inputs(np.zeros(len(DESCRIPTOR_NAMES), np.float32), parameters)
    return torch.from_numpy(np.ascontiguousarray(columns[:, BLOCKS["parameters"]]))


class QualityPredictionModel(nn.Module):
    """SSIM of pictures' conversions, and the features it was told from.

    Args:
        config: of the predictor; its ``input_dim`` is that of features and parameters together.
        extractor: the backbone; a new one with random weights where None.

    Shape:
        - images: ``(B, 3, 224, 224)`` float32, as `features.preprocessing` makes them
        - parameters: ``(B, 16)`` float32 of `encode_parameters`; None for VTracer's defaults
        - output: SSIM ``(B, 1)`` in [0, 1], features ``(B, 2048)``

    Raises:
        ModelError: the config is of another ``input_dim``.

    Example:
        >>> ssim, features = QualityPredictionModel().eval()(torch.zeros(2, 3, 224, 224))
        >>> ssim.shape, features.shape
        (torch.Size([2, 1]), torch.Size([2, 2048]))
    """

    input_mean: Tensor  # (2064,), of features and parameters
    input_scale: Tensor
    default_parameters: Tensor  # (1, 16)

    def __init__(
        self,
        config: PredictorConfig | None = None,
        extractor: ResNetFeatureExtractor | None = None,
    ) -> None:
        super().__init__()
        self.config = config or PredictorConfig(INPUT_DIM)
        if self.config.input_dim != INPUT_DIM:
            raise ModelError(
                f"input_dim must be {INPUT_DIM} ({N_FEATURES} features and {N_PARAMETERS} columns"
                f" of parameters), got {self.config.input_dim}"
            )
        self.extractor = extractor or ResNetFeatureExtractor()
        self.predictor = SSIMPredictor(**asdict(self.config))
        self.register_buffer("input_mean", torch.zeros(INPUT_DIM))
        self.register_buffer("input_scale", torch.ones(INPUT_DIM))
        self.register_buffer("default_parameters", encode_parameters([Parameters()]))

    def set_scaling(self, features: Tensor, parameters: Tensor) -> None:
        """Take means and standard deviations of training inputs; a constant column's scale is 1.

        Args:
            features: ``(n_images, 2048)``.
            parameters: ``(n, 16)``.
        """
        for start, values in ((0, features), (N_FEATURES, parameters)):
            stop = start + values.shape[1]
            deviation = values.double().std(0, correction=0)
            self.input_mean[start:stop] = values.double().mean(0)
            self.input_scale[start:stop] = torch.where(deviation < 1e-6, 1.0, deviation)

    def forward(self, images: Tensor, parameters: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See the class."""
        features = self.extractor(images)
        return self.head(features, parameters), features

    def head(self, features: Tensor, parameters: Tensor | None = None) -> Tensor:
        """SSIM ``(n, 1)`` from features: one pass of the backbone serves many parameter sets.

        Args:
            features: ``(n, 2048)``, or ``(1, 2048)`` for all sets of one image.
            parameters: ``(n, 16)``; None for VTracer's defaults.

        Raises:
            ModelError: the parameters do not fit the features.
        """
        if parameters is None:
            parameters = self.default_parameters.expand(len(features), -1)
        if parameters.shape[1:] != (N_PARAMETERS,) or len(features) not in (1, len(parameters)):
            raise ModelError(
                f"parameters must be (n, {N_PARAMETERS}) for one or n images, got"
                f" {tuple(parameters.shape)} for {len(features)}"
            )
        inputs = torch.cat([features.float().expand(len(parameters), -1), parameters.float()], 1)
        scaled = (inputs - self.input_mean) / self.input_scale
        ssim: Tensor = self.predictor(scaled.clamp(-_CLIP, _CLIP))
        return ssim

    def predict_ssim(self, images: Tensor, parameters: Tensor | None = None) -> Tensor:
        """SSIM ``(B, 1)``, without dropout or gradients; the mode stays as it was."""
        with mode(self, training=False), torch.no_grad():
            ssim: Tensor = self(images, parameters)[0]
        return ssim

    def extract_features(self, images: Tensor) -> Tensor:
        """Features ``(B, 2048)`` likewise."""
        with mode(self, training=False), torch.no_grad():
            features: Tensor = self.extractor(images)
        return features
