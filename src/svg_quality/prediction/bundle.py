"""The bundle: everything a prediction needs, as plain files in one folder. No pickle anywhere.

* ``bundle.json``: schema version, the names of the head's inputs, the descriptors of a fixed
  picture, the backbone's fingerprint and weights and how pictures are fitted into its square,
  the dataset's name, version and digest, the training settings, package versions, and SHA-256 of
  every other file
* ``backbone.onnx``: ``images (B, 3, 224, 224)`` to ``features (B, 2048)``
* ``head.onnx``: ``features (1 or B, 2048)`` and ``tabular (B, d)`` to SSIM, log bytes and their
  spreads; the scaler is part of the graph
* ``conformal.json``: the calibrated intervals
* ``reference.npz``: the training logos' descriptors and measured conversions (`reference`)
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from svg_quality.conversion.images import LogoImage, image_from_pixels
from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ModelError
from svg_quality.features.descriptors import describe
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.inputs import TABULAR_NAMES, tabular_inputs
from svg_quality.features.preprocessing import FITS, INPUT_SIZE, preprocess
from svg_quality.model.uncertainty import Conformal
from svg_quality.prediction.reference import Reference

SCHEMA_VERSION: Final = 3
MANIFEST: Final = "bundle.json"
BACKBONE: Final = "backbone.onnx"
HEAD: Final = "head.onnx"
CONFORMAL: Final = "conformal.json"
REFERENCE: Final = "reference.npz"
Shape = tuple[int | str | None, ...]
_WARMING: Final = np.full((64, 64, 3), 255, np.uint8)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says of ``n`` parameter sets; float64 ``(n,)`` each."""

    ssim: np.ndarray
    ssim_low: np.ndarray
    ssim_high: np.ndarray
    ssim_spread: np.ndarray  # > 0, before calibration
    svg_bytes: np.ndarray
    bytes_low: np.ndarray
    bytes_high: np.ndarray


class Bundle:
    """A loaded bundle.

    Args:
        folder: where its files are; the SHA-256 of each is checked.

    Raises:
        ModelError: a file is missing, damaged, or of a schema this code does not fit.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest = _read_manifest(folder)
        _check_files(folder, self.manifest["files"])
        _check_descriptors(folder, self.manifest["probe"])
        self._backbone = OnnxGraph(folder / BACKBONE, n_threads=1)  # beside the descriptors
        self._head = OnnxGraph(folder / HEAD)
        _check_graphs(folder, self._backbone.shapes, self._head.shapes)
        conformal = json.loads((folder / CONFORMAL).read_text())
        self.intervals = {name: Conformal.from_dict(values) for name, values in conformal.items()}
        self.reference = Reference.load(folder / REFERENCE)

    @property
    def working_size(self) -> int:
        """Px of the longer side to which larger pictures must be reduced first."""
        return int(self.manifest["working_size"])

    def inputs(self, image: LogoImage) -> tuple[np.ndarray, np.ndarray]:
        """What the head needs of a picture, from both sources at once.

        Returns:
            features, float32 ``(1, 2048)``, and descriptors, float32 ``(d,)``.
        """
        with ThreadPoolExecutor(1) as beside:  # ONNX Runtime and OpenCV release the GIL
            features = beside.submit(self.features, image)
            descriptors = describe(image.rgb, image.transparent_share)
            return features.result(), descriptors

    def features(self, image: LogoImage) -> np.ndarray:
        """The backbone's features of a picture, float32 ``(1, 2048)``."""
        fit = self.manifest["backbone"]["fit"]
        return self._backbone(images=preprocess(image.rgb, fit)[None])["features"]

    def score(
        self, features: np.ndarray, descriptors: np.ndarray, parameters: Sequence[Parameters]
    ) -> Scores:
        """Predictions for many parameter sets of one picture.

        Args:
            features: float32 ``(1, 2048)``.
            descriptors: float32, from `describe`.
            parameters: ``n`` sets.
        """
        return self.score_rows(features, tabular_inputs(descriptors, parameters))

    def score_rows(self, features: np.ndarray, tabular: np.ndarray) -> Scores:
        """The same from the head's inputs; ``features`` may also have a row for each set."""
        said = self._head(features=features, tabular=tabular)
        ssim = said["ssim"].astype(np.float64)
        low, high = self.intervals["ssim"].interval(ssim, said["ssim_spread"])
        log_bytes = said["log_bytes"].astype(np.float64)
        ends = self.intervals["log_bytes"].interval(log_bytes, said["log_bytes_spread"])
        return Scores(
            ssim, low, high, said["ssim_spread"].astype(np.float64),
            np.exp(log_bytes), *(np.exp(end) for end in ends),
        )  # fmt: skip

    def score_image(self, image: LogoImage, parameters: Sequence[Parameters]) -> Scores:
        """Predictions for a picture that was never seen."""
        return self.score(*self.inputs(image), parameters)

    def warm_up(self) -> None:
        """Predict a blank picture: the first run of a graph prepares it."""
        self.score_image(image_from_pixels(_WARMING), [Parameters()])


def write_bundle(
    folder: Path,
    *,
    backbone: Path,
    head: Path,
    intervals: Mapping[str, Conformal],
    reference: Reference,
    facts: Mapping[str, Any],
) -> str:
    """Put a bundle together; gives the SHA-256 of its manifest.

    Args:
        folder: new.
        backbone, head: ONNX files, copied.
        intervals: by target: ``ssim`` and ``log_bytes``.
        reference: of the training logos.
        facts: what the manifest also says: ``backbone``, ``dataset``, ``settings``, ``versions``.
    """
    folder.mkdir(parents=True)
    shutil.copyfile(backbone, folder / BACKBONE)
    shutil.copyfile(head, folder / HEAD)
    written = {name: interval.as_dict() for name, interval in intervals.items()}
    (folder / CONFORMAL).write_text(json.dumps(written, indent=2) + "\n")
    reference.save(folder / REFERENCE)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "tabular_names": list(TABULAR_NAMES),
        "probe": _probe(),
        **facts,
        "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
    }
    text = json.dumps(manifest, indent=2) + "\n"
    (folder / MANIFEST).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        schema, names = manifest["schema_version"], manifest["tabular_names"]
        _ = manifest["files"], manifest["probe"], manifest["working_size"]
        fit = manifest["backbone"]["fit"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"a bundle must have a {MANIFEST}, {folder} has none: {error}") from error
    if schema != SCHEMA_VERSION:
        raise ModelError(f"a bundle must be of schema {SCHEMA_VERSION}, {folder} is of {schema}")
    if names != list(TABULAR_NAMES):
        raise ModelError(
            f"a bundle must take the inputs this code makes, {folder} takes others: train again"
        )
    if fit not in FITS:
        listed = ", ".join(FITS)
        raise ModelError(f"a backbone's pictures must be fitted by {listed}, {folder} says {fit}")
    return manifest


def _check_files(folder: Path, digests: Mapping[str, str]) -> None:
    for name in {BACKBONE, HEAD, CONFORMAL, REFERENCE, *digests}:
        if not (folder / name).is_file() or _sha256(folder / name) != digests.get(name):
            raise ModelError(f"a bundle must be as its manifest says, {folder / name} is not")


def _check_graphs(folder: Path, backbone: Mapping[str, Shape], head: Mapping[str, Shape]) -> None:
    """The head must take what the backbone gives, and the backbone what `preprocess` makes."""
    made: dict[str, Shape] = {
        "images": (3, INPUT_SIZE, INPUT_SIZE),
        "tabular": (len(TABULAR_NAMES),),
        "features": backbone.get("features", ())[1:],
    }
    for graph, shapes, name in (
        (BACKBONE, backbone, "images"), (HEAD, head, "tabular"), (HEAD, head, "features"),
    ):  # fmt: skip
        takes = shapes.get(name, ())[1:]
        if takes != made[name]:
            raise ModelError(
                f"a bundle's graphs must fit together and this code, {folder / graph} takes {name}"
                f" of {takes} and gets {made[name]}"
            )


def _probe() -> list[float]:
    """Descriptors of a fixed picture: they tell whether `describe` still means the same."""
    y, x = np.mgrid[:64, :96]
    rgb = np.stack([x * 2, y * 3, (x // 8 + y // 8) % 2 * 200], axis=2).astype(np.uint8)
    return [round(float(value), 5) for value in describe(rgb, 0.25)]


def _check_descriptors(folder: Path, probe: Sequence[float]) -> None:
    today = _probe()
    if len(probe) != len(today) or not np.allclose(probe, today, rtol=1e-3, atol=1e-3):
        raise ModelError(
            f"a bundle must have been trained on the descriptors this code makes, {folder} was"
            " trained on others: train again"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
