"""The contract of all optimizers: what is wanted, what was tried, and what came of it.

An optimizer is given a logo, an objective, and `Conversions`, through which alone it converts:
they hold it to its budget and log what it measures. VTracer's defaults are converted before it
begins, as the first conversion of the budget; so no answer is worse than they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.objective import Objective

if TYPE_CHECKING:
    from svg_quality.optimization.conversions import Conversions
    from svg_quality.optimization.logo import Logo
    from svg_quality.prediction.bundle import Scores
    from svg_quality.prediction.predictor import Picture

Status = Literal["found", "not_reached", "do_not_vectorise", "unavailable"]

DEFAULT: Final = "default"  # origin of the attempt with VTracer's defaults


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the model said of a parameter set before it was converted."""

    ssim: float
    ssim_low: float
    ssim_high: float
    svg_bytes: float
    bytes_low: float
    bytes_high: float

    @classmethod
    def of(cls, scores: Scores, i: int) -> Predicted:
        """What was said of one of many sets."""
        return cls(**{field.name: float(getattr(scores, field.name)[i]) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Attempt:
    """A parameter set that was converted, or could be."""

    parameters: Parameters
    origin: str  # "default", "rule", "front", "tpe", ...: how the set came to be tried
    predicted: Predicted | None
    measured: dict[str, Any] | None  # fields of `Measurement` but the SVG; None: not converted
    error: str | None  # why the conversion failed

    @property
    def figures(self) -> tuple[float, int] | None:
        """Measured SSIM and bytes."""
        if self.measured is None:
            return None
        return float(self.measured["ssim"]), int(self.measured["svg_bytes"])

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        said = self.predicted
        return {
            "parameters": self.parameters.as_dict(),
            "origin": self.origin,
            "predicted": said and {name: getattr(said, name) for name in said.__slots__},
            "measured": self.measured,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What an optimizer chose, how it came to it, and how sure that is."""

    status: Status  # not_reached: the chosen one is the nearest to the objective that was found
    reason: str
    method: str
    objective: Objective  # resolved
    image: str
    image_id: str
    chosen: Attempt | None
    default: Attempt | None  # VTracer's defaults
    attempts: tuple[Attempt, ...]  # in the order they were converted
    n_conversions: int  # the default's too
    confidence: str  # how sure, and what that decided
    unlike_training: bool | None
    model_version: str | None
    seconds: float
    traced_size: tuple[int, int]  # px, width and height of the picture that was traced
    reduced_from: tuple[int, int] | None  # px, of the file, where it is larger

    def as_dict(self) -> dict[str, Any]:
        """Plain values, JSON-able."""
        wanted = self.objective
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return values | {
            "objective": {name: getattr(wanted, name) for name in wanted.__slots__},
            "chosen": self.chosen and self.chosen.as_dict(),
            "default": self.default and self.default.as_dict(),
            "attempts": [attempt.as_dict() for attempt in self.attempts],
        }


class Optimizer(Protocol):
    """A way to choose parameters."""

    name: str  # one of `methods.METHODS`
    default_budget: int  # conversions, with that of the default

    def optimize(
        self,
        logo: Logo,
        objective: Objective,
        conversions: Conversions,
        *,
        picture: Picture | None,
    ) -> Answer:
        """Choose.

        Args:
            logo: what to trace.
            objective: resolved.
            conversions: the default is among its attempts, where the budget allowed one.
            picture: the same logo as the model sees it; None where no model is asked.
        """
        ...


def best_of(attempts: Iterable[Attempt], objective: Objective) -> Attempt | None:
    """The measured attempt that the objective ranks first; of equals that nearest the default."""
    measured = [(attempt, attempt.figures) for attempt in attempts]
    ranked = [
        ((*objective.key(*figures), len(attempt.parameters.changed())), attempt)
        for attempt, figures in measured
        if figures
    ]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def conclude(
    method: str,
    logo: Logo,
    objective: Objective,
    conversions: Conversions,
    *,
    began: float,
    confidence: str,
    reason: str = "",
    status: Status | None = None,
    chosen: Attempt | None = None,
    picture: Picture | None = None,
) -> Answer:
    """The answer from what was measured.

    Args:
        method: name of the optimizer.
        logo, objective, conversions, picture: as `Optimizer.optimize` got them.
        began: `time.perf_counter` at the beginning.
        confidence: how sure, and what that decided.
        reason: how the choice was made, a sentence; what is missing is added to it.
        status: None for "found" or "not_reached", by what was measured.
        chosen: None for the best of what was measured.
    """
    best = chosen or best_of(conversions.attempts, objective)
    figures = best.figures if best else None
    met = figures is not None and objective.meets(*figures)
    height, width = logo.image.rgb.shape[:2]
    source = logo.image.source_width, logo.image.source_height
    return Answer(
        status=status or ("found" if met else "not_reached"),
        reason=" ".join(filter(None, [reason, "" if met else _shortfall(objective, best)])),
        method=method,
        objective=objective,
        image=logo.name,
        image_id=logo.image.image_id,
        chosen=best,
        default=next((x for x in conversions.attempts if x.parameters == Parameters()), None),
        attempts=conversions.attempts,
        n_conversions=conversions.spent,
        confidence=confidence,
        unlike_training=picture.similarity.unlike if picture else None,
        model_version=picture.model_version if picture else None,
        seconds=perf_counter() - began,
        traced_size=(width, height),
        reduced_from=source if logo.image.reduced else None,
    )


def _shortfall(objective: Objective, best: Attempt | None) -> str:
    if best is None:
        return "Every conversion failed."
    if best.figures is None:
        return "Not converted: nothing of it is measured."
    ssim, svg_bytes = best.figures
    return (
        f"Wanted: {objective}; the nearest has SSIM {ssim:.4f} and {svg_bytes:,} bytes."
        " Pixel outlines (mode=none) are never tried."
    )
