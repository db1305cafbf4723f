"""The ensemble that is really used: SSIM and log bytes of parameter sets, with their spreads.

`QualityHead` takes an image's ResNet features and the tabular inputs of each parameter set. The
features pass a narrow bottleneck first: beside the descriptors, 2,048 raw numbers overfit on a
few thousand logos. The tabular inputs pass a piecewise-linear encoding [1]_. Then come a few
independent perceptrons, trained side by side [2]_: their mean is better than any of them, and
where they disagree the interval is wider. With probes, each corrects its own reading between
them (`probe_interpolation`).

References:
    .. [1] Gorishniy, Rubachev, Babenko (2022), On embeddings for numerical features in
       tabular deep learning, arXiv:2203.05556
    .. [2] Lakshminarayanan, Pritzel, Blundell (2017), Simple and scalable predictive
       uncertainty estimation using deep ensembles, arXiv:1612.01474
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from svg_quality.errors import ModelError
from svg_quality.model.dropout import BitDropout
from svg_quality.model.json_config import JsonConfig
from svg_quality.model.mlp import multilayer_perceptron
from svg_quality.model.probe_interpolation import ProbeInterpolation, probed_targets


@dataclass(frozen=True, slots=True)
class HeadConfig(JsonConfig):
    """What a `QualityHead` is made of; plain numbers, so that it can be written as JSON."""

    d_tabular: int = 1
    d_pieces: int = 1  # of the piecewise-linear encoding; `training.data.fit_scaling` finds them
    d_picture: int = 0  # trailing tabular columns that tell of the picture, not of the set
    d_picture_pieces: int = 0  # the pieces of these, the last ones
    d_features: int = 2048
    d_bottleneck: int = 8  # 0 leaves the features out
    hidden_dims: tuple[int, ...] = (512, 256)
    n_members: int = 3
    dropout_rate: float = 0.3
    feature_dropout_rate: float = 0.5  # of the features, before the bottleneck
    use_batch_norm: bool = True
    d_query: int = 0  # leading tabular columns: what a parameter set is
    n_probes: int = 0  # whose SSIM and log bytes are the last 2 n columns; 0: no interpolation
    n_mixtures: int = 16  # of the probes
    clip: float = 5.0  # standard deviations beyond which a feature counts no more


class MemberOutputs(NamedTuple):
    """What each member says; all ``(B, k)``."""

    ssim: Tensor  # in [-1, 1]
    log_bytes: Tensor  # natural logarithm of bytes
    log_error: Tensor  # of the absolute SSIM error to expect, natural logarithm
    log_bytes_log_error: Tensor  # the same for log bytes


class Prediction(NamedTuple):
    """What the ensemble says; all ``(B,)``."""

    ssim: Tensor
    log_bytes: Tensor
    ssim_spread: Tensor  # > 0: members' disagreement and expected error together
    log_bytes_spread: Tensor


class QualityHead(nn.Module):
    """SSIM and log bytes of parameter sets, with their spreads, from raw (unscaled) inputs.

    Standardisation is part of the network: `set_scaling` once, before training.

    Shape:
        - features: ``(B, d_features)``, or ``(1, d_features)`` for many sets of one image;
        - tabular: ``(B, d_tabular)``; outputs: `Prediction`.

    Example:
        >>> head = QualityHead(HeadConfig(d_tabular=3, d_pieces=6, d_features=8)).eval()
        >>> head(torch.zeros(1, 8), torch.zeros(5, 3)).ssim.shape
        torch.Size([5])
    """

    features_mean: Tensor  # (d_features,)
    features_scale: Tensor
    piece_column: Tensor  # int64 (d_pieces,), into the tabular columns
    piece_start: Tensor  # (d_pieces,)
    piece_width: Tensor
    target_mean: Tensor  # (2,), of atanh(SSIM) and of log bytes
    target_scale: Tensor

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        sizes = config.d_tabular, config.d_pieces, config.d_features, config.n_members
        if min(sizes) < 1 or config.d_bottleneck < 0:
            raise ModelError(f"sizes must be positive, got {config}")
        self.config = config
        self.feature_dropout = BitDropout(config.feature_dropout_rate)
        if config.d_bottleneck:
            self.bottleneck = nn.Linear(config.d_features, config.d_bottleneck)
            nn.init.normal_(self.bottleneck.weight, std=0.3 * config.d_features**-0.5)
        self.ensemble = nn.ModuleList(
            multilayer_perceptron(
                config.d_pieces + config.d_bottleneck + self._d_interpolated(),
                config.hidden_dims,
                4,
                config.dropout_rate,
                config.use_batch_norm,
            )
            for _ in range(config.n_members)
        )
        self.interpolations = nn.ModuleList(
            ProbeInterpolation(config.d_query, config.n_probes, config.n_mixtures)
            for _ in range(config.n_members if config.n_probes else 0)
        )
        self.register_buffer("features_mean", torch.zeros(config.d_features))
        self.register_buffer("features_scale", torch.ones(config.d_features))
        self.register_buffer("piece_column", torch.zeros(config.d_pieces, dtype=torch.int64))
        self.register_buffer("piece_start", torch.zeros(config.d_pieces))
        self.register_buffer("piece_width", torch.ones(config.d_pieces))
        self.register_buffer("target_mean", torch.zeros(2))
        self.register_buffer("target_scale", torch.ones(2))

    def set_scaling(self, scaling: dict[str, Tensor]) -> None:
        """Take the statistics of the training rows, by the names of the buffers.

        Raises:
            ModelError: a name or a shape does not fit.
        """
        for name, value in scaling.items():
            buffer = getattr(self, name, None)
            if not isinstance(buffer, Tensor) or buffer.shape != value.shape:
                raise ModelError(f"scaling must fit the head's buffers, {name} does not")
            buffer.copy_(value)

    def members(self, features: Tensor, tabular: Tensor) -> MemberOutputs:
        """What each member says: inputs as for `forward`, outputs ``(B, k)``."""
        raw = self._raw(features, tabular)
        if not self.config.d_bottleneck:
            raw = raw + 0 * features[:, :1, None]  # so that an exported graph keeps its input
        points = raw[..., :2] * self.target_scale + self.target_mean
        return MemberOutputs(torch.tanh(points[..., 0]), points[..., 1], raw[..., 2], raw[..., 3])

    def forward(self, features: Tensor, tabular: Tensor) -> Prediction:
        """See the class."""
        said = self.members(features, tabular)
        return Prediction(
            said.ssim.mean(1),
            said.log_bytes.mean(1),
            _spread(said.ssim, said.log_error),
            _spread(said.log_bytes, said.log_bytes_log_error),
        )

    def _members(self) -> list[nn.Sequential]:
        return cast(list[nn.Sequential], list(self.ensemble))

    def _d_interpolated(self) -> int:
        return 2 * self.config.n_mixtures if self.config.n_probes else 0

    def _raw(self, features: Tensor, tabular: Tensor) -> Tensor:
        """What each member gives, ``(B, k, 4)``; with probes, it corrects its first mixture.

        What tells of the picture goes through the first layer apart from what tells of the set:
        for many sets of one picture, that is most of the work, once.
        """
        config, n_set = self.config, self.config.d_pieces - self.config.d_picture_pieces
        picture = tabular[: features.shape[0]]  # the one row that all sets share, or every row
        of_set = self._pieces(tabular, slice(0, n_set))
        of_picture = self._of_picture(features, picture)
        if not config.n_probes:
            return torch.stack([_through(m, of_set, *of_picture) for m in self._members()], 1)
        probed = probed_targets(picture, config.n_probes, self.target_mean, self.target_scale)
        query, said = tabular[:, : config.d_query], []
        for member, interpolate in zip(self._members(), self.interpolations, strict=True):
            between = interpolate(query, probed)
            raw = _through(member, of_set, between.flatten(1), *of_picture)
            said.append(torch.cat([raw[:, :2] + between[:, :, 0], raw[:, 2:]], 1))
        return torch.stack(said, 1)

    def _of_picture(self, features: Tensor, picture: Tensor) -> list[Tensor]:
        """Pieces of the picture's columns and its narrowed features, where they are used."""
        config, parts = self.config, []
        if config.d_picture_pieces:
            parts.append(self._pieces(picture, slice(-config.d_picture_pieces, None)))
        if config.d_bottleneck:
            scaled = (features - self.features_mean) / self.features_scale
            scaled = scaled.clamp(-config.clip, config.clip)
            parts.append(self.bottleneck(self.feature_dropout(scaled)))
        return parts

    def _pieces(self, tabular: Tensor, which: slice) -> Tensor:
        """The piecewise-linear encoding, ``(B, pieces)`` in [0, 1].

        A column's range is cut at its quantiles; each piece says how far the value has come
        through it. So a straight layer can bend at the cuts, and no value is an outlier.
        """
        come = tabular.index_select(1, self.piece_column[which]) - self.piece_start[which]
        return (come / self.piece_width[which]).clamp(0, 1)


def _through(member: nn.Sequential, *parts: Tensor) -> Tensor:
    """A member on its inputs' columns, where the last parts may have one row for all.

    They stay apart, since side by side the encoded inputs would get gradients that nobody needs.
    """
    first = cast(nn.Linear, member[0])
    weights = first.weight.split([part.shape[1] for part in parts], 1)
    into: Tensor = first.bias
    for part, weight in reversed(list(zip(parts, weights, strict=True))):
        into = torch.addmm(into, part, weight.t())
    raw: Tensor = member[1:](into)
    return raw


def _spread(said: Tensor, log_error: Tensor) -> Tensor:
    """Standard deviation of the mixture: members' variance and their expected errors', (B,)."""
    variance = (said - said.mean(1, keepdim=True)).square().mean(1)
    return torch.sqrt(variance + torch.exp(2 * log_error.mean(1)) + 1e-12)
