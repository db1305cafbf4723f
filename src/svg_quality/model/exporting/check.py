"""Whether an exported file says what torch says: batches of 1, 2 and 33, odd values too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

LIMIT: Final = 1e-5  # of a difference, in the units of `largest_difference`
BATCHES: Final = (1, 2, 33)
_USUAL: Final = 10.0  # no input of normal noise is as large
_ODD: Final[dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    "usual": lambda noise: noise,
    "zeros": np.zeros_like,
    "ones": np.ones_like,
    "huge": lambda noise: noise * 1e6,
    "tiny": lambda noise: noise * 1e-30,
    "negative": lambda noise: -np.abs(noise) - 1,
    "one of them huge": lambda noise: noise * np.where(np.arange(noise.shape[-1]) == 0, 1e6, 1),
}

Inputs = dict[str, np.ndarray]
Answer = Callable[[Inputs], Sequence[np.ndarray]]


def cases(first: str, width: Sequence[int], d_tabular: int, odd: bool = True) -> Iterator[Inputs]:
    """Inputs to compare on, float32: every kind of values, every batch, shared or not.

    Args:
        first: name of the input beside ``tabular``: ``features`` or ``images``.
        width: shape of one of it.
        d_tabular: columns of ``tabular``.
        odd: every kind of values in every batch; False: one kind a batch, as pictures take long.
    """
    random = np.random.default_rng(0)
    for number, batch in enumerate(BATCHES):
        kinds = list(_ODD.values()) if odd else [list(_ODD.values())[number]]
        for values in kinds:
            for n_first in {1, batch}:
                shapes = {first: (n_first, *width), "tabular": (batch, d_tabular)}
                yield {
                    name: values(random.normal(size=shape)).astype(np.float32)
                    for name, shape in shapes.items()
                }


def largest_difference(expected: Answer, got: Answer, inputs: Iterable[Inputs]) -> float:
    """The largest difference of any output on any input; infinite where one is not a number.

    As float32 has seven digits, a difference is divided by the value where that is above 1, and
    at least by the largest input where the inputs are far out: sums of them are rounded by as much.
    """
    largest = 0.0
    for one in inputs:
        furthest = max(float(np.abs(values).max(initial=0)) for values in one.values())
        unit = furthest if furthest > _USUAL else 1.0
        for a, b in zip(expected(one), got(one), strict=True):
            if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
                return float("inf")
            scale = np.maximum(np.abs(a), unit)
            largest = max(largest, float((np.abs(a - b) / scale).max(initial=0)))
    return largest
