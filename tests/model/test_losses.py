"""The losses written out, their gradients and their laws."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from svg_quality.errors import SettingsError
from svg_quality.model.losses import (
    CombinedLoss,
    FocalLoss,
    LossConfig,
    RankingLoss,
    SSIMLoss,
    TrainingLoss,
)
from svg_quality.model.quality_head import MemberOutputs

EVERY = {
    "mse": nn.MSELoss(),
    "mae": nn.L1Loss(),
    "huber": nn.HuberLoss(),
    "ssim": SSIMLoss(),
    "ranking": RankingLoss(),
    "focal": FocalLoss(),
}
POINTS = ("huber", "mse", "mae", "ssim", "focal", "combined")


def pair(seed: int = 0, *shape: int) -> tuple[Tensor, Tensor]:
    """Predicted and measured SSIM, float64, 12 rows unless said."""
    rng = np.random.default_rng(seed)
    measured = rng.uniform(0.3, 1, shape or (12,))
    predicted = measured + rng.normal(0, 0.08, measured.shape)
    return torch.from_numpy(predicted), torch.from_numpy(measured)


def said(seed: int = 0, b: int = 8, k: int = 3) -> tuple[MemberOutputs, Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    ssim, log_bytes = rng.uniform(0.3, 1, b), rng.normal(8, 1, b)
    outputs = (
        ssim[:, None] + rng.normal(0, 0.08, (b, k)),
        log_bytes[:, None] + rng.normal(0, 0.3, (b, k)),
        rng.normal(-3, 0.5, (b, k)),
        rng.normal(-1, 0.5, (b, k)),
    )
    return (
        MemberOutputs(*map(torch.from_numpy, outputs)),
        torch.from_numpy(ssim),
        torch.from_numpy(log_bytes),
    )


@pytest.mark.parametrize("name", EVERY)
def test_it_is_nothing_at_perfection_and_never_negative(name: str) -> None:
    for seed in range(20):
        predicted, measured = pair(seed)
        assert EVERY[name](measured, measured).item() == pytest.approx(0, abs=1e-12)
        assert EVERY[name](predicted, measured).item() >= 0
        assert EVERY[name](1.5 - measured, measured).item() > 0  # the order turned round


@pytest.mark.parametrize("name", EVERY)
def test_the_order_of_the_rows_does_not_matter_and_columns_are_averaged(name: str) -> None:
    predicted, measured = pair(3, 12, 2)
    order = torch.from_numpy(np.random.default_rng(0).permutation(12))
    value = EVERY[name](predicted, measured).item()
    assert EVERY[name](predicted[order], measured[order]).item() == pytest.approx(value, rel=1e-9)
    if name != "ranking":  # whose columns may have different numbers of pairs
        columns = [EVERY[name](predicted[:, k], measured[:, k]).item() for k in range(2)]
        assert value == pytest.approx(np.mean(columns), rel=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    predicted, measured = pair(4, 7, 2)
    loss = EVERY[name]
    assert torch.autograd.gradcheck(lambda p: loss(p, measured), predicted.requires_grad_())


@pytest.mark.parametrize("name", EVERY)
def test_following_its_gradient_finds_the_measured_order(name: str) -> None:
    _, measured = pair(5, 24)
    predicted = torch.full_like(measured, 0.6) + 1e-3 * pair(6, 24)[0]
    predicted.requires_grad_()
    optimizer = torch.optim.Adam([predicted], lr=0.02)
    start = EVERY[name](predicted, measured).item()
    for _ in range(300):
        optimizer.zero_grad()
        EVERY[name](predicted, measured).backward()
        optimizer.step()
    assert EVERY[name](predicted, measured).item() < start / 20
    correlation = np.corrcoef(predicted.detach().numpy(), measured.numpy())[0, 1]
    assert correlation > 0.9


def test_ssim_loss_is_one_window_of_the_usual_ssim() -> None:
    predicted, measured = pair(7, 49)
    flat = structural_similarity(
        predicted.numpy().reshape(7, 7),
        measured.numpy().reshape(7, 7),
        data_range=1.0,
        use_sample_covariance=False,
        full=True,
    )[1][3, 3]  # the only 7 x 7 window
    assert SSIMLoss()(predicted, measured).item() == pytest.approx(1 - flat, rel=1e-9)


def test_ssim_loss_depends_on_values_and_range_together_alone() -> None:
    predicted, measured = pair(8)
    scaled = SSIMLoss(20.0)(predicted * 20, measured * 20)
    assert scaled.item() == pytest.approx(SSIMLoss()(predicted, measured).item(), rel=1e-9)


def test_ssim_loss_sees_a_lost_spread_more_than_a_shift() -> None:
    _, measured = pair(9)
    half = measured.mean() + (measured - measured.mean()) / 2
    away = (half - measured).square().mean().sqrt()
    assert SSIMLoss()(half, measured) > 5 * SSIMLoss()(measured + away, measured)


def double_loop(predicted: np.ndarray, measured: np.ndarray, m: float, threshold: float) -> float:
    terms = [
        max(0.0, m - (predicted[i] - predicted[j]))
        for i, j in product(range(len(measured)), repeat=2)
        if measured[i] - measured[j] > threshold
    ]
    return sum(terms) / len(terms) if terms else 0.0


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.3), st.floats(0, 1))
def test_ranking_loss_is_the_double_loop(seed: int, threshold: float, share: float) -> None:
    predicted, measured = pair(seed, 9)
    expected = double_loop(predicted.numpy(), measured.numpy(), threshold * share, threshold)
    value = RankingLoss(threshold * share, threshold)(predicted, measured).item()
    assert value == pytest.approx(expected, abs=1e-12)


def test_ranking_loss_of_a_large_batch_is_that_of_all_its_pairs() -> None:
    predicted, measured = pair(13, 700)  # more than one block
    gap = measured[:, None] - measured
    short = (0.01 - (predicted[:, None] - predicted)).clamp(min=0)
    expected = short[gap > 0.01].mean().item()
    assert RankingLoss()(predicted, measured).item() == pytest.approx(expected)


def test_ranking_loss_does_not_see_a_shift_and_is_nothing_without_a_pair() -> None:
    predicted, measured = pair(10)
    shifted = RankingLoss()(predicted + 0.3, measured).item()
    assert shifted == pytest.approx(RankingLoss()(predicted, measured).item())
    assert RankingLoss()(predicted, torch.full_like(measured, 0.5)).item() == 0


def test_focal_loss_is_its_formula_and_forgives_small_errors() -> None:
    predicted, measured = pair(11)
    error = np.abs((predicted - measured).numpy())
    factor = np.tanh(3 * error / 2)  # 2 sigmoid(x) - 1 = tanh(x / 2)
    assert FocalLoss(3, 2)(predicted, measured).item() == pytest.approx((factor**2 * error).mean())
    assert FocalLoss(3, 0)(predicted, measured).item() == pytest.approx(error.mean())
    zero = torch.zeros(1, dtype=torch.float64)
    small, large = (FocalLoss(3, 1)(zero + e, zero).item() / e for e in (0.01, 1.0))
    assert small < large / 20


def test_combined_loss_says_each_part_and_their_weighted_sum() -> None:
    predicted, measured = pair(12)
    loss = CombinedLoss(
        {"mae": EVERY["mae"], "ranking": EVERY["ranking"]},
        {"mae": 1.0, "ranking": 0.2},
        {"ranking": 0.6},
        "linear",
    )
    parts = loss(predicted, measured, 0.5)
    assert [*parts] == ["mae", "ranking", "total_loss"]
    for name in ("mae", "ranking"):
        assert parts[name] == EVERY[name](predicted, measured)
    assert parts["total_loss"] == pytest.approx(parts["mae"] + 0.4 * parts["ranking"])


def written_out(
    outputs: MemberOutputs, ssim: Tensor, log_bytes: Tensor, config: LossConfig
) -> float:
    """The loss of the default settings, in numpy."""
    total = 0.0
    for point, log_error, y, scale, weight in (
        (outputs.ssim, outputs.log_error, ssim, config.ssim_scale, 1),
        (outputs.log_bytes, outputs.log_bytes_log_error, log_bytes, config.bytes_scale,
         config.bytes_weight),
    ):  # fmt: skip
        r = point.numpy() - y.numpy()[:, None]
        z, d, b = np.abs(r / scale), config.huber_delta, np.exp(log_error.numpy())
        huber = np.where(z <= d, z**2 / 2, d * (z - d / 2))
        total += weight * (huber + config.error_weight * (np.abs(r) / b + np.log(b))).mean()
    return total


@given(st.integers(0, 2**32 - 1))
def test_the_default_training_loss_is_the_formula_of_the_module(seed: int) -> None:
    given_ = said(seed)
    config = LossConfig()
    assert TrainingLoss(config)(*given_).item() == pytest.approx(written_out(*given_, config))
    assert TrainingLoss(config)(*given_, 0.7).item() == TrainingLoss(config)(*given_).item()


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_every_training_loss_has_right_gradients(point: str, weighting: str) -> None:
    outputs, ssim, log_bytes = said(1)
    loss = TrainingLoss(
        LossConfig(point=point, weighting=weighting, ranking_weight=0.3, error_weight=0.0)
    ).double()  # no error part: a detached error has no finite difference
    parts = [part.requires_grad_() for part in outputs[:2]]
    assert torch.autograd.gradcheck(
        lambda p, b: loss(MemberOutputs(p, b, *outputs[2:]), ssim, log_bytes, 0.5), parts
    )


@pytest.mark.parametrize("point", POINTS)
def test_every_training_loss_is_least_at_what_was_measured(point: str) -> None:
    outputs, ssim, log_bytes = said(2)
    loss = TrainingLoss(LossConfig(point=point, ranking_weight=0.3, error_weight=0.0))
    right = outputs._replace(
        ssim=ssim[:, None].expand_as(outputs.ssim),
        log_bytes=log_bytes[:, None].expand_as(outputs.log_bytes),
    )
    assert loss(right, ssim, log_bytes, 1.0).item() == pytest.approx(0, abs=1e-12)
    assert loss(outputs, ssim, log_bytes, 1.0).item() > 0.01


def test_ranking_is_added_by_its_weight() -> None:
    given_ = said(3)
    config = LossConfig(ranking_weight=0.4)
    ranking = (
        RankingLoss()(given_[0].ssim, given_[1][:, None].expand_as(given_[0].ssim)).item()
        / config.ssim_scale
    )
    expected = written_out(*given_, config) + 0.4 * ranking
    assert TrainingLoss(config)(*given_).item() == pytest.approx(expected)


def test_learnt_weights_are_parameters_and_rest_in_evaluation() -> None:
    given_ = said(4)
    fixed = TrainingLoss(LossConfig())
    learnt = TrainingLoss(LossConfig(weighting="uncertainty"))
    assert len([*fixed.parameters()]) == 0
    assert len([*learnt.parameters()]) == 2
    assert learnt(*given_).item() != pytest.approx(fixed(*given_).item())
    assert learnt.eval()(*given_).item() == fixed.eval()(*given_).item()


def test_the_error_part_leaves_the_point_alone_and_has_its_least_at_the_mean_error() -> None:
    point = torch.zeros(4, 1, requires_grad=True)
    error = torch.tensor([0.1, 0.2, 0.3, 0.6])
    log_error = torch.full((4, 1), float(np.log(0.3)), requires_grad=True)  # 0.3 is their mean
    outputs = MemberOutputs(point, point.detach(), log_error, torch.zeros(4, 1))
    config = LossConfig(huber_delta=1.0, bytes_weight=0.0, error_weight=1e6, ssim_scale=1.0)
    TrainingLoss(config)(outputs, error, torch.zeros(4)).backward()
    assert log_error.grad is not None
    assert point.grad is not None
    assert log_error.grad.sum().item() == pytest.approx(0, abs=0.5)  # of a weight of 1e6
    assert point.grad.flatten().tolist() == pytest.approx((-error / 4).tolist())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LossConfig(ssim_scale=0), "scales must be positive"),
        (lambda: LossConfig(bytes_weight=-1), "weights at least 0"),
        (lambda: LossConfig(ranking_weight=math.nan), "weights at least 0"),
        (lambda: LossConfig(point="hinge"), "point must be one of .*'combined'.*, got 'hinge'"),
        (lambda: TrainingLoss(LossConfig(weighting="even")), "weighting must be fixed or"),
        (lambda: SSIMLoss(0), "data_range must be positive"),
        (lambda: RankingLoss(0.2, 0.1), r"margin must be in \[0, threshold=0.1\], got 0.2"),
        (lambda: FocalLoss(-1), "beta must be positive"),
        (lambda: FocalLoss(1, 0.5), "gamma 0 or from 1"),
        (lambda: CombinedLoss({"mae": EVERY["mae"]}, {"mse": 1}), "each loss must have a weight"),
        (lambda: SSIMLoss()(torch.zeros(3), torch.zeros(4)), r"one shape, got \(3,\) and \(4,\)"),
    ],
)
def test_refusals(make: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()  # type: ignore[operator]
