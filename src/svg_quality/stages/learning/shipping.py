"""What goes into the bundle: the quick 8-bit backbone, where predictions hardly move; the logos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from svg_quality.dataset.tables import parameters_of
from svg_quality.prediction.reference import Reference, reference_of
from svg_quality.stages.console import say
from svg_quality.stages.learning.extracted import Extracted, Part

if TYPE_CHECKING:
    from svg_quality.model.quality_head import Prediction, QualityHead

MOST_MOVEMENT: Final = 0.003  # SSIM; the model's own error is several times that


@dataclass(frozen=True, slots=True)
class Shipped:
    """A backbone, the inputs it makes, and what the head says of the validation split by them."""

    extracted: Extracted  # by this backbone
    validation: Part
    said: Prediction
    movement: float | None  # mean absolute difference of predicted SSIM, 8 bits against fp32

    @property
    def precision(self) -> str:
        """``fp32`` or ``int8``."""
        precision: str = self.extracted.summary["precision"]
        return precision


def choose_backbone(head: QualityHead, extracted: Extracted, validation: Part) -> Shipped:
    """The backbone that training read, or its 8-bit form.

    Args:
        head: fitted to the features of the first.
        extracted: what training read.
        validation: its part that both are compared on.
    """
    first = _shipped(head, extracted, validation)
    quick = extracted.in_8_bits()
    if quick is None:
        return first
    second = _shipped(head, quick, quick.part(extracted.release.rows("validation")))
    movement = _movement(first, second)
    chosen = second if movement < MOST_MOVEMENT else first
    verb = "ships" if chosen is second else "stays out"
    law = "less than" if chosen is second else "not less than"
    say(
        f"train      the 8-bit backbone {verb}: it moves predicted SSIM by {movement:.4f} on "
        f"average, {law} {MOST_MOVEMENT}"
    )
    return replace(chosen, movement=movement)


def training_reference(extracted: Extracted) -> Reference:
    """The training split as the bundle keeps it, for likeness and for first guesses."""
    frame = extracted.reached(extracted.release.rows("train"))
    images = frame.drop_duplicates("image_id")
    place = {image_id: i for i, image_id in enumerate(images["image_id"])}
    return reference_of(
        list(place),
        images["group"].to_numpy(),
        extracted.store.read(extracted.inputs.descriptors, list(place)),
        frame["image_id"].map(place).to_numpy(),
        parameters_of(frame),
        frame["ssim"].to_numpy(),
        frame["svg_bytes"].to_numpy(),
    )


def _shipped(head: QualityHead, extracted: Extracted, validation: Part) -> Shipped:
    from svg_quality.training.trainer import predict_rows

    said = predict_rows(head, validation.rows)
    return Shipped(extracted, validation, said, movement=None)


def _movement(one: Shipped, other: Shipped) -> float:
    """Over the conversions that both have features of."""
    of_one, of_other = (
        dict(zip(x.validation.frame["conversion_id"], x.said.ssim.tolist(), strict=True))
        for x in (one, other)
    )
    both = of_one.keys() & of_other.keys()
    return float(np.mean([abs(of_one[name] - of_other[name]) for name in both]))
