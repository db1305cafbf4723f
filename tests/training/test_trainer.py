"""Training: 32 rows are learnt by heart, the best epoch is kept, a seed repeats it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from svg_quality.errors import ModelError, SettingsError
from svg_quality.model.checkpoint import load_checkpoint
from svg_quality.model.mlp import HeadConfig, QualityHead
from svg_quality.training.data import RowLoader, Rows, build_head
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
    data: Rows, head: HeadConfig = PLAIN, **settings: object
) -> tuple[QualityHead, dict[str, object]]:
    torch.manual_seed(0)
    model = build_head(data, head)
    config = TrainingConfig(**settings)  # type: ignore[arg-type]
    trainer = QualityModelTrainer(model, config)
    return model, trainer.train(RowLoader(data, 16, shuffle=True), RowLoader(data, 64))


def test_32_rows_can_be_learnt_by_heart() -> None:
    data = rows(32)
    shuffled = dataclasses.replace(data, ssim=data.ssim[np.random.default_rng(1).permutation(32)])
    model, _ = fitted(shuffled, epochs=200, patience=200, learning_rate=1e-2, weight_decay=0.0)
    said = predict_rows(model, RowLoader(shuffled, 64)).ssim.numpy()
    assert np.abs(said - shuffled.ssim).mean() < 0.01


def test_what_is_learnt_holds_for_new_rows() -> None:
    model, _ = fitted(rows(600), epochs=12, learning_rate=1e-2)
    new = rows(200, seed=1)
    said = predict_rows(model, RowLoader(new, 64))
    assert np.corrcoef(said.ssim, new.ssim)[0, 1] > 0.95
    assert np.corrcoef(said.log_bytes, new.log_bytes)[0, 1] > 0.95


def test_the_result_has_its_keys_and_the_best_epoch_is_kept(tmp_path: Path) -> None:
    data, heard = rows(64), []
    model = build_head(data, PLAIN)
    trainer = QualityModelTrainer(
        model, TrainingConfig(epochs=4), tmp_path, lambda epoch, metrics: heard.append(epoch)
    )
    train, val = RowLoader(data, 16, shuffle=True), RowLoader(rows(40, seed=2), 64)
    result = trainer.train(train, val)
    assert set(result) == {
        "training_time", "epochs_completed", "best_epoch", "best_val_loss",
        "final_train_metrics", "final_val_metrics", "training_history",
    }  # fmt: skip
    losses = [epoch["val_loss"] for epoch in result["training_history"]]
    assert heard == [1, 2, 3, 4][: len(losses)]
    assert result["best_val_loss"] == min(losses) == losses[result["best_epoch"] - 1]
    assert result["final_val_metrics"]["loss"] == pytest.approx(min(losses))
    best = QualityModelTrainer(load_checkpoint(tmp_path / "best"), trainer.config).measure(val)
    assert best["loss"] == pytest.approx(min(losses))
    assert (tmp_path / "last").is_dir()


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


def test_a_loss_that_is_not_finite_stops_it() -> None:
    data = rows(32)
    model = build_head(data, PLAIN)
    with torch.no_grad():
        model.bottleneck.bias.fill_(float("nan"))
    trainer = QualityModelTrainer(model, TrainingConfig(epochs=1))
    with pytest.raises(ModelError, match="the loss must be finite, got nan in epoch 1"):
        trainer.train(RowLoader(data, 16, shuffle=True), RowLoader(data, 64))


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"patience": 0}, {"learning_rate": 0.0}])
def test_refuses(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="must be"):
        TrainingConfig(**wrong)  # type: ignore[arg-type]
