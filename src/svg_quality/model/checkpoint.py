"""A head's weights and settings on disk: ``weights.safetensors`` and ``head.json``. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from svg_quality.errors import ModelError
from svg_quality.model.mlp import HeadConfig, QualityHead

WEIGHTS: Final = "weights.safetensors"
SETTINGS: Final = "head.json"


def save_checkpoint(
    model: QualityHead, directory: Path, metrics: Mapping[str, float] | None = None
) -> None:
    """Write a head; a directory that is there is written over."""
    directory.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, directory / WEIGHTS)
    record = {"config": json.loads(model.config.to_json()), "metrics": dict(metrics or {})}
    (directory / SETTINGS).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def load_checkpoint(directory: Path) -> QualityHead:
    """Read a head, ready for predictions.

    Raises:
        ModelError: a file is missing or damaged, or the weights do not fit the settings.
    """
    try:
        record: dict[str, Any] = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
        state = load_file(directory / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"a checkpoint must be readable, {directory} is not: {error}") from error
    if not isinstance(record, dict) or "config" not in record:
        raise ModelError(f"{SETTINGS} must hold a config, the one in {directory} does not")
    model = QualityHead(HeadConfig.from_json(json.dumps(record["config"])))
    expected = model.state_dict()
    missing, unknown = sorted(expected.keys() - state), sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise ModelError(f"a checkpoint must have the head's keys, {missing=}, {unknown=}")
    for name, value in state.items():
        if value.shape != expected[name].shape:
            got, want = tuple(value.shape), tuple(expected[name].shape)
            raise ModelError(f"{name} must be of shape {want}, got {got}")
    model.load_state_dict(state)
    return model.eval()
