"""From what predictors, converters and optimizers say to what callers get: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from svg_quality.conversion.images import LogoImage
from svg_quality.conversion.parameters import CHOICES, NAMES, RANGES, Parameters
from svg_quality.optimization.base import Answer
from svg_quality.optimization.explain import Curve
from svg_quality.prediction.bundle import Scores
from svg_quality.prediction.reference import Similarity
from svg_quality.serving.schemas import API_VERSION, MEANINGS
from svg_quality.serving.uploads import Upload

_DIGITS: Final = 6  # of SSIM: float32 has no more
_SSIM: Final = ("ssim", "ssim_low", "ssim_high")
_BYTES: Final = ("svg_bytes", "bytes_low", "bytes_high")
_NO_ITEM: Final = dict.fromkeys(
    ("status", "code", "reason", "name", "image", "model_version", *_SSIM, *_BYTES)
)


def head(model_name: str, model_version: str | None) -> dict[str, Any]:
    """What every answer begins with."""
    return {
        "api_version": API_VERSION, "model_name": model_name, "model_version": model_version,
    }  # fmt: skip


def image_facts(sent: Upload, image: LogoImage, similarity: Similarity | None) -> dict[str, Any]:
    """The picture as it was read."""
    height, width = image.rgb.shape[:2]
    nearest = similarity.nearest if similarity else ()
    return {
        "name": sent.name,
        "image_id": image.image_id,
        "format": sent.format or image.format,
        "width": width,
        "height": height,
        "source_width": image.source_width,
        "source_height": image.source_height,
        "unlike_training": bool(similarity.unlike) if similarity else None,
        "novelty": float(similarity.percentile) if similarity else None,
        "nearest": [
            {"image_id": logo.image_id, "distance": float(logo.distance)} for logo in nearest
        ],
    }


def columns(scores: Scores) -> dict[str, np.ndarray]:
    """SSIM rounded to what the model tells apart, sizes to whole bytes."""
    figures = {name: np.round(getattr(scores, name), _DIGITS) for name in _SSIM}
    return figures | {name: np.rint(getattr(scores, name)).astype(np.int64) for name in _BYTES}


def figures_at(scores: Scores, place: int) -> dict[str, Any]:
    """The same of one set."""
    return {name: column[place].item() for name, column in columns(scores).items()}


def batch_item(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """One picture of a batch, from what `POST /v1/predict` says of it with one set."""
    figures = {figure: column[0].item() for figure, column in (said["predictions"] or {}).items()}
    shared = {key: said[key] for key in ("status", "reason", "image", "model_version")}
    return {**_NO_ITEM, "name": name, **shared, **figures}


def failed_item(name: str, code: str, reason: str) -> dict[str, Any]:
    """One that cannot be used."""
    return {**_NO_ITEM, "status": "error", "code": code, "reason": reason, "name": name}


def curve(of: Curve) -> dict[str, Any]:
    """One parameter's effect."""
    return {
        "name": of.name,
        "values": list(of.values),
        "fixed": of.fixed,
        **{name: np.round(getattr(of, name), _DIGITS) for name in _SSIM},
        **{name: np.rint(getattr(of, name)).astype(np.int64) for name in _BYTES},
        "effect": of.effect,
    }


def optimized(answer: Answer) -> dict[str, Any]:
    """What an optimizer chose, less what the head and the picture's facts say."""
    said = answer.as_dict()
    for name in ("image", "image_id", "unlike_training", "model_version", "traced_size"):
        del said[name]
    del said["reduced_from"]
    return said


def parameter_ranges() -> list[dict[str, Any]]:
    """VTracer's parameters with their meaning, default and range."""
    defaults = Parameters().as_dict()
    return [
        {
            "name": name,
            "meaning": MEANINGS[name],
            "default": defaults[name],
            "choices": list(CHOICES[name]) if name in CHOICES else None,
            "low": RANGES[name][0] if name in RANGES else None,
            "high": RANGES[name][1] if name in RANGES else None,
            "whole": name in RANGES and isinstance(RANGES[name][0], int),
        }
        for name in NAMES
    ]


def presets(of: Mapping[str, Parameters]) -> dict[str, dict[str, Any]]:
    """Sets by name."""
    return {name: chosen.as_dict() for name, chosen in of.items()}
