"""A head's weights and settings on disk: ``weights.safetensors`` and ``head.json``. No pickle.

Each file is replaced as a whole, and the second holds the digest of the first: a pair that a
killed process left half new, half old is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from svg_quality.errors import ModelError
from svg_quality.model.quality_head import HeadConfig, QualityHead

WEIGHTS: Final = "weights.safetensors"
SETTINGS: Final = "head.json"


def save_checkpoint(
    model: QualityHead, directory: Path, metrics: Mapping[str, float] | None = None
) -> None:
    """Write a head; a directory that is there is written over."""
    directory.mkdir(parents=True, exist_ok=True)
    weights = save({name: value.contiguous() for name, value in model.state_dict().items()})
    record = {
        "config": json.loads(model.config.to_json()),
        "metrics": dict(metrics or {}),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    _replace(directory / WEIGHTS, weights)
    _replace(directory / SETTINGS, f"{json.dumps(record, indent=2)}\n".encode())


def load_checkpoint(directory: Path) -> QualityHead:
    """Read a head, ready for predictions.

    Raises:
        ModelError: a file is missing or damaged, the weights do not fit the settings, or another
            version of svg-quality wrote them.
    """
    try:
        record: dict[str, Any] = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
        weights = (directory / WEIGHTS).read_bytes()
        state = load(weights)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"a checkpoint must be readable, {directory} is not: {error}") from error
    if not isinstance(record, dict) or "config" not in record:
        raise ModelError(f"{SETTINGS} must hold a config, the one in {directory} does not")
    if "weights_sha256" not in record:
        raise ModelError(
            f"{SETTINGS} must hold the digest of {WEIGHTS}, the one in {directory} does not: an"
            " older version of svg-quality wrote it; train again"
        )
    try:
        config = HeadConfig.from_json(json.dumps(record["config"]))
    except ModelError as error:
        raise ModelError(
            f"a checkpoint must be of a head of this version of svg-quality, {directory} is not"
            f" ({error}): train again"
        ) from None
    model = QualityHead(config)
    _check_fit(state, model.state_dict())
    if record["weights_sha256"] != hashlib.sha256(weights).hexdigest():
        raise ModelError(
            f"{WEIGHTS} must be what {SETTINGS} was written with, in {directory} it is not"
        )
    model.load_state_dict(state)
    return model.eval()


def _check_fit(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    missing, unknown = sorted(expected.keys() - state), sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise ModelError(f"a checkpoint must have the head's keys, {missing=}, {unknown=}")
    for name, value in state.items():
        if value.shape != expected[name].shape:
            got, want = tuple(value.shape), tuple(expected[name].shape)
            raise ModelError(f"{name} must be of shape {want}, got {got}")


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
