"""What a bundle knows of its training logos: which one a picture is like, and what it came to.

A picture is a point: its plain statistics and what its probes gave, standardised. Of the spaces
tried (all descriptors, their principal components, the backbone's features) near points take to
VTracer most alike in this one (experiments/LOG.md). So a near logo's measured conversions are the
first guess for a new one; and a picture farther from every training logo than they are from each
other is one the model was never shown.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from svg_quality.conversion.parameters import CHOICES, NAMES, Parameters
from svg_quality.errors import ModelError
from svg_quality.features.descriptors import SIMPLE_NAMES
from svg_quality.features.probes import PROBE_NAMES

N_NEAREST: Final = 8
UNLIKE: Final = 0.99  # of the training logos lie closer to their own nearest one
MOST_IMAGES: Final = 4096  # kept of a larger training split, drawn with a fixed seed
_CONSTANT: Final = 1e-6  # a standard deviation below is rounding
_LOAD_ERRORS: Final = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
_ARRAYS: Final = (
    "image_ids", "mean", "scale", "points", "own_distances", "ends", "settings", "ssim",
    "svg_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Neighbour:
    """A training logo and its measured conversions."""

    image_id: str
    distance: float
    parameters: tuple[Parameters, ...]  # n sets
    ssim: np.ndarray  # float64 (n,), measured
    svg_bytes: np.ndarray  # int64 (n,), measured


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """How like the training logos a picture is."""

    distance: float  # to the nearest
    percentile: float  # share of training logos that lie closer to their own nearest, in [0, 1]
    unlike: bool  # whether that share is over UNLIKE
    nearest: tuple[Neighbour, ...]  # nearest first


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The training logos: ``n`` images as points of ``k`` numbers each, and ``m`` conversions."""

    image_ids: tuple[str, ...]  # n
    mean: np.ndarray  # float32 (k,)
    scale: np.ndarray  # float32 (k,), > 0
    points: np.ndarray  # float32 (n, k)
    own_distances: np.ndarray  # float32 (n,), ascending: to the nearest one of another group
    ends: np.ndarray  # int64 (n,): image i has the conversions ends[i - 1] .. ends[i]
    settings: np.ndarray  # float64 (m, 11), in the order of NAMES; a choice by its number
    ssim: np.ndarray  # float64 (m,)
    svg_bytes: np.ndarray  # int64 (m,)

    def similarity(self, descriptors: np.ndarray) -> Similarity:
        """Which training logos a picture is like.

        Args:
            descriptors: float32 ``(d,)``, from `describe`.
        """
        distances = _distances(self.points, (_compared(descriptors) - self.mean) / self.scale)
        order = np.argsort(distances, kind="stable")[:N_NEAREST]
        nearest = float(distances[order[0]])
        closer = np.searchsorted(self.own_distances, nearest, side="left")
        percentile = float(closer / len(self.own_distances))
        return Similarity(
            distance=nearest,
            percentile=percentile,
            unlike=percentile > UNLIKE,
            nearest=tuple(self._neighbour(int(i), float(distances[i])) for i in order),
        )

    def _neighbour(self, i: int, distance: float) -> Neighbour:
        rows = slice(int(self.ends[i - 1]) if i else 0, int(self.ends[i]))
        return Neighbour(
            image_id=self.image_ids[i],
            distance=distance,
            parameters=tuple(map(_parameters, self.settings[rows])),
            ssim=self.ssim[rows],
            svg_bytes=self.svg_bytes[rows],
        )

    def save(self, path: Path) -> None:
        """Write it as one compressed file of plain arrays."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        np.savez_compressed(path, **arrays | {"image_ids": np.array(self.image_ids, "S64")})

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read it again.

        Raises:
            ModelError: the file is missing or is no such file.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in _ARRAYS}
        except _LOAD_ERRORS as error:
            raise ModelError(f"a bundle's reference must load, {path} does not: {error}") from error
        ids = tuple(name.decode() for name in arrays.pop("image_ids"))
        return cls(image_ids=ids, **arrays)


def reference_of(
    image_ids: Sequence[str],
    groups: np.ndarray,
    descriptors: np.ndarray,
    image_index: np.ndarray,
    parameters: Sequence[Parameters],
    ssim: np.ndarray,
    svg_bytes: np.ndarray,
) -> Reference:
    """The reference of a training split, of at most ``MOST_IMAGES`` of its images.

    Args:
        image_ids: ``n``, SHA-256 each.
        groups: ``(n,)``; alike where images are near-duplicates, which lie too close to tell how
            far apart logos are.
        descriptors: float32 ``(n, d)``, from `describe`.
        image_index: int ``(m,)``: whose conversion each is.
        parameters: ``m`` sets.
        ssim: ``(m,)``, measured.
        svg_bytes: ``(m,)``, measured.
    """
    kept = _drawn(len(image_ids))
    compared = np.stack([_compared(row) for row in descriptors[kept]])
    mean, scale = compared.mean(0), compared.std(0)
    scale[scale < _CONSTANT] = 1
    points = (compared - mean) / scale
    place = np.full(len(image_ids), -1)
    place[kept] = np.arange(len(kept))
    order = np.argsort(place[image_index], kind="stable")
    order = order[place[image_index][order] >= 0]
    return Reference(
        image_ids=tuple(image_ids[i] for i in kept),
        mean=mean,
        scale=scale,
        points=points,
        own_distances=_own_distances(points, np.asarray(groups)[kept]),
        ends=np.bincount(place[image_index[order]], minlength=len(kept)).cumsum(),
        settings=_encoded([parameters[i] for i in order]),
        ssim=np.asarray(ssim, np.float64)[order],
        svg_bytes=np.asarray(svg_bytes, np.int64)[order],
    )


def _drawn(n_images: int) -> np.ndarray:
    if n_images <= MOST_IMAGES:
        return np.arange(n_images)
    return np.sort(np.random.default_rng(0).choice(n_images, MOST_IMAGES, replace=False))


def _compared(descriptors: np.ndarray) -> np.ndarray:
    """The descriptors that make the point, ``(k,)``."""
    return np.concatenate([descriptors[: len(SIMPLE_NAMES)], descriptors[-len(PROBE_NAMES) :]])


def _own_distances(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    found = [
        _distances(points[groups != group], point).min(initial=np.inf)
        for point, group in zip(points, groups, strict=True)
    ]
    return np.sort(np.array(found, np.float32))


def _distances(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    distances: np.ndarray = np.sqrt(np.square(points - point).sum(1))
    return distances


def _encoded(parameters: Sequence[Parameters]) -> np.ndarray:
    rows = [[_number(name, getattr(one, name)) for name in NAMES] for one in parameters]
    return np.array(rows, np.float64).reshape(-1, len(NAMES))


def _number(name: str, value: str | float) -> float:
    return CHOICES[name].index(str(value)) if name in CHOICES else float(value)


def _parameters(row: np.ndarray) -> Parameters:
    values = dict(zip(NAMES, row.tolist(), strict=True))
    chosen = {name: allowed[int(values[name])] for name, allowed in CHOICES.items()}
    return Parameters(**values | chosen)
