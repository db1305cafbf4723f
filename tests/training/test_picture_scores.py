"""Scores of what was said of pictures' conversions, against loops and scikit-learn."""

import math

import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score
from torch import Tensor

from svg_quality.errors import ModelError
from svg_quality.model.losses import LossConfig
from svg_quality.training.picture_scores import losses_of_pictures, scores_of_rows, ssim_loss
from svg_quality.training.pictures import PictureRows


@pytest.fixture
def said_and_rows() -> tuple[Tensor, PictureRows]:
    """Three pictures with 1, 2 and 4 rows, some said nearly right and some far off."""
    random = torch.Generator().manual_seed(0)
    index = torch.tensor([2, 0, 2, 1, 2, 1, 2])
    ssim = torch.rand(7, generator=random)
    error = torch.tensor([0.001, -0.002, 0.3, 0.0, -0.4, 0.01, 0.05])
    images = torch.zeros(3, 3, 224, 224, dtype=torch.uint8)
    return ssim + error, PictureRows(images, index, torch.zeros(7, 16), ssim)


def written_out(said: float, measured: float) -> float:
    """Huber 1964: a parabola up to the bend, a line beyond it."""
    config = LossConfig()
    off = abs(said - measured) / config.ssim_scale
    bend = config.huber_delta
    return off**2 / 2 if off <= bend else bend * (off - bend / 2)


def test_each_picture_counts_its_own_rows(said_and_rows: tuple[Tensor, PictureRows]) -> None:
    said, rows = said_and_rows
    losses = [written_out(*pair) for pair in zip(said.tolist(), rows.ssim.tolist(), strict=True)]
    pictures = rows.image_index.tolist()
    expected = [
        sum(x for x, of in zip(losses, pictures, strict=True) if of == number)
        / pictures.count(number)
        for number in range(3)
    ]
    assert losses_of_pictures(said, rows).tolist() == pytest.approx(expected, rel=1e-4)
    assert ssim_loss(said, rows.ssim).item() == pytest.approx(sum(losses) / 7, rel=1e-4)


def test_the_figures_are_scikit_learns(said_and_rows: tuple[Tensor, PictureRows]) -> None:
    said, rows = said_and_rows
    scores = scores_of_rows(said, rows)
    assert scores["mae"] == pytest.approx(mean_absolute_error(rows.ssim, said))
    assert scores["r2"] == pytest.approx(r2_score(rows.ssim, said), rel=1e-4)
    assert scores["loss"] == ssim_loss(said, rows.ssim).item()


def test_what_is_not_finite_is_refused(said_and_rows: tuple[Tensor, PictureRows]) -> None:
    said, rows = said_and_rows
    with pytest.raises(ModelError, match="the loss must be finite, got nan: lower the learning"):
        scores_of_rows(said * math.nan, rows)
