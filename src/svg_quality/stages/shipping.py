"""Which backbone goes into the bundle: the quick 8-bit one, where predictions hardly move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from svg_quality.dataset.releases.release import Release
from svg_quality.features.store import FeatureStore
from svg_quality.stages.assess import ImageInputs
from svg_quality.stages.console import say
from svg_quality.training.rows import Rows

if TYPE_CHECKING:
    import pandas as pd

    from svg_quality.model.mlp import Prediction, QualityHead

MOST_MOVEMENT: Final = 0.003  # SSIM; the model's own error is several times that
_AT_ONCE: Final = 4096  # rows


@dataclass(frozen=True, slots=True)
class Shipped:
    """A backbone, the inputs it makes, and what the head says of the validation split by them."""

    precision: str  # "fp32" or "int8"
    fingerprint: str
    onnx: Path
    inputs: ImageInputs
    frame: pd.DataFrame  # of the validation split
    rows: Rows
    said: Prediction
    movement: float | None  # mean absolute difference of predicted SSIM, 8 bits against fp32


def choose_backbone(
    head: QualityHead,
    release: Release,
    store: FeatureStore,
    extracted: Mapping[str, Any],
    root: Path,
) -> Shipped:
    """The backbone that training read, or its 8-bit form.

    Args:
        head: fitted to the features of the first.
        release: whose validation split both are compared on.
        store: of features.
        extracted: what `extract` recorded: ``fingerprint`` and ``backbone`` of what training
            reads and, where it made both, those of ``int8``.
        root: what the paths in it are relative to.
    """
    first = _shipped(head, release, store, extracted, extracted, root)
    quick = extracted.get("int8")
    if not quick:
        return first
    second = _shipped(head, release, store, extracted, {**quick, "precision": "int8"}, root)
    movement = _movement(first, second)
    chosen = second if movement < MOST_MOVEMENT else first
    verb = "ships" if chosen is second else "stays out"
    law = "less than" if chosen is second else "not less than"
    say(
        f"train      the 8-bit backbone {verb}: it moves predicted SSIM by {movement:.4f} on "
        f"average, {law} {MOST_MOVEMENT}"
    )
    return replace(chosen, movement=movement)


def _shipped(
    head: QualityHead,
    release: Release,
    store: FeatureStore,
    extracted: Mapping[str, Any],
    backbone: Mapping[str, Any],
    root: Path,
) -> Shipped:
    from svg_quality.training.data import RowLoader
    from svg_quality.training.trainer import predict_rows

    inputs = ImageInputs(store, backbone["fingerprint"], extracted["descriptors"])
    frame = inputs.reached(release.rows("validation"))
    rows = inputs.rows(frame)
    return Shipped(
        precision=backbone["precision"],
        fingerprint=backbone["fingerprint"],
        onnx=root / backbone["backbone"],
        inputs=inputs,
        frame=frame,
        rows=rows,
        said=predict_rows(head, RowLoader(rows, _AT_ONCE)),
        movement=None,
    )


def _movement(one: Shipped, other: Shipped) -> float:
    """Over the conversions that both have features of."""
    of_one, of_other = (
        dict(zip(x.frame["conversion_id"], x.said.ssim.tolist(), strict=True)) for x in (one, other)
    )
    both = of_one.keys() & of_other.keys()
    return float(np.mean([abs(of_one[name] - of_other[name]) for name in both]))
