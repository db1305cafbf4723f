"""The networks: shapes, ranges, one image for many sets, and what a single member reduces to."""

import dataclasses
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.errors import ModelError
from svg_quality.model.mlp import PredictorConfig, SSIMPredictor
from svg_quality.model.probe_interpolation import probed_targets
from svg_quality.model.quality_head import HeadConfig, Prediction, QualityHead

SMALL = HeadConfig(
    d_tabular=3, d_pieces=4, d_features=8, d_bottleneck=2, hidden_dims=(16, 8), n_members=3
)


def head(config: HeadConfig = SMALL, seed: int = 0) -> QualityHead:
    torch.manual_seed(seed)
    made = QualityHead(config).eval()
    made.set_scaling({"piece_column": torch.tensor([0, 1, 2, 2])})
    return made


def said_of_one_picture(
    made: QualityHead, features: torch.Tensor, tabular: torch.Tensor
) -> Prediction:
    """What a head says of many sets, its features given once; given in every row, the same."""
    once = made(features, tabular)
    every_row = made(features.expand(len(tabular), -1), tabular)
    for one, other in zip(once, every_row, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    return once


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 1e4))
def test_outputs_are_finite_and_in_range_whatever_the_inputs(seed: int, scale: float) -> None:
    torch.manual_seed(seed)
    said = head()(scale * torch.randn(6, 8), scale * torch.randn(6, 3))
    assert all(output.shape == (6,) and output.isfinite().all() for output in said)
    assert said.ssim.abs().max() <= 1
    assert min(said.ssim_spread.min(), said.log_bytes_spread.min()) > 0


def test_features_of_one_image_serve_all_its_sets() -> None:
    said_of_one_picture(head(), torch.randn(1, 8), torch.rand(7, 3))


def test_features_can_be_left_out() -> None:
    config = HeadConfig(d_tabular=3, d_pieces=4, d_features=8, d_bottleneck=0, hidden_dims=(8,))
    tabular = torch.rand(5, 3)
    one, other = (head(config)(torch.randn(1, 8), tabular).ssim for _ in range(2))
    assert torch.equal(one, other)


def test_pieces_follow_the_written_out_encoding() -> None:
    made = head()
    made.set_scaling({
        "piece_column": torch.tensor([0, 0, 1, 2]),
        "piece_start": torch.tensor([0.0, 2.0, -1.0, 5.0]),
        "piece_width": torch.tensor([2.0, 4.0, 2.0, 1.0]),
    })  # fmt: skip
    got = made._pieces(torch.tensor([[3.0, 0.0, 4.0], [-9.0, 1e6, 5.25]]), slice(None))
    assert torch.allclose(got, torch.tensor([[1, 0.25, 0.5, 0], [0, 0, 1, 0.25]]))


def test_what_tells_of_the_picture_may_be_given_once_or_in_every_row() -> None:
    """Three sets of one picture, and a written-out first layer, say the same."""
    config = HeadConfig(
        d_tabular=4, d_pieces=4, d_picture=2, d_picture_pieces=2, d_features=8, d_bottleneck=2,
        hidden_dims=(16,), n_members=1,
    )  # fmt: skip
    made = head(config).eval()
    made.set_scaling({"piece_column": torch.arange(4)})
    features, sets = torch.randn(1, 8), torch.rand(3, 2)
    tabular = torch.cat([sets, torch.rand(1, 2).expand(3, 2)], 1)
    said = said_of_one_picture(made, features, tabular)
    whole = torch.cat([tabular, made.bottleneck(features.clamp(-5, 5)).expand(3, 2)], 1)
    assert torch.allclose(torch.tanh(made.ensemble[0](whole)[:, 0]), said.ssim, atol=1e-6)


def test_mixtures_of_probes_stand_between_what_tells_of_the_set_and_of_the_picture() -> None:
    """The order of the first layer's columns, on which every trained head depends."""
    config = HeadConfig(
        d_tabular=8, d_pieces=4, d_picture=6, d_picture_pieces=2, d_features=8, d_bottleneck=2,
        hidden_dims=(16,), n_members=1, d_query=2, n_probes=3, n_mixtures=2,
    )  # fmt: skip
    made = head(config)
    made.set_scaling({"piece_column": torch.arange(4)})
    features, sets = torch.randn(1, 8), torch.rand(5, 2)
    tabular = torch.cat([sets, torch.rand(1, 6).expand(5, 6)], 1)
    said = said_of_one_picture(made, features, tabular)
    probed = probed_targets(tabular, 3, made.target_mean, made.target_scale)
    mixed = made.interpolations[0](sets, probed)
    narrowed = made.bottleneck(features.clamp(-5, 5)).expand(5, 2)
    whole = torch.cat([sets, mixed.flatten(1), tabular[:, 2:4], narrowed], 1)
    ssim = torch.tanh(made.ensemble[0](whole)[:, 0] + mixed[:, 0, 0])
    assert torch.allclose(ssim, said.ssim, atol=1e-6)


def test_members_differ_from_the_start() -> None:
    said = head().members(torch.randn(4, 8), torch.rand(4, 3))
    assert said.ssim.shape == (4, 3)
    assert (said.ssim.std(1) > 0).all()


def test_the_plain_predictor_is_the_earlier_systems() -> None:
    model = SSIMPredictor(2048).eval()
    widths = [layer.out_features for layer in model.layers if isinstance(layer, torch.nn.Linear)]
    assert widths == [1024, 512, 256, 128, 1]
    said = model(100 * torch.randn(5, 2048))
    assert said.shape == (5, 1)
    assert ((said >= 0) & (said <= 1)).all()
    plain = SSIMPredictor(6, hidden_dims=[4], dropout_rate=0.0, use_batch_norm=False)
    assert not any(isinstance(layer, torch.nn.BatchNorm1d) for layer in plain.modules())


def test_weights_of_the_predictor_start_as_kaiming_says() -> None:
    """Variance 2 / fan-in before a ReLU (He et al. 2015, eq. 10), 1 / fan-in at the end."""
    torch.manual_seed(0)
    *hidden, last = [x for x in SSIMPredictor(2064).layers if isinstance(x, torch.nn.Linear)]
    for layer in hidden:
        assert layer.weight.var().item() * layer.in_features == pytest.approx(2, rel=0.05)
    assert last.weight.var().item() * last.in_features == pytest.approx(1, rel=0.5)
    assert not any(layer.bias.any() for layer in (*hidden, last))


def test_a_signal_keeps_its_size_through_the_layers() -> None:
    torch.manual_seed(0)
    model = SSIMPredictor(500, hidden_dims=[500] * 6, use_batch_norm=False).eval()
    x = torch.randn(200, 500)
    before = x.square().mean()
    for layer in model.layers[:-1]:
        x = layer(x)
    assert 0.5 < x.square().mean() / before < 2


def test_scaled_tanh_is_another_way_into_the_same_range() -> None:
    torch.manual_seed(0)
    model = SSIMPredictor(6, hidden_dims=[4], output="tanh").eval()
    x = 100 * torch.randn(50, 6)
    said, raw = model(x), model.layers(x)
    assert ((said >= 0) & (said <= 1)).all()
    assert torch.allclose(said, (raw.exp() / (raw.exp() + (-raw).exp())), atol=1e-6)
    with pytest.raises(ModelError, match="output must be one of sigmoid, tanh, got 'relu'"):
        SSIMPredictor(6, output="relu")


def test_settings_survive_json() -> None:
    assert HeadConfig.from_json(SMALL.to_json()) == SMALL
    config = PredictorConfig(12, (8, 4), 0.1, False, "tanh")
    assert PredictorConfig.from_json(config.to_json()) == config
    made = SSIMPredictor(**dataclasses.asdict(config))
    assert made.config == config
    assert made.layers[0].weight.shape == (8, 12)


def test_settings_that_lack_one_are_refused_by_its_name() -> None:
    values = json.loads(SMALL.to_json())
    del values["clip"]
    with pytest.raises(ModelError, match=r"missing=\['clip'\], unknown=\[\]"):
        HeadConfig.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hidden_dims": [3], "width": 4}'])
def test_refuses_other_settings(text: str) -> None:
    with pytest.raises(ModelError, match="settings must be those of HeadConfig"):
        HeadConfig.from_json(text)


def test_refuses_impossible_sizes() -> None:
    with pytest.raises(ModelError, match="hidden_dims must be one or more positive widths"):
        SSIMPredictor(4, hidden_dims=[])
    with pytest.raises(ModelError, match=r"dropout_rate must be in \[0, 1\), got 1"):
        SSIMPredictor(4, hidden_dims=[4], dropout_rate=1)
    with pytest.raises(ModelError, match="sizes must be positive"):
        QualityHead(HeadConfig(n_members=0))
    with pytest.raises(ModelError, match="piece_start does not"):
        head().set_scaling({"piece_start": torch.zeros(9)})
