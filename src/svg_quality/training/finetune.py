"""Training the backbone itself on conversions; the head on frozen features is the yardstick.

First the head alone is trained on the features of the backbone as it comes. Its validation loss
is what has to be beaten, and its weights are where the second part starts, so that a head of
random weights does not spoil the features (Kumar et al. 2022, arXiv:2202.10054). Then backbone
and head are trained together: a batch is some pictures with all their parameter sets, and one
pass of the backbone serves them all.

Half of the pictures of a batch are mirrored. SSIM is not invariant to that, for VTracer works
from one corner to the other, but nearly: over 400 real conversions it moved by 0.0045 on average
and by 0.0011 at the median, 0.6% of the variance (experiments/LOG.md).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from svg_quality.errors import ModelError, SettingsError
from svg_quality.features.backbone import ResNetFeatureExtractor
from svg_quality.model.mlp import PredictorConfig, SSIMPredictor
from svg_quality.model.quality_model import INPUT_DIM, QualityPredictionModel
from svg_quality.training.picture_scores import (
    finite_loss,
    losses_of_pictures,
    scores_of_rows,
    ssim_loss,
)
from svg_quality.training.pictures import PictureRows, to_inputs

Track = Callable[[Sequence[Any], int, str], Iterable[Any]]
OnEpoch = Callable[[int, dict[str, float]], object]
_HEAD_PATIENCE: Final = 8
_HEAD_RATE: Final = 3e-3
_HEAD_FACTOR: Final = 4.0  # its learning rate later, in the backbone's
_WARM_UP_SHARE: Final = 0.15
_GRADIENT_NORM: Final = 1.0


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """How to train."""

    epochs: int = 6
    patience: int = 3  # epochs without a better validation loss
    images_per_batch: int = 16
    learning_rate: float = 3e-4  # the backbone's, the highest of the cycle
    weight_decay: float = 0.05  # of matrices and kernels
    seed: int = 0
    device: str = "auto"
    hidden_dims: tuple[int, ...] = (1024, 512, 256, 128)  # of the head
    head_epochs: int = 40  # of the head alone, at most; a second or so each

    def __post_init__(self) -> None:
        if min(self.epochs, self.patience, self.head_epochs) < 1 or self.images_per_batch < 2:
            raise SettingsError(
                f"numbers of epochs must be at least 1 and images_per_batch 2, got {self}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Finetuned:
    """What came of it; metrics are ``loss``, ``mae`` and ``r2`` of SSIM on validation."""

    model: QualityPredictionModel  # of the best epoch, in evaluation mode, on the CPU
    frozen: dict[str, float]  # the head on the features of the backbone as it came
    finetuned: dict[str, float]  # both, at the best epoch
    refitted: dict[str, float]  # a new head on the features of the trained backbone
    gain: float  # mean over pictures of the loss of ``frozen`` less that of ``refitted``
    gain_error: float  # its standard error over pictures
    best_epoch: int  # from 1
    history: list[dict[str, float]]  # one mapping per epoch
    seconds: float  # of everything
    images_per_second: float  # of training, validation left out
    device: str


def finetune(
    extractor: ResNetFeatureExtractor,
    train: PictureRows,
    validation: PictureRows,
    config: FinetuneConfig,
    *,
    track: Track = lambda items, total, label: items,
    on_epoch: OnEpoch = lambda epoch, metrics: None,
) -> Finetuned:
    """Train a backbone (its stages that are not frozen) and a head; the best epoch is kept.

    Args:
        extractor: to start from; it is trained in place.
        train: pictures and their conversions.
        validation: of other pictures.
        config: how.
        track: passes items on and shows how many are done; told their number and a label.
        on_epoch: told the epoch and its metrics; 0 is the head on frozen features.

    Raises:
        ModelError: there is nothing to train, no such device, or the loss is not finite.
    """
    if extractor.n_trainable_parameters == 0:
        raise ModelError("a backbone must have a stage that is not frozen, and all five are")
    device, start = device_of(config.device), perf_counter()
    torch.manual_seed(config.seed)
    head = PredictorConfig(INPUT_DIM, config.hidden_dims)
    model = QualityPredictionModel(head, extractor).to(device)
    extractor.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    work = _Work(model, train, validation, config, device, track)
    frozen, losses = work.fit_head("before")
    on_epoch(0, {f"val_{name}": value for name, value in frozen.items()})
    best, best_epoch, history, rate = work.fit_all(on_epoch)
    state = copy.deepcopy(model.state_dict())
    refitted, less = work.fit_head("after")
    gains = losses - less
    model.load_state_dict(state)
    model.to("cpu").eval()
    extractor.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    gain, error = float(gains.mean()), float(gains.std() / len(gains) ** 0.5)
    seconds = perf_counter() - start
    return Finetuned(
        model, frozen, best, refitted, gain, error, best_epoch, history, seconds, rate, device.type
    )


def device_of(name: str) -> torch.device:
    """``cpu``, ``cuda``, or ``auto``: a GPU where there is one.

    Raises:
        ModelError: ``cuda`` was asked for, and there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ModelError("device must be one that is there, and no GPU is: take cpu or auto")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


class _Work:
    """Both parts of the training, over the same rows and in the same batches."""

    def __init__(
        self, model: QualityPredictionModel, train: PictureRows, validation: PictureRows,
        config: FinetuneConfig, device: torch.device, track: Track,
    ) -> None:  # fmt: skip
        self.model, self.train, self.validation = model, train, validation
        self.config, self.device, self.track = config, device, track
        self.random = torch.Generator().manual_seed(config.seed)
        can = torch.cpu.get_capabilities()
        # Elsewhere bfloat16 is emulated, and slower than float32.
        self.half = device.type == "cuda" or can.get("avx512_bf16") or can.get("amx_bf16")

    def fit_head(self, when: str) -> tuple[dict[str, float], Tensor]:
        """A new head alone, on features as they are.

        Returns:
            Its validation metrics, and its mean loss on each validation picture.
        """
        torch.manual_seed(self.config.seed)
        self.random.manual_seed(self.config.seed)
        at_train = self._all_features(self.train, f"features {when}")
        at_validation = self._all_features(self.validation, "validation")
        self.model.set_scaling(at_train, self.train.parameters.to(self.device))
        head = SSIMPredictor(**asdict(self.model.config)).to(self.device)
        self.model.predictor = head
        groups = _groups(head, _HEAD_RATE, self.config.weight_decay)
        optimizer = torch.optim.AdamW(groups)
        best, _, _ = self._fit(
            head, optimizer, self.config.head_epochs, _HEAD_PATIENCE,
            features_of=lambda batch: at_train[batch],
            measure=lambda: self._scores(at_validation), label=f"head {when}",
        )  # fmt: skip
        return best, losses_of_pictures(self._said(at_validation), self.validation)

    def fit_all(
        self, on_epoch: OnEpoch
    ) -> tuple[dict[str, float], int, list[dict[str, float]], float]:
        """Backbone and head; gives best metrics and epoch, the history, and images/s."""
        config, rates = self.config, []
        groups = _groups(self.model.extractor, config.learning_rate, config.weight_decay)
        rate = config.learning_rate * _HEAD_FACTOR
        groups += _groups(self.model.predictor, rate, config.weight_decay)

        def tell(epoch: int, metrics: dict[str, float]) -> None:
            rates.append(metrics["images_per_second"])
            on_epoch(epoch, metrics)

        best, best_epoch, history = self._fit(
            self.model, torch.optim.AdamW(groups), config.epochs, config.patience,
            features_of=lambda batch: self._features(self.train.images[batch], mirror=True),
            measure=lambda: self._scores(self._all_features(self.validation, "validation")),
            label="backbone", on_epoch=tell,
        )  # fmt: skip
        return best, best_epoch, history, len(rates) / sum(1 / x for x in rates)

    def _fit(
        self, part: nn.Module, optimizer: torch.optim.Optimizer, epochs: int, patience: int, *,
        features_of: Callable[[Tensor], Tensor], measure: Callable[[], dict[str, float]],
        label: str, on_epoch: OnEpoch | None = None,
    ) -> tuple[dict[str, float], int, list[dict[str, float]]]:  # fmt: skip
        """Train until patience ends; ``part`` is left with its best weights.

        There is a bar for each epoch where ``on_epoch`` is told of them, else one for all.
        """
        n_steps = epochs * len(self._batches())
        peaks = [group["lr"] for group in optimizer.param_groups]
        schedule = OneCycleLR(optimizer, peaks, total_steps=n_steps, pct_start=_WARM_UP_SHARE)
        best, best_epoch, state = {"loss": math.inf}, 0, part.state_dict()
        history: list[dict[str, float]] = []
        numbers = range(1, epochs + 1)
        for epoch in numbers if on_epoch else self.track(numbers, epochs, label):
            start, losses, batches = perf_counter(), [], self._batches()
            shown = self.track(batches, len(batches), f"{label}, epoch {epoch}")
            for batch in shown if on_epoch else batches:
                losses.append(self._step(part, features_of, batch, optimizer))
                schedule.step()
            rate = self.train.n_images / (perf_counter() - start)
            metrics = measure()
            history.append(
                {"train_loss": sum(losses) / len(losses)}
                | {f"val_{name}": value for name, value in metrics.items()}
                | {"images_per_second": rate}
            )
            if on_epoch:
                on_epoch(epoch, history[-1])
            if metrics["loss"] < best["loss"]:
                best, best_epoch, state = metrics, epoch, copy.deepcopy(part.state_dict())
            if epoch - best_epoch >= patience:
                break
        part.load_state_dict(state)
        return best, best_epoch, history

    def _step(
        self, part: nn.Module, features_of: Callable[[Tensor], Tensor], batch: Tensor,
        optimizer: torch.optim.Optimizer,
    ) -> float:  # fmt: skip
        """One step over all rows of some pictures; gives the loss."""
        part.train()
        rows, place = self.train.rows_of(batch)
        features = features_of(batch)[place.to(self.device)]
        parameters = self.train.parameters[rows].to(self.device)
        loss = ssim_loss(self.model.head(features, parameters)[:, 0], self.train.ssim[rows])
        value = finite_loss(loss.item())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(part.parameters(), _GRADIENT_NORM)
        optimizer.step()
        return value

    def _batches(self) -> list[Tensor]:
        """Numbers of pictures in a new order; batches of nearly one size, at least two each."""
        n = self.train.n_images
        order = torch.randperm(n, generator=self.random)
        return list(order.tensor_split(math.ceil(n / self.config.images_per_batch)))

    def _features(self, pixels: Tensor, mirror: bool = False) -> Tensor:
        """Of pictures, uint8 ``(b, 3, 224, 224)``; half of them mirrored where asked for."""
        if mirror:
            chosen = torch.rand(len(pixels), generator=self.random) < 0.5
            pixels = torch.where(chosen.view(-1, 1, 1, 1), pixels.flip(3), pixels)
        inputs = to_inputs(pixels.to(self.device)).to(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bool(self.half)):
            features: Tensor = self.model.extractor(inputs)
        return features.float()

    @torch.no_grad()
    def _all_features(self, rows: PictureRows, label: str) -> Tensor:
        self.model.eval()
        batches = rows.images.split(2 * self.config.images_per_batch)
        return torch.cat([self._features(x) for x in self.track(batches, len(batches), label)])

    @torch.no_grad()
    def _said(self, features: Tensor) -> Tensor:
        """The model's SSIM of the validation rows, ``(n,)``, from their pictures' features."""
        self.model.eval()
        rows = self.validation
        at_rows = features[rows.image_index.to(self.device)]
        said: Tensor = self.model.head(at_rows, rows.parameters.to(self.device))
        return said[:, 0].cpu()

    def _scores(self, features: Tensor) -> dict[str, float]:
        """Of the head on the validation pictures' features."""
        return scores_of_rows(self._said(features), self.validation)


def _groups(part: nn.Module, rate: float, decay: float) -> list[dict[str, Any]]:
    """What is trained, in two groups: weight decay on matrices and kernels only."""
    trained = [p for p in part.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "lr": rate, "weight_decay": decay},
        {"params": [p for p in trained if p.ndim <= 1], "lr": rate, "weight_decay": 0.0},
    ]
