"""Why a picture has no features: the category, for counting, and the reason, for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from svg_quality.errors import ConversionError, ImageError, ModelError

CATEGORIES: Final = (
    "unreadable",  # no file, no image, or one that ends too soon
    "too_large",  # more pixels than are decoded
    "too_small",
    "unsupported",  # an SVG or a pixel format that is refused
    "out_of_memory",  # alone in its batch
    "backbone",  # the graph fails on it, alone in its batch
    "not_finite",  # its features are not numbers
    "tracing",  # VTracer fails on a reduced copy
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One picture's."""

    category: str  # of CATEGORIES
    reason: str

    @classmethod
    def of(cls, error: ConversionError | ImageError | MemoryError | ModelError) -> Failure:
        """What an error means for the picture it happened to."""
        text = str(error) or type(error).__name__
        if isinstance(error, MemoryError):
            return cls("out_of_memory", f"a picture must fit into memory, it does not: {text}")
        if isinstance(error, ModelError):
            return cls("backbone", text)
        if isinstance(error, ConversionError):
            return cls("tracing", text)
        return cls(error.fault, text)


def count_failures(failures: Iterable[Failure]) -> dict[str, int]:
    """How many there are of each category; of none, 0."""
    found = Counter(failure.category for failure in failures)
    return {category: found[category] for category in CATEGORIES}
