"""Training a backbone: it learns what frozen features lack, and keeps what it was told to keep."""

import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from svg_quality.conversion.sampling import sobol_sets
from svg_quality.errors import DatasetError, ModelError, SettingsError
from svg_quality.features.backbone import N_FEATURES, ResNetFeatureExtractor
from svg_quality.features.preprocessing import preprocess
from svg_quality.model.quality_model import encode_parameters
from svg_quality.training.finetune import FinetuneConfig, Finetuned, device_of, finetune
from svg_quality.training.pictures import PictureRows, to_inputs, to_pixels


class SmallExtractor(nn.Module):
    """The extractor's ways, quick: two layers, the first of them frozen where asked for."""

    def __init__(self, n_frozen: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 32, stride=32)
        self.second = nn.Conv2d(8, N_FEATURES, 7)
        self.first.requires_grad_(n_frozen < 1)
        self.second.requires_grad_(n_frozen < 2)

    @property
    def n_trainable_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(images).relu()).flatten(1)


def extractor(n_frozen: int = 0) -> ResNetFeatureExtractor:
    torch.manual_seed(0)
    return cast(ResNetFeatureExtractor, SmallExtractor(n_frozen))


def rows(n_images: int, seed: int, n_sets: int = 3) -> PictureRows:
    """Noise with a bright spot at a random height; SSIM is higher the lower it lies."""
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 60, (n_images, 3, 224, 224), generator=random, dtype=torch.uint8)
    height = torch.randint(0, 7, (n_images,), generator=random)
    for image, place in zip(images, height.tolist(), strict=True):
        image[:, 32 * place : 32 * place + 32, 96:128] = 255
    index = torch.arange(n_images).repeat_interleave(n_sets)
    parameters = encode_parameters(sobol_sets(len(index), "full", seed))
    ssim = 0.5 + 0.06 * height[index] + 0.01 * torch.randn(len(index), generator=random)
    return PictureRows(images, index, parameters, ssim)


SMALL = FinetuneConfig(
    epochs=1, images_per_batch=4, device="cpu", seed=3, hidden_dims=(32, 16), head_epochs=4
)
CONFIG = replace(SMALL, epochs=3, learning_rate=1e-3)


@pytest.fixture(scope="module")
def outcome() -> tuple[Finetuned, list[tuple[int, float]]]:
    told: list[tuple[int, float]] = []
    said = finetune(
        extractor(), rows(24, 0), rows(9, 1), CONFIG,
        on_epoch=lambda epoch, metrics: told.append((epoch, metrics["val_loss"])),
    )  # fmt: skip
    return said, told


def test_it_says_what_it_did(outcome: tuple[Finetuned, list[tuple[int, float]]]) -> None:
    said, told = outcome
    assert [epoch for epoch, _ in told] == [0, 1, 2, 3]
    assert told[0][1] == said.frozen["loss"]
    losses = [one["val_loss"] for one in said.history]
    assert [loss for _, loss in told[1:]] == losses
    assert said.finetuned["loss"] == min(losses)
    assert said.best_epoch == losses.index(min(losses)) + 1
    assert said.device == "cpu"
    assert said.images_per_second > 0
    assert set(said.refitted) == {"loss", "mae", "r2"}
    # Every picture has three rows here, so the mean over pictures is that over rows.
    assert said.gain == pytest.approx(said.frozen["loss"] - said.refitted["loss"], abs=1e-5)
    assert said.gain_error > 0


def test_the_model_it_gives_is_the_best_epochs(
    outcome: tuple[Finetuned, list[tuple[int, float]]],
) -> None:
    """Its figures can be had again from the model, by a loop of our own."""
    said, validation = outcome[0], rows(9, 1)
    assert not said.model.training
    errors = []
    for row, image in enumerate(validation.image_index.tolist()):
        with torch.autocast("cpu", torch.bfloat16):
            features = said.model.extractor(to_inputs(validation.images[image][None]))
        guess = said.model.head(features.float(), validation.parameters[row][None])
        errors.append(abs(guess.item() - validation.ssim[row].item()))
    assert float(np.mean(errors)) == pytest.approx(said.finetuned["mae"], abs=2e-3)


def test_the_backbone_learns(outcome: tuple[Finetuned, list[tuple[int, float]]]) -> None:
    said = outcome[0]
    assert said.history[-1]["train_loss"] < said.history[0]["train_loss"]
    before = extractor().state_dict()
    after = said.model.extractor.state_dict()
    assert all(not torch.equal(after[name], value) for name, value in before.items())


def test_the_same_seed_gives_the_same_and_frozen_stages_stay() -> None:
    train, validation = rows(8, 0), rows(3, 1)
    first, again = (finetune(extractor(1), train, validation, SMALL) for _ in range(2))
    assert first.finetuned == again.finetuned
    assert first.frozen == again.frozen
    before, after = extractor(1).state_dict(), first.model.extractor.state_dict()
    assert torch.equal(before["first.weight"], after["first.weight"])
    assert not torch.equal(before["second.weight"], after["second.weight"])


def test_it_stops_when_patience_ends_and_what_is_not_finite_is_refused() -> None:
    train, validation = rows(8, 0), rows(3, 1)
    config = replace(SMALL, epochs=30, patience=1, learning_rate=0.3)
    said = finetune(extractor(), train, validation, config)
    assert len(said.history) == said.best_epoch + 1 < 30
    broken = extractor()
    with torch.no_grad():
        next(broken.parameters()).fill_(math.nan)
    with pytest.raises(ModelError, match="the loss must be finite"):
        finetune(broken, train, validation, CONFIG)


def test_progress_passes_every_batch() -> None:
    seen: dict[str, int] = {}

    def track(items, total, label):  # type: ignore[no-untyped-def]
        assert total == len(items)
        for item in items:
            seen[label] = seen.get(label, 0) + 1
            yield item

    finetune(extractor(), rows(9, 0), rows(3, 1), SMALL, track=track)
    assert seen["backbone, epoch 1"] == 3
    assert seen["features before"] == seen["features after"] == 2
    assert seen["validation"] == 3


def test_refusals() -> None:
    with pytest.raises(ModelError, match="must have a stage that is not frozen"):
        finetune(extractor(2), rows(4, 0), rows(3, 1), CONFIG)
    with pytest.raises(SettingsError, match="images_per_batch 2"):
        FinetuneConfig(images_per_batch=1)
    if not torch.cuda.is_available():
        assert device_of("auto").type == "cpu"
        with pytest.raises(ModelError, match="no GPU is: take cpu or auto"):
            device_of("cuda")


def test_pixels_survive_the_way_to_inputs_and_back() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    made = preprocess(rgb)
    pixels = to_pixels(made)
    assert pixels.dtype == np.uint8
    assert np.abs(to_inputs(torch.from_numpy(pixels)[None])[0].numpy() - made).max() < 1e-5


def test_rows_of_pictures_are_all_theirs_in_any_order() -> None:
    data = rows(7, 0)
    shuffled = torch.randperm(len(data.ssim), generator=torch.Generator().manual_seed(0))
    data = PictureRows(
        data.images, data.image_index[shuffled], data.parameters[shuffled], data.ssim[shuffled]
    )
    asked = torch.tensor([5, 0, 3])
    got, place = data.rows_of(asked)
    expected = [r for r, image in enumerate(data.image_index.tolist()) if image in (5, 0, 3)]
    assert got.tolist() == expected
    assert torch.equal(asked[place], data.image_index[got])


def test_refuses_rows_that_do_not_fit() -> None:
    good = rows(3, 0)
    with pytest.raises(DatasetError, match="images must be uint8"):
        PictureRows(good.images.float(), good.image_index, good.parameters, good.ssim)
    with pytest.raises(DatasetError, match="rows must be of one number"):
        PictureRows(good.images, good.image_index, good.parameters[:2], good.ssim)
    with pytest.raises(DatasetError, match="two or more, each with a row"):
        PictureRows(good.images, good.image_index.clamp(max=1), good.parameters, good.ssim)
    with pytest.raises(DatasetError, match="must be finite"):
        PictureRows(good.images, good.image_index, good.parameters, good.ssim * math.nan)
