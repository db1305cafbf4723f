"""Training: 32 rows are learnt by heart, the best epoch is kept, a seed repeats it."""

import dataclasses
import logging
import math
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from svg_quality.errors import ModelError, SettingsError
from svg_quality.model.checkpoint import load_checkpoint
from svg_quality.model.losses import LossConfig
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.training.data import RowLoader, build_head
from svg_quality.training.rows import Batch, Rows
from svg_quality.training.trainer import QualityModelTrainer, TrainingConfig, predict_rows

PLAIN = HeadConfig(
    d_bottleneck=4, hidden_dims=(64, 64), n_members=2, dropout_rate=0.0, feature_dropout_rate=0.0
)


def rows(n: int, seed: int = 0) -> Rows:
    """SSIM and bytes follow the inputs, with a little noise."""
    rng = np.random.default_rng(seed)
    tabular = rng.uniform(-1, 1, (n, 4)).astype(np.float32)
    noise = 0.02 * rng.normal(size=n)
    return Rows(
        features=rng.normal(size=(n, 8)).astype(np.float32),
        image_index=np.arange(n),
        tabular=tabular,
        ssim=np.tanh(1 + 0.5 * tabular[:, 0] - tabular[:, 1] ** 2 + noise).astype(np.float32),
        log_bytes=(8 + tabular[:, 2] + noise).astype(np.float32),
    )


def fitted(
    data: Rows, head: HeadConfig = PLAIN, batch_size: int = 16, **settings: object
) -> tuple[QualityHead, dict[str, Any]]:
    torch.manual_seed(0)
    model = build_head(data, head)
    config = TrainingConfig(**settings)  # type: ignore[arg-type]
    trainer = QualityModelTrainer(model, config)
    return model, trainer.train(RowLoader(data, batch_size, shuffle=True), RowLoader(data, 64))


class Listener:
    """A monitor that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, Mapping[str, float], float, float]] = []
        self.epochs: list[int] = []
        self.notes: list[tuple[str, str]] = []

    def record_step(
        self, step: int, seconds: Mapping[str, float], loss: float, gradient_norm: float
    ) -> None:
        self.steps.append((step, dict(seconds), loss, gradient_norm))

    def record_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self.epochs.append(epoch)

    def note(self, kind: str, text: str) -> None:
        self.notes.append((kind, text))


class Spoilt:
    """A loader that gives NaN for one SSIM in some of its passes."""

    def __init__(self, loader: RowLoader, passes: set[int]) -> None:
        self.loader, self.passes, self.n_passes = loader, passes, 0

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        self.n_passes += 1
        for number, batch in enumerate(self.loader):
            if self.n_passes in self.passes and number == 1:
                batch = batch._replace(ssim=batch.ssim * math.nan)
            yield batch


def test_32_rows_can_be_learnt_by_heart() -> None:
    data = rows(32)
    shuffled = dataclasses.replace(data, ssim=data.ssim[np.random.default_rng(1).permutation(32)])
    model, _ = fitted(shuffled, epochs=200, patience=200, learning_rate=1e-2, weight_decay=0.0)
    said = predict_rows(model, shuffled).ssim.numpy()
    assert np.abs(said - shuffled.ssim).mean() < 0.01


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "adam", "schedule": "constant", "learning_rate": 3e-3, "weight_decay": 1e-5},
        {"schedule": "cosine", "accumulation": 2},
        {"loss": LossConfig(point="combined", weighting="uncertainty")},
    ],
    ids=["defaults", "adam", "cosine, accumulated", "combined, learnt weights"],
)
def test_what_is_learnt_holds_for_new_rows(settings: dict[str, Any]) -> None:
    model, _ = fitted(rows(600), batch_size=48, **{"epochs": 12, "learning_rate": 1e-2, **settings})
    new = rows(200, seed=1)
    said = predict_rows(model, new)
    assert np.corrcoef(said.ssim, new.ssim)[0, 1] > 0.95
    assert np.corrcoef(said.log_bytes, new.log_bytes)[0, 1] > 0.95


def test_the_result_has_its_keys_and_the_best_epoch_is_kept(tmp_path: Path) -> None:
    data, heard = rows(64), []
    model = build_head(data, PLAIN)
    trainer = QualityModelTrainer(
        model,
        TrainingConfig(epochs=4, checkpoint_every=2),
        tmp_path,
        lambda epoch, metrics: heard.append(epoch),
    )
    train, val = RowLoader(data, 16, shuffle=True), RowLoader(rows(40, seed=2), 64)
    result = trainer.train(train, val)
    assert set(result) == {
        "training_time", "epochs_completed", "best_epoch", "best_val_loss",
        "final_train_metrics", "final_val_metrics", "training_history",
    }  # fmt: skip
    losses = [epoch["val_loss"] for epoch in result["training_history"]]
    assert heard == [1, 2, 3, 4] == list(range(1, len(losses) + 1))
    assert result["best_val_loss"] == min(losses) == losses[result["best_epoch"] - 1]
    assert result["final_val_metrics"]["loss"] == pytest.approx(min(losses))
    for name, expected in (
        ("best", min(losses)), ("epoch-0002", losses[1]), ("epoch-0004", losses[3])
    ):  # fmt: skip
        head = load_checkpoint(tmp_path / name)
        assert QualityModelTrainer(head, trainer.config).measure(val)["loss"] == pytest.approx(
            expected
        )
    assert not (tmp_path / "epoch-0001").exists()


def test_it_stops_when_validation_gets_no_better() -> None:
    train = rows(64)
    noise = dataclasses.replace(train, ssim=train.ssim[::-1].copy())
    trainer = QualityModelTrainer(
        build_head(train, PLAIN), TrainingConfig(epochs=100, patience=3, learning_rate=1e-2)
    )
    result = trainer.train(RowLoader(train, 16, shuffle=True), RowLoader(noise, 64))
    assert result["epochs_completed"] == result["best_epoch"] + 3 < 100


def test_a_seed_repeats_a_training() -> None:
    first, second = (fitted(rows(48), dataclasses.replace(PLAIN, dropout_rate=0.2), epochs=3)
                     for _ in range(2))  # fmt: skip
    for one, other in zip(first[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(one, other)


def apart(one: QualityHead, other: QualityHead) -> float:
    """The largest difference of two heads' weights."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def test_two_batches_of_8_make_the_step_of_one_of_16() -> None:
    """Without batch norm and dropout, whose numbers depend on the batch."""
    head = dataclasses.replace(PLAIN, use_batch_norm=False)
    settings = {"epochs": 2, "learning_rate": 1e-3}
    one, _ = fitted(rows(48), head, 16, **settings)
    other, _ = fitted(rows(48), head, 8, accumulation=2, **settings)
    alone, _ = fitted(rows(48), head, 8, **settings)
    assert apart(one, other) < 1e-5
    assert apart(one, alone) > 1e-4


def test_a_rest_of_batches_makes_a_step_too() -> None:
    told = Listener()
    data = rows(48)
    trainer = QualityModelTrainer(
        build_head(data, PLAIN),
        TrainingConfig(epochs=1, accumulation=2),
        monitor=told,  # type: ignore[arg-type]
    )
    trainer.train(RowLoader(data, 16, shuffle=True), RowLoader(data, 64))
    assert [step[0] for step in told.steps] == [1, 2]


def test_learnt_weights_of_the_loss_are_learnt() -> None:
    data = rows(64)
    config = TrainingConfig(epochs=2, loss=LossConfig(weighting="uncertainty"))
    trainer = QualityModelTrainer(build_head(data, PLAIN), config)
    before = [float(p.detach()) for p in trainer.loss.parameters()]
    trainer.train(RowLoader(data, 16, shuffle=True), RowLoader(data, 64))
    after = [float(p.detach()) for p in trainer.loss.parameters()]
    assert len(before) == 2
    assert all(a != b for a, b in zip(before, after, strict=True))


def test_a_monitor_hears_of_every_step_and_epoch() -> None:
    told, data = Listener(), rows(64)
    trainer = QualityModelTrainer(
        build_head(data, PLAIN),
        TrainingConfig(epochs=2),
        monitor=told,  # type: ignore[arg-type]
    )
    trainer.train(RowLoader(data, 16, shuffle=True), RowLoader(data, 64))
    assert [step[0] for step in told.steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert told.epochs == [1, 2]
    for _, seconds, loss, norm in told.steps:
        assert set(seconds) == {"data", "forward", "backward", "optimizer"}
        assert min(seconds.values()) > 0
        assert math.isfinite(loss)
        assert norm > 0


def test_after_a_loss_that_is_not_finite_it_goes_back_and_slower() -> None:
    data, told = rows(64), Listener()
    loader = Spoilt(RowLoader(data, 16, shuffle=True), passes={2})
    config = TrainingConfig(epochs=3, schedule="constant", learning_rate=4e-3)
    trainer = QualityModelTrainer(build_head(data, PLAIN), config, monitor=told)  # type: ignore[arg-type]
    result = trainer.train(loader, RowLoader(data, 64))
    assert [m["learning_rate"] for m in result["training_history"]] == [4e-3, 2e-3, 2e-3]
    assert [kind for kind, _ in told.notes] == ["rollback"]
    assert (
        "the loss must be finite, got nan in epoch 2: back to the end of epoch 1"
        in (told.notes[0][1])
    )
    assert math.isnan(told.steps[5][2])
    assert all(math.isfinite(m["val_loss"]) for m in result["training_history"])


@pytest.mark.parametrize("when", [1, 2])
def test_going_back_is_to_the_very_weights(when: int) -> None:
    """A first epoch that broke off leaves the initial weights, a second those after the first."""
    data, states = rows(64), []
    model = build_head(data, PLAIN)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    loader = Spoilt(RowLoader(data, 16, shuffle=True), passes=set(range(when, 9)))
    trainer = QualityModelTrainer(
        model,
        TrainingConfig(epochs=3, patience=9),
        on_epoch=lambda epoch, metrics: states.append(
            {name: value.clone() for name, value in model.state_dict().items()}
        ),
    )
    with pytest.raises(ModelError, match="after the learning rate was halved 3 times"):
        trainer.train(loader, RowLoader(data, 64))
    assert loader.n_passes == when + 3
    expected = [start, *states][when - 1]
    assert all(torch.equal(v, expected[k]) for k, v in model.state_dict().items())


def test_without_a_monitor_going_back_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    data = rows(64)
    loader = Spoilt(RowLoader(data, 16, shuffle=True), passes={1})
    trainer = QualityModelTrainer(build_head(data, PLAIN), TrainingConfig(epochs=1))
    with caplog.at_level(logging.WARNING):
        trainer.train(loader, RowLoader(data, 64))
    assert "half the learning rate (1 of at most 3 times)" in caplog.text


def test_a_gradient_that_is_not_finite_moves_nothing() -> None:
    data = rows(32)
    model = build_head(data, PLAIN)
    hook = model.bottleneck.weight.register_hook(lambda gradient: gradient * math.inf)
    start = model.bottleneck.weight.detach().clone()
    with pytest.raises(ModelError, match=r"the gradient must be finite, its norm is .* in epoch 1"):
        QualityModelTrainer(model, TrainingConfig(epochs=1)).train(
            RowLoader(data, 16, shuffle=True), RowLoader(data, 64)
        )
    hook.remove()
    assert torch.equal(model.bottleneck.weight, start)


class Stop(Exception):
    """What a search raises to prune."""


def test_a_listener_that_raises_leaves_the_best_weights_and_no_threads() -> None:
    data, losses = rows(64), []
    model = build_head(data, PLAIN)

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        losses.append(metrics["val_loss"])
        if epoch == 3:
            raise Stop

    trainer = QualityModelTrainer(model, TrainingConfig(epochs=5), on_epoch=on_epoch)
    threads, cores = threading.active_count(), torch.get_num_threads()
    val = RowLoader(data, 64, prefetch=2)
    with pytest.raises(Stop):
        trainer.train(RowLoader(data, 16, shuffle=True, prefetch=2), val)
    assert threading.active_count() == threads
    assert torch.get_num_threads() == cores
    assert trainer.measure(val)["loss"] == pytest.approx(min(losses))
    assert not model.training


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"accumulation": 0}, "accumulation must be at least 1"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, got 0.0"),
        ({"gradient_norm": math.nan}, "gradient_norm must be positive, got nan"),
    ],
)
def test_refuses(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        TrainingConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"optimizer": "sgd"}, "optimizer must be one of"), ({"schedule": "up"}, "schedule must be")],
)
def test_refuses_what_it_does_not_know(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        fitted(rows(32), **wrong)  # type: ignore[arg-type]
