"""How much of the parameter space a table covers: each dimension, each pair, and how evenly.

A parameter's values are placed on ``[0, 1]`` by the scale they are drawn on (`sample_parameters`):
even in log(1 + value) where a step at the low end changes the picture more. A dimension is that
scale in five cells (every value its own where there are few), and the logo type is one too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import CHOICES, NAMES, PRESETS, RANGES
from svg_quality.conversion.sampling import LOG_LIKE
from svg_quality.dataset.logos import LOGO_TYPES

WANTED: Final = 10  # rows a cell of a pair should have; fewer teach little
WANTED_BY_DESIGN: Final = 3  # the same where a parameter is kept still on purpose
BY_DESIGN: Final = {
    "max_iterations": "kept at 10 in the everyday region: it changes next to nothing",
    "path_precision": "varied in a tenth of the drawn sets, else 2: a size dial that does not"
    " depend on the picture",
}
PRESETS_NOTE: Final = "VTracer's four presets are tried on every picture, so their values weigh"
LOGO_TYPE: Final = "logo_type"
SWEPT: Final = tuple(name for name in RANGES if name not in BY_DESIGN)  # drawn in every region
_N_CELLS: Final = 5
_MAX_POINTS: Final = 2048  # the discrepancy costs O(n^2)


@dataclass(frozen=True, slots=True)
class Dimension:
    """A parameter, or the logo type, in cells."""

    name: str
    labels: tuple[str, ...]  # of its cells, in order
    wanted: int  # rows a cell of a pair with it should have

    @property
    def note(self) -> str:
        """Why it is covered unevenly on purpose; empty where it is not."""
        return BY_DESIGN.get(self.name, "")


def shares(name: str) -> np.ndarray:
    """The part of ``[0, 1)`` that the sampling turns into each whole number of a parameter.

    Returns:
        float64 ``(n_values + 1,)``: value ``low + k`` is drawn in ``[shares[k], shares[k + 1])``.
    """
    low, high = RANGES[name]
    values = np.arange(low, high + 2)
    if name in LOG_LIKE:
        return np.asarray(np.log1p(values) / math.log(high + 2))
    return (values - low) / (high + 1 - low)


def places(name: str, values: np.ndarray) -> np.ndarray:
    """Values of a numeric parameter on ``[0, 1]``, a whole number in the middle of its share.

    Args:
        values: ``(n,)``, each in the parameter's range.

    Returns:
        float64 ``(n,)``.
    """
    low, high = RANGES[name]
    if isinstance(low, float):
        return (values.astype(float) - low) / (high - low)
    edges = shares(name)
    middles = (edges[:-1] + edges[1:]) / 2
    return np.asarray(middles[values.astype(np.int64) - low])


def _n_cells(name: str) -> int:
    low, high = RANGES[name]
    return int(high - low + 1) if high - low < 10 and isinstance(low, int) else _N_CELLS


def _cell_of_place(name: str, where: np.ndarray) -> np.ndarray:
    n_cells = _n_cells(name)
    return np.minimum((where * n_cells).astype(np.int8), n_cells - 1)


@cache
def values_in_cell(name: str, cell: int) -> tuple[Any, ...]:
    """What a dimension's cell holds: its one choice, its whole numbers, or a lowest and highest."""
    if name not in RANGES:
        return (DIMENSIONS[name].labels[cell],)
    low, high = RANGES[name]
    if isinstance(low, float):
        width = (high - low) / _n_cells(name)
        return (low + cell * width, low + (cell + 1) * width)
    values = np.arange(low, high + 1)
    return tuple(values[_cell_of_place(name, places(name, values)) == cell].tolist())


def _labels(name: str) -> tuple[str, ...]:
    spans = [values_in_cell(name, cell) for cell in range(_n_cells(name))]
    return tuple(
        f"{span[0]:g}" if len(span) == 1 else f"{span[0]:g}\N{EN DASH}{span[-1]:g}"
        for span in spans
    )


def _dimensions() -> dict[str, Dimension]:
    texts = {LOGO_TYPE: LOGO_TYPES, **CHOICES}
    return {
        name: Dimension(
            name,
            texts[name] if name in texts else _labels(name),
            WANTED_BY_DESIGN if name in BY_DESIGN else WANTED,
        )
        for name in (LOGO_TYPE, *NAMES)
    }


DIMENSIONS: Final[dict[str, Dimension]] = _dimensions()
PAIRS: Final = tuple(combinations(DIMENSIONS, 2))


def cells(frame: pd.DataFrame) -> np.ndarray:
    """The cell of every row in every dimension: int8 ``(n, 12)``, in the order of `DIMENSIONS`."""
    columns = np.empty((len(frame), len(DIMENSIONS)), np.int8)
    for k, (name, dimension) in enumerate(DIMENSIONS.items()):
        if name in RANGES:
            columns[:, k] = _cell_of_place(name, places(name, frame[name].to_numpy()))
        else:
            columns[:, k] = pd.Categorical(frame[name], categories=list(dimension.labels)).codes
    return columns


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Rows by cell: of each dimension ``(n_cells,)``, of each pair ``(n_cells, n_cells)``."""

    dimensions: Mapping[str, np.ndarray]
    pairs: Mapping[tuple[str, str], np.ndarray]

    @property
    def share_hit(self) -> float:
        """Share of all pairs' cells that have a row."""
        n_hit = sum(int((counts > 0).sum()) for counts in self.pairs.values())
        return n_hit / sum(counts.size for counts in self.pairs.values())


def count_coverage(columns: np.ndarray) -> Coverage:
    """Count rows by cell.

    Args:
        columns: from `cells`.
    """
    names = list(DIMENSIONS)
    sizes = [len(dimension.labels) for dimension in DIMENSIONS.values()]
    single = {name: np.bincount(columns[:, k], minlength=sizes[k]) for k, name in enumerate(names)}
    pairs = {}
    for a, b in combinations(range(len(names)), 2):
        both = columns[:, a].astype(np.int16) * sizes[b] + columns[:, b]
        counts = np.bincount(both, minlength=sizes[a] * sizes[b])
        pairs[names[a], names[b]] = counts.reshape(sizes[a], sizes[b])
    return Coverage(single, pairs)


def wanted(pair: tuple[str, str]) -> int:
    """Rows that each cell of a pair should have."""
    return min(DIMENSIONS[name].wanted for name in pair)


def evenness(counts: np.ndarray) -> float | None:
    """Shannon entropy of the cells' shares over its greatest value: 1 is even, 0 is one cell."""
    total = counts.sum()
    if not total:
        return None
    parts = counts[counts > 0] / total
    return float(-(parts * np.log(parts)).sum() / math.log(len(counts))) + 0.0


def largest_gap(name: str, values: np.ndarray) -> float:
    """The longest stretch of a numeric parameter's scale without a row, in [0, 1].

    Args:
        values: ``(n,)`` of the parameter.
    """
    low = RANGES[name][0]
    if isinstance(low, float):
        held = np.unique(places(name, values))
        return float(np.diff([0.0, *held.tolist(), 1.0]).max())
    edges = shares(name)
    held = np.unique(values.astype(np.int64)) - low
    starts, ends = [0.0, *edges[held + 1].tolist()], [*edges[held].tolist(), 1.0]
    return max(end - start for start, end in zip(starts, ends, strict=True))


def is_preset(frame: pd.DataFrame) -> np.ndarray:
    """Whether each row's parameters are one of VTracer's presets: bool ``(n,)``."""
    found = np.zeros(len(frame), bool)
    for preset in PRESETS.values():
        same = np.ones(len(frame), bool)
        for name, value in preset.as_dict().items():
            same &= (frame[name] == value).to_numpy(bool)
        found |= same
    return found


def discrepancy(
    frame: pd.DataFrame, names: Sequence[str], seed: int
) -> dict[str, float | int | None]:
    """Centred L2 discrepancy of a table, beside those of a Sobol and a random set of its size.

    Hickernell, "A generalized discrepancy and quadrature error bound", Math. Comp. 67 (1998)
    299-322, squared, as `scipy.stats.qmc.discrepancy` gives it: 0 is even. The two other sets take
    the values that parameters can take, so that whole numbers do not count against the table.

    Args:
        frame: with the numeric parameters ``names``.
        seed: of the sample of at most 2,048 rows that it is taken of, and of the other sets.

    Returns:
        ``n_rows``, ``n_used`` of them, the figures of ``table``, ``sobol`` and ``random``, and
        ``worth_random``: how many random sets are as even (the figure falls as 1/n).
    """
    from scipy.stats import qmc

    rng = np.random.default_rng(seed)
    n_used = min(len(frame), _MAX_POINTS)
    if n_used < 2:
        nothing = dict.fromkeys(("table", "sobol", "random", "worth_random"))
        return {"n_rows": len(frame), "n_used": n_used, **nothing}
    chosen = np.sort(rng.choice(len(frame), n_used, replace=False))
    taken = frame.iloc[chosen]
    sobol = qmc.Sobol(len(names), scramble=True, rng=rng).random_base2(math.ceil(math.log2(n_used)))
    sets = {
        "table": np.column_stack([places(name, taken[name].to_numpy()) for name in names]),
        "sobol": _snapped(sobol[:n_used], names),
        "random": _snapped(rng.random((n_used, len(names))), names),
    }
    figures = {name: float(qmc.discrepancy(points)) for name, points in sets.items()}
    worth = round(n_used * figures["random"] / figures["table"])
    return {"n_rows": len(frame), "n_used": n_used, **figures, "worth_random": worth}


def _snapped(points: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Points on ``[0, 1]`` moved to the places of the values that are drawn there."""
    columns = []
    for k, name in enumerate(names):
        low, high = RANGES[name]
        if isinstance(low, float):
            columns.append(places(name, np.round(low + points[:, k] * (high - low), 2)))
        else:
            drawn = np.searchsorted(shares(name), points[:, k], side="right") - 1
            columns.append(places(name, low + drawn.clip(0, high - low)))
    return np.column_stack(columns)
