"""What is wanted: the best SSIM or the smallest SVG, above a floor and below a ceiling."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

from svg_quality.errors import SettingsError

Kind = Literal["best_ssim", "smallest", "best_ssim_within"]
Key = tuple[float, float, float]

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

    @classmethod
    def from_words(
        cls,
        objective: Literal["smallest", "best-ssim"],
        min_ssim: float | Literal["default"],
        max_bytes: int,
    ) -> Objective:
        """What the options of the command line and of the API ask for.

        Args:
            objective: what is wanted most.
            min_ssim: floor; "default" with "smallest" is what VTracer's defaults reach, and with
                "best-ssim" none.
            max_bytes: ceiling; 0 for none.

        Raises:
            SettingsError: a bound is out of range.

        Example:
            >>> str(Objective.from_words("best-ssim", "default", 9000))
            'best SSIM, of at most 9,000 bytes'
        """
        floor, ceiling = None if min_ssim == "default" else min_ssim, max_bytes or None
        if objective == "smallest":
            return cls.smallest(floor, ceiling)
        return cls.best_ssim_within(ceiling, floor) if ceiling else cls.best_ssim(floor)

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
