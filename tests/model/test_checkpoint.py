"""Checkpoints: what is read is what was written, and damage is named."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from svg_quality.errors import ModelError
from svg_quality.model.checkpoint import SETTINGS, WEIGHTS, load_checkpoint, save_checkpoint
from svg_quality.model.quality_head import HeadConfig, QualityHead


@pytest.fixture
def saved(tmp_path: Path) -> tuple[QualityHead, Path]:
    torch.manual_seed(0)
    model = QualityHead(HeadConfig(d_tabular=3, d_pieces=3, d_features=4, hidden_dims=(8,)))
    save_checkpoint(model, tmp_path, {"val_loss": 0.5})
    return model.eval(), tmp_path


def test_a_checkpoint_predicts_as_its_model(saved: tuple[QualityHead, Path]) -> None:
    model, directory = saved
    features, tabular = torch.randn(5, 4), torch.randn(5, 3)
    again = load_checkpoint(directory)
    assert not again.training
    for one, other in zip(model(features, tabular), again(features, tabular), strict=True):
        assert torch.equal(one, other)
    assert json.loads((directory / SETTINGS).read_text())["metrics"] == {"val_loss": 0.5}


def test_missing_and_unknown_keys_are_named(saved: tuple[QualityHead, Path]) -> None:
    state = load_file(saved[1] / WEIGHTS)
    state["stray"] = state.pop("bottleneck.bias")
    save_file(state, saved[1] / WEIGHTS)
    with pytest.raises(ModelError, match=r"missing=\['bottleneck.bias'\], unknown=\['stray'\]"):
        load_checkpoint(saved[1])


def test_a_wrong_shape_is_named(saved: tuple[QualityHead, Path]) -> None:
    state = load_file(saved[1] / WEIGHTS)
    state["bottleneck.bias"] = torch.zeros(99)
    save_file(state, saved[1] / WEIGHTS)
    with pytest.raises(ModelError, match=r"bottleneck.bias must be of shape \(8,\), got \(99,\)"):
        load_checkpoint(saved[1])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (WEIGHTS, "damaged", "must be readable"),
        (SETTINGS, "{", "must be readable"),
        (SETTINGS, "[]", "must hold a config"),
        (SETTINGS, '{"config": {}}', "the digest .* an older version .* wrote it; train again"),
        (
            SETTINGS,
            '{"config": {}, "weights_sha256": ""}',
            "of this version .* must be those of HeadConfig, got missing=.*: train again",
        ),
        (SETTINGS, '{"config": [], "weights_sha256": ""}', "must be those of HeadConfig"),
    ],
)
def test_damage_is_refused(
    saved: tuple[QualityHead, Path], name: str, text: str, message: str
) -> None:
    (saved[1] / name).write_text(text)
    with pytest.raises(ModelError, match=message):
        load_checkpoint(saved[1])


def test_nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be readable"):
        load_checkpoint(tmp_path / "none")


def test_weights_of_another_writing_are_refused(saved: tuple[QualityHead, Path]) -> None:
    """What a process leaves that is killed between the two files."""
    before = (saved[1] / SETTINGS).read_bytes()
    with torch.no_grad():
        saved[0].bottleneck.bias.add_(1.0)
    save_checkpoint(saved[0], saved[1])
    load_checkpoint(saved[1])
    (saved[1] / SETTINGS).write_bytes(before)
    with pytest.raises(ModelError, match=r"weights\.safetensors must be what head\.json was"):
        load_checkpoint(saved[1])
