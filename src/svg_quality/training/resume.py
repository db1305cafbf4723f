"""A training's state in one file, replaced as a whole: tensors, and the rest as JSON beside them.

The file is a safetensors file. What is no tensor is JSON in its header, with each tensor named
by its place; floats are written so that they are read back bit for bit. No pickle.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from svg_quality.errors import ModelError

STATE: Final = "state.safetensors"
_TENSOR: Final = "tensor in this file"
_HEADER: Final = "state"


def snapshot(state: dict[str, Any]) -> dict[str, Any]:
    """A copy that what happens next does not change."""
    return copy.deepcopy(state)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state; a process killed meanwhile leaves the file before.

    Args:
        path: of the file; its folder is made.
        state: mappings and lists of tensors, numbers, texts and None; keys are read back as text.
    """
    tensors: dict[str, torch.Tensor] = {}
    header = json.dumps(_without_tensors(state, "", tensors))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    save_file(tensors, unfinished, metadata={_HEADER: header})
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def load_state(path: Path) -> dict[str, Any] | None:
    """What `save_state` wrote; None where it never did.

    Raises:
        ModelError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state: dict[str, Any] = _with_tensors(header, tensors)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"a training's state must be readable, {path} is not: {error}") from error
    return state


def epochs_done(directory: Path) -> list[dict[str, float]]:
    """The metrics of the epochs that a training in this folder ended, if it was cut short.

    Raises:
        ModelError: its state is damaged.
    """
    state = load_state(directory / STATE)
    history: list[dict[str, float]] = state["history"] if state else []
    return history


def _without_tensors(value: Any, place: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[place] = value.contiguous()
        return {_TENSOR: place}
    if isinstance(value, dict):
        return {str(k): _without_tensors(v, f"{place}/{k}", tensors) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(v, f"{place}/{i}", tensors) for i, v in enumerate(value)]
    return value


def _with_tensors(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        return {name: _with_tensors(part, tensors) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_tensors(part, tensors) for part in value]
    return value
