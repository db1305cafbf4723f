"""From pictures to SSIM in one network: what reaches what, and what stays as it was."""

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.errors import ModelError
from svg_quality.features.backbone import N_FEATURES, ResNetFeatureExtractor
from svg_quality.features.inputs import PARAMETER_NAMES
from svg_quality.model.mlp import PredictorConfig
from svg_quality.model.quality_model import (
    INPUT_DIM,
    QualityPredictionModel,
    encode_parameters,
)


class SmallExtractor(nn.Module):
    """The extractor's input and output, quick."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, N_FEATURES, 16, stride=16)
        self.norm = nn.BatchNorm2d(N_FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.convolution(images)).relu().mean((2, 3))


def small_model(**changes: object) -> QualityPredictionModel:
    torch.manual_seed(0)
    config = PredictorConfig(INPUT_DIM, hidden_dims=(16, 8), **changes)  # type: ignore[arg-type]
    return QualityPredictionModel(config, cast(ResNetFeatureExtractor, SmallExtractor())).eval()


IMAGES = torch.randn(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def test_encoded_parameters_are_those_of_the_tabular_inputs() -> None:
    sets = sobol_sets(40, "full", seed=0)
    encoded = encode_parameters(sets).numpy()
    assert encoded.shape == (40, len(PARAMETER_NAMES))
    column = {name: encoded[:, place] for place, name in enumerate(PARAMETER_NAMES)}
    for row, chosen in enumerate(sets):
        assert column["is_binary"][row] == (chosen.colormode == "binary")
        assert column["is_polygon"][row] == (chosen.mode == "polygon")
        assert column["color_precision"][row] == chosen.color_precision
        assert column["corner_threshold"][row] == pytest.approx(chosen.corner_threshold / 180)
        assert np.expm1(column["log_filter_speckle"][row]) == pytest.approx(
            chosen.filter_speckle, abs=1e-5
        )


def test_images_alone_mean_vtracers_defaults() -> None:
    model = small_model()
    ssim, features = model(IMAGES)
    assert (ssim.shape, features.shape) == ((3, 1), (3, N_FEATURES))
    assert ((ssim >= 0) & (ssim <= 1)).all()
    asked, _ = model(IMAGES, encode_parameters([Parameters()] * 3))
    assert torch.allclose(ssim, asked, atol=1e-6)
    other, _ = model(IMAGES, encode_parameters([Parameters(color_precision=1)] * 3))
    assert not torch.allclose(ssim, other, atol=1e-6)


def test_one_pass_of_the_backbone_serves_all_sets() -> None:
    model, parameters = small_model(), encode_parameters(sobol_sets(7, "full", seed=1))
    ssim, features = model(IMAGES[:1], parameters)
    assert (len(ssim), len(features)) == (7, 1)
    one_by_one = torch.cat([model(IMAGES[:1], chosen[None])[0] for chosen in parameters])
    assert torch.allclose(ssim, one_by_one, atol=1e-6)
    assert torch.allclose(model.head(features.expand(7, -1), parameters), ssim, atol=1e-6)


def test_predicting_leaves_no_gradients_and_every_mode_as_it_was() -> None:
    model = small_model().train()
    model.extractor.norm.eval()  # as in a frozen stage
    before = model.extractor.norm.running_mean.clone()
    modes = [module.training for module in model.modules()]
    ssim, features = model.predict_ssim(IMAGES), model.extract_features(IMAGES)
    assert not ssim.requires_grad
    assert not features.requires_grad
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(model.extractor.norm.running_mean, before)
    expected = model.eval()(IMAGES)
    assert torch.allclose(ssim, expected[0])
    assert torch.allclose(features, expected[1])


def test_gradients_reach_the_backbone() -> None:
    model = small_model().train()
    model(IMAGES)[0].sum().backward()
    assert model.extractor.convolution.weight.grad.abs().sum() > 0


def test_scaling_standardises_and_ignores_constant_columns() -> None:
    model, seen = small_model(), []
    model.predictor.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    features = 3 + 50 * torch.randn(400, N_FEATURES)
    parameters = encode_parameters(sobol_sets(400, "full", seed=2))
    parameters[:, 0] = 1.0
    model.set_scaling(features, parameters)
    model.head(features, parameters)
    assert seen[0].mean(0).abs().max() < 0.1
    assert seen[0][:, :N_FEATURES].std(0).mean() == pytest.approx(1, abs=0.02)
    assert not seen[0][:, N_FEATURES].any()
    model.head(1e9 * features, parameters)
    assert seen[1].abs().max() <= 5


def test_the_default_is_the_design() -> None:
    model = QualityPredictionModel()
    n_predictor = 2064 * 1024 + 1024 * 512 + 512 * 256 + 256 * 128 + 128  # matrices
    n_predictor += 3 * (1024 + 512 + 256 + 128) + 1  # biases, and two of each batch norm
    assert sum(p.numel() for p in model.parameters()) == 23_508_032 + n_predictor


def test_refusals() -> None:
    with pytest.raises(ModelError, match=r"input_dim must be 2064 .* got 2048"):
        QualityPredictionModel(PredictorConfig(2048))
    model, features = small_model(), torch.zeros(3, N_FEATURES)
    for wrong in (torch.zeros(3, 5), torch.zeros(4, 16), torch.zeros(16)):
        with pytest.raises(ModelError, match=r"parameters must be \(n, 16\) for one or n images"):
            model.head(features, wrong)
