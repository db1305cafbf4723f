"""The contract of all optimizers: what is wanted, what was tried, and what came of it.

An optimizer is given a logo, an objective, and `Conversions`, through which alone it converts:
they hold it to its budget and log what it measures. VTracer's defaults are converted before it
begins, as the first conversion of the budget; so no answer is worse than they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import SettingsError

if TYPE_CHECKING:
    from svg_quality.optimization.conversions import Conversions
    from svg_quality.optimization.logo import Logo
    from svg_quality.prediction.predictor import Picture

Kind = Literal["best_ssim", "smallest", "best_ssim_within"]
Status = Literal["found", "not_reached", "do_not_vectorise", "unavailable"]
Key = tuple[float, float, float]

DEFAULT: Final = "default"  # origin of the attempt with VTracer's defaults
TOLERATED: Final = 0.001  # of SSIM below the default's, as in evaluation/regret.py
_SSIM_OF_E_FOLD: Final = 0.02  # of SSIM: a miss as bad as 2.7 times the bytes allowed


@dataclass(frozen=True, slots=True)
class Objective:
    """What is wanted of a tracing; made by `best_ssim`, `smallest` or `best_ssim_within`.

    Raises:
        SettingsError: a bound is out of range, or does not go with the kind.

    Example:
        >>> wanted = Objective.smallest(min_ssim=0.95)
        >>> wanted.meets(0.96, 8000), wanted.meets(0.94, 2000)
        (True, False)
        >>> wanted.key(0.96, 8000) < wanted.key(0.99, 9000) < wanted.key(0.94, 2000)
        True
    """

    kind: Kind
    min_ssim: float | None = None  # in [-1, 1]; None with "smallest": what the default reaches
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.min_ssim is not None and not -1 <= self.min_ssim <= 1:
            raise SettingsError(f"min_ssim must be in [-1, 1], got {self.min_ssim}")
        if self.max_bytes is not None and self.max_bytes < 1:
            raise SettingsError(f"max_bytes must be at least 1, got {self.max_bytes}")
        if (self.kind == "best_ssim_within") != (
            self.max_bytes is not None and self.kind != "smallest"
        ):
            raise SettingsError(
                f"best_ssim_within takes max_bytes and best_ssim none, got {self.kind} with"
                f" {self.max_bytes}"
            )

    @classmethod
    def best_ssim(cls, min_ssim: float | None = None) -> Objective:
        """The most faithful tracing."""
        return cls("best_ssim", min_ssim)

    @classmethod
    def smallest(cls, min_ssim: float | None = None, max_bytes: int | None = None) -> Objective:
        """The smallest SVG above a floor; without one, the default's SSIM less ``TOLERATED``."""
        return cls("smallest", min_ssim, max_bytes)

    @classmethod
    def best_ssim_within(cls, max_bytes: int, min_ssim: float | None = None) -> Objective:
        """The most faithful tracing of at most so many bytes."""
        return cls("best_ssim_within", min_ssim, max_bytes)

    @property
    def needs_default(self) -> bool:
        """Whether its floor is only known once the default is converted."""
        return self.kind == "smallest" and self.min_ssim is None

    def resolved(self, default_ssim: float | None) -> Objective:
        """The same with its floor as a number.

        Args:
            default_ssim: of the conversion with VTracer's defaults; None where there is none.

        Raises:
            SettingsError: the floor is the default's SSIM, and there is none.
        """
        if not self.needs_default:
            return self
        if default_ssim is None:
            raise SettingsError("min_ssim must be given where the default cannot be converted")
        return replace(self, min_ssim=max(default_ssim - TOLERATED, -1.0))

    def meets(self, ssim: float, svg_bytes: float) -> bool:
        """Whether figures keep floor and ceiling; of an objective that is resolved."""
        return self._miss(ssim, svg_bytes) == 0

    def key(self, ssim: float, svg_bytes: float) -> Key:
        """What to sort by, best first: what meets the objective, then what misses it least."""
        wanted = (svg_bytes, -ssim) if self.kind == "smallest" else (-ssim, svg_bytes)
        return (self._miss(ssim, svg_bytes), *wanted)

    def _miss(self, ssim: float, svg_bytes: float) -> float:
        """How far figures miss floor and ceiling, in factors of e; 0 only where they keep both."""
        miss = 0.0
        if self.min_ssim is not None and ssim < self.min_ssim:
            miss += max((self.min_ssim - ssim) / _SSIM_OF_E_FOLD, math.ulp(0.0))
        if self.max_bytes is not None and svg_bytes > self.max_bytes:
            miss += max(math.log(svg_bytes / self.max_bytes), math.ulp(0.0))
        return miss

    def __str__(self) -> str:
        """In words.

        Example:
            >>> str(Objective.smallest(min_ssim=0.95, max_bytes=20_000))
            'smallest SVG with SSIM of at least 0.9500, of at most 20,000 bytes'
        """
        words = "smallest SVG" if self.kind == "smallest" else "best SSIM"
        if self.needs_default:
            words += " with the default's SSIM"
        elif self.min_ssim is not None:
            words += f" with SSIM of at least {self.min_ssim:.4f}"
        return words + (f", of at most {self.max_bytes:,} bytes" if self.max_bytes else "")


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the model said of a parameter set before it was converted."""

    ssim: float
    ssim_low: float
    ssim_high: float
    svg_bytes: float
    bytes_low: float
    bytes_high: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """A parameter set that was converted, or could be."""

    parameters: Parameters
    origin: str  # "default", "rule", "neighbour", "front", "tpe", "coarse", "refine"
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
    """The measured attempt that the objective ranks first; the earlier one of equals."""
    measured = [(attempt, attempt.figures) for attempt in attempts]
    ranked = [(objective.key(*figures), attempt) for attempt, figures in measured if figures]
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
    return f"Wanted: {objective}; the nearest has SSIM {ssim:.4f} and {svg_bytes:,} bytes."
