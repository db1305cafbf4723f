"""A registered model as a folder for other programs: its ONNX files, TorchScript, and the proof.

The folder holds the whole bundle, so this package predicts with it too; beside it ``head.pt``,
``model.pt`` (backbone and head in one), and what was compared, as ``export.json`` and a page.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from svg_quality.features.backbone import N_FEATURES, ResNetFeatureExtractor
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.preprocessing import INPUT_SIZE
from svg_quality.model.exporting.backbone_graph import read_graph
from svg_quality.model.exporting.check import LIMIT, Answer, Inputs, cases, largest_difference
from svg_quality.model.exporting.torchscript import (
    PictureModel,
    load_script,
    script_head,
    script_pictures,
)
from svg_quality.model.quality_head import Prediction, QualityHead

MAX_BYTES: Final = 100_000_000  # of the files that one prediction needs
BACKBONE_ONNX: Final = "backbone.onnx"
HEAD_ONNX: Final = "head.onnx"
HEAD_SCRIPT: Final = "head.pt"
MODEL_SCRIPT: Final = "model.pt"
_PICTURE: Final = (3, INPUT_SIZE, INPUT_SIZE)
Job = tuple[str, float | None, Answer, Answer, Iterable[Inputs]]  # a comparison to be made


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of the folder."""

    name: str
    about: str
    n_bytes: int
    sha256: str
    inputs: dict[str, str]  # name: type and shape
    outputs: dict[str, str]
    load: str  # how to, in Python


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one file says, against torch on the same inputs."""

    what: str
    largest: float  # difference, see `check.largest_difference`
    limit: float | None = LIMIT  # None: said, not demanded

    @property
    def passed(self) -> bool:
        """Whether it is within the limit."""
        return self.limit is None or self.largest <= self.limit


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """Everything the page tells."""

    files: tuple[ExportedFile, ...]
    comparisons: tuple[Comparison, ...]
    sizes: dict[str, int]  # bytes by what a program needs to load
    missing: tuple[str, ...]  # what could not be exported, and why

    @property
    def failed(self) -> list[str]:
        """What is not as promised, each as a phrase."""
        too_far = [
            f"{c.what} differs by {c.largest:.2g} (at most {c.limit:g})"
            for c in self.comparisons
            if not c.passed
        ]
        too_large = [
            f"{name} takes {size / 1e6:.1f} MB (at most {MAX_BYTES / 1e6:.0f})"
            for name, size in self.sizes.items()
            if size > MAX_BYTES
        ]
        return too_far + too_large

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: a difference that is not finite is None."""
        plain = dataclasses.asdict(self) | {"max_bytes": MAX_BYTES, "failed": self.failed}
        for one in plain["comparisons"]:
            one["largest"] = one["largest"] if math.isfinite(one["largest"]) else None
        return plain


def export_folder(
    bundle: Path,
    folder: Path,
    head: QualityHead | None,
    extractor: ResNetFeatureExtractor | None,
    missing: Sequence[str] = (),
    track: Callable[[Sequence[Any], int, str], Iterable[Any]] = lambda items, n, label: items,
) -> ExportSummary:
    """Write the files and compare each with torch.

    Args:
        bundle: a folder with the ONNX files, copied whole.
        folder: to write; its files of these names are written over.
        head: the torch head that ``head.onnx`` was exported from, where there is one.
        extractor: the fp32 backbone, where there is one.
        missing: what the caller could not give, each as a sentence.
        track: passes the comparisons on and shows how many are done.

    Raises:
        ModelError: an ONNX file is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(bundle.iterdir()):
        shutil.copyfile(path, folder / path.name)
    is_int8 = _check_graph(folder / BACKBONE_ONNX)
    _check_graph(folder / HEAD_ONNX)
    jobs: list[Job] = []
    if head is not None:
        script_head(head, folder / HEAD_SCRIPT)
        jobs += _head_jobs(folder, head)
    if head is not None and extractor is not None:
        model = PictureModel(extractor, head)
        script_pictures(model, folder / MODEL_SCRIPT)
        jobs += _model_jobs(folder, model, is_int8)
    elif extractor is not None:
        jobs.append(_backbone_job(folder, extractor))
    comparisons = [
        Comparison(what, largest_difference(expected, got, inputs), limit)
        for what, limit, expected, got, inputs in (
            track(jobs, len(jobs), "compared with torch") if jobs else ()
        )
    ]
    files = tuple(_describe(path, head, is_int8) for path in sorted(folder.iterdir())
                  if path.name in _ABOUT)  # fmt: skip
    sizes = {file.name: file.n_bytes for file in files}
    needed = {"ONNX (backbone and head)": sizes[BACKBONE_ONNX] + sizes[HEAD_ONNX]}
    if MODEL_SCRIPT in sizes:
        needed["TorchScript (model.pt)"] = sizes[MODEL_SCRIPT]
    return ExportSummary(files, tuple(comparisons), needed, tuple(missing))


def _head_jobs(folder: Path, head: QualityHead) -> list[Job]:
    config = head.config
    return [
        (
            f"{name}, predictions",
            LIMIT,
            _torch(head, "features"),
            answer,
            cases("features", (config.d_features,), config.d_tabular),
        )
        for name, answer in (
            (HEAD_ONNX, _onnx(folder / HEAD_ONNX, Prediction._fields)),
            (HEAD_SCRIPT, _torch(load_script(folder / HEAD_SCRIPT), "features")),
        )
    ]


def _backbone_job(folder: Path, extractor: ResNetFeatureExtractor) -> Job:
    """Features are no prediction: of values up to 30 they keep six digits, so there is no limit."""

    def pictures() -> Iterable[Inputs]:
        for one in cases("images", _PICTURE, 1, odd=False):
            yield {"images": one["images"]}

    answer = _onnx(folder / BACKBONE_ONNX, ("features",))
    return f"{BACKBONE_ONNX}, features", None, _torch(extractor, "images"), answer, pictures()


def _model_jobs(folder: Path, model: PictureModel, is_int8: bool) -> list[Job]:
    """Predictions from pictures; 8 bits are another model than the fp32 one they were made of."""
    d_tabular, expected = model.head.config.d_tabular, _torch(model, "images")
    features = _onnx(folder / BACKBONE_ONNX, ("features",))
    outputs = _onnx(folder / HEAD_ONNX, Prediction._fields)
    script = _torch(load_script(folder / MODEL_SCRIPT), "images")

    def both(inputs: Inputs) -> Sequence[np.ndarray]:
        (said,) = features({"images": inputs["images"]})
        return outputs({"features": said, "tabular": inputs["tabular"]})

    what = f"{BACKBONE_ONNX} and {HEAD_ONNX}, predictions"
    return [
        (
            f"{what} (8 bits, of the fp32 backbone)" if is_int8 else what,
            None if is_int8 else LIMIT,
            expected,
            both,
            cases("images", _PICTURE, d_tabular, odd=False),
        ),
        (
            f"{MODEL_SCRIPT}, predictions",
            LIMIT,
            expected,
            script,
            cases("images", _PICTURE, d_tabular, odd=False),
        ),
    ]


def _torch(module: Callable[..., Any], first: str) -> Answer:
    def answer(inputs: Inputs) -> list[np.ndarray]:
        given = [torch.from_numpy(inputs[name]) for name in (first, "tabular") if name in inputs]
        with torch.no_grad():
            said = module(*given)
        return [x.numpy() for x in (said if isinstance(said, tuple) else (said,))]

    return answer


def _onnx(path: Path, outputs: Sequence[str]) -> Answer:
    graph = OnnxGraph(path)

    def answer(inputs: Inputs) -> list[np.ndarray]:
        said = graph(**inputs)
        return [said[name] for name in outputs]

    return answer


def _check_graph(path: Path) -> bool:
    """Check a graph; gives whether it is in 8 bits."""
    return any(node.op_type == "QuantizeLinear" for node in read_graph(path).graph.node)


_RESULTS: Final = dict.fromkeys(Prediction._fields, "float32 (sets,)")
_ABOUT: Final = {
    BACKBONE_ONNX: "backbone: pictures to 2,048 features",
    HEAD_ONNX: "head: features and tabular inputs to SSIM, log bytes and their spreads",
    HEAD_SCRIPT: "the head as TorchScript",
    MODEL_SCRIPT: "backbone (fp32) and head in one, as TorchScript",
}


def _describe(path: Path, head: QualityHead | None, is_int8: bool) -> ExportedFile:
    n_tabular = head.config.d_tabular if head else _n_tabular(path.parent / HEAD_ONNX)
    tabular = {"tabular": f"float32 (sets, {n_tabular})"}
    images = {"images": "float32 (images, 3, 224, 224)"}
    features = {"features": f"float32 (images, {N_FEATURES})"}
    inputs, outputs = {
        BACKBONE_ONNX: (images, features),
        HEAD_ONNX: (features | tabular, _RESULTS),
        HEAD_SCRIPT: (features | tabular, _RESULTS),
        MODEL_SCRIPT: (images | tabular, _RESULTS),
    }[path.name]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    about = _ABOUT[path.name]
    if path.name == BACKBONE_ONNX:
        about += ", in 8 bits" if is_int8 else ", fp32"
    how = "torch.jit.load" if path.suffix == ".pt" else "onnxruntime.InferenceSession"
    load = f'{how}("{path.name}")'
    return ExportedFile(path.name, about, path.stat().st_size, digest, inputs, outputs, load)


def _n_tabular(path: Path) -> int:
    inputs = {value.name: value for value in read_graph(path).graph.input}
    return int(inputs["tabular"].type.tensor_type.shape.dim[1].dim_value)
