"""What to convert next: parameter sets and pictures that fill the emptiest cells of a table.

Greedy, as covering arrays are built (Cohen et al., "The AETG system", IEEE Trans. Softw. Eng. 23
(1997) 437-444): the emptiest cell of a pair is aimed at, and of a few scrambled Sobol points moved
into that cell the one is taken that helps the other 65 pairs most. When no cell lacks rows, types
below their share of a balanced dataset get more. No picture gets more than twice the usual rows:
ever more sets of the same few would make rows, and no knowledge; other logos would.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import NAMES, RANGES, Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.dataset.inventory.coverage import (
    DIMENSIONS,
    LOGO_TYPE,
    PAIRS,
    Coverage,
    cells,
    values_in_cell,
    wanted,
)
from svg_quality.dataset.inventory.pair_cells import (
    ENDS,
    SIZES,
    cells_of,
    flat_counts,
    flat_places,
)
from svg_quality.dataset.targets import TYPE_SHARES

RECOMMENDATION: Final = "recommendation.json"  # the artifact that `convert --fill-gaps` reads
_N_CANDIDATES: Final = 32
_MOST: Final = 2  # times the median rows of a picture
_N_USUAL: Final = 64
_UNDER: Final = 0.9  # of its target share: below it a type is under-represented
_TYPE: Final = list(DIMENSIONS).index(LOGO_TYPE)


@dataclass(frozen=True, slots=True)
class Recommended:
    """A conversion that the table lacks."""

    image_id: str
    source: str  # for people: where the picture came from
    logo_type: str
    parameters: Parameters
    why: str
    n_empty: int  # cells of pairs that it is the first in
    n_thin: int  # others that had too few rows

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "image_id": self.image_id,
            "source": self.source,
            "logo_type": self.logo_type,
            "parameters": self.parameters.as_dict(),
            "why": self.why,
            "n_empty": self.n_empty,
            "n_thin": self.n_thin,
        }


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to convert next, the most needed first."""

    conversions: list[Recommended]
    n_left_open: int  # cells of pairs that would need other pictures: those here have enough rows


def recommend(
    images: pd.DataFrame, measured: Coverage, failed: Coverage, n_recommended: int, seed: int
) -> Recommendation:
    """At most so many conversions; the same inputs and seed give the same.

    Args:
        images: pictures that can be converted, indexed by image_id, with ``logo_type``, ``source``
            and ``n``, the rows it has; those with few are taken first, and none gets more than
            twice their median.
        measured: of the rows with figures.
        failed: of those without; a cell where as many failed as are wanted is given up.
        n_recommended: at most.
        seed: of the points, and of the order of pictures with equally many rows.
    """
    search = _Search(images, measured, failed, seed)
    found: list[Recommended] = []
    while len(images) and len(found) < n_recommended:
        chosen = search.next_one()
        if chosen is None:
            break
        found.append(chosen)
    return Recommendation(found, search.n_left_open())


def summary(recommendation: Recommendation) -> dict[str, Any]:
    """What a recommendation would do, in counts."""
    found = recommendation.conversions
    types = [each.logo_type for each in found]
    return {
        "conversions": len(found),
        "images": len({each.image_id for each in found}),
        "empty_cells_filled": sum(each.n_empty for each in found),
        "for_pairs": sum(bool(each.n_empty or each.n_thin) for each in found),
        "cells_left_open": recommendation.n_left_open,
        "by_type": {name: types.count(name) for name in TYPE_SHARES},
    }


class _Search:
    """The counts as they would be after what was recommended so far."""

    def __init__(
        self, images: pd.DataFrame, measured: Coverage, failed: Coverage, seed: int
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.sources = images["source"].astype("str").to_dict()
        self.queues = _queues(images, self.rng)
        self.counts, tried = flat_counts(measured), flat_counts(failed)
        enough = np.concatenate([np.full(measured.pairs[p].size, wanted(p)) for p in PAIRS])
        # Where every try failed more tries would too: what failed counts against what is wanted.
        self.wanted = np.maximum(enough - tried, 0)
        self.most = _MOST * images["n"].median()  # rows of a picture
        self.reachable = self._within_reach()
        of_types = measured.dimensions[LOGO_TYPE]
        self.types = dict(zip(DIMENSIONS[LOGO_TYPE].labels, of_types.tolist(), strict=True))
        self.points = _sobol(self.rng)
        self.usual = _usual_sets(seed)

    def n_left_open(self) -> int:
        """Cells that lack rows and that no picture is left for."""
        return int(((self.counts < self.wanted) & ~self.reachable).sum())

    def _is_open(self, logo_type: str) -> bool:
        """Whether a picture of the type has not had enough."""
        queue = self.queues[logo_type]
        return bool(queue) and queue[0][0] < self.most

    def _within_reach(self) -> np.ndarray:
        """Whether each flat cell can be had with a picture that has not had enough."""
        has = np.array([self._is_open(name) for name in DIMENSIONS[LOGO_TYPE].labels])
        parts = []
        for a, b in ENDS.tolist():
            free = np.full((SIZES[a], SIZES[b]), has.any())
            if a == _TYPE:
                free &= has[:, None]
            parts.append(free.ravel())
        return np.concatenate(parts)

    def next_one(self) -> Recommended | None:
        """The conversion that helps most now; None where none is needed."""
        lacking = (self.counts < self.wanted) & self.reachable
        if lacking.any():
            fullness = np.where(lacking, self.counts / np.maximum(self.wanted, 1), np.inf)
            emptiest = np.flatnonzero(fullness == fullness.min())
            aim = int(self.rng.choice(emptiest))
            return self._filling(self._best(self._candidates(cells_of(aim))))
        missing = self._missing_type()
        return None if missing is None else self._more_of(missing)

    def _missing_type(self) -> str | None:
        """The type furthest below its share, among those with a picture that has not had enough."""
        total = max(sum(self.types.values()), 1)
        under = {
            name: self.types[name] / total / share
            for name, share in TYPE_SHARES.items()
            if self._is_open(name)
        }
        lowest = min(under, key=lambda name: under[name], default=None)
        return lowest if lowest is not None and under[lowest] < _UNDER else None

    def _candidates(self, fixed: Mapping[int, int]) -> np.ndarray:
        """Sobol points as cells, moved into the fixed ones: int64 ``(n_candidates, 12)``."""
        made: np.ndarray = (next(self.points) * SIZES).astype(np.int64)
        made[:, _TYPE] = self._drawn_types(made[:, _TYPE])
        for dimension, cell in fixed.items():
            made[:, dimension] = cell
        return made

    def _drawn_types(self, drawn: np.ndarray) -> np.ndarray:
        """Types that no picture is left for give way to the one that lacks rows most."""
        labels = DIMENSIONS[LOGO_TYPE].labels
        usable = [k for k, name in enumerate(labels) if self._is_open(name)]
        lowest = min(usable, key=lambda k: self.types[labels[k]] / TYPE_SHARES[labels[k]])
        return np.where(np.isin(drawn, usable), drawn, lowest)

    def _best(self, candidates: np.ndarray) -> np.ndarray:
        """The candidate whose cells lack most: an empty one counts 1, a half-full one 1/2."""
        flat = flat_places(candidates)
        lack = 1 - self.counts[flat] / np.maximum(self.wanted[flat], 1)
        gain = np.where(self.wanted[flat] > 0, lack.clip(0, 1), 0).sum(axis=1)
        return np.asarray(candidates[np.argmax(gain)])

    def _filling(self, chosen: np.ndarray) -> Recommended:
        flat = flat_places(chosen)
        lacking = flat[self.counts[flat] < self.wanted[flat]]
        empty = lacking[self.counts[lacking] == 0]
        n_empty, n_thin = len(empty), len(lacking) - len(empty)
        why = _reason(n_empty, n_thin, int((empty if n_empty else lacking)[0]))
        return self._taken(chosen, _parameters(chosen, self.rng), why, n_empty, n_thin)

    def _more_of(self, logo_type: str) -> Recommended:
        """A set as campaigns draw them: no cell asks for another."""
        parameters = next(self.usual)
        share = self.types[logo_type] / max(sum(self.types.values()), 1)
        why = f"{logo_type} has {share:.0%} of the rows, and {TYPE_SHARES[logo_type]:.0%} is wanted"
        chosen = cells(pd.DataFrame([{LOGO_TYPE: logo_type, **parameters.as_dict()}]))[0]
        return self._taken(chosen.astype(np.int64), parameters, why, 0, 0)

    def _taken(
        self, chosen: np.ndarray, parameters: Parameters, why: str, n_empty: int, n_thin: int
    ) -> Recommended:
        self.counts[flat_places(chosen)] += 1
        logo_type = DIMENSIONS[LOGO_TYPE].labels[chosen[_TYPE]]
        self.types[logo_type] += 1
        n_rows, order, image_id = self.queues[logo_type][0]
        heapq.heapreplace(self.queues[logo_type], (n_rows + 1, order, image_id))
        if not self._is_open(logo_type):
            self.reachable = self._within_reach()
        source = self.sources[image_id]
        return Recommended(image_id, source, logo_type, parameters, why, n_empty, n_thin)


def _queues(
    images: pd.DataFrame, rng: np.random.Generator
) -> dict[str, list[tuple[int, int, str]]]:
    """By type, its pictures as a heap: the one with the fewest rows first."""
    queues: dict[str, list[tuple[int, int, str]]] = {name: [] for name in TYPE_SHARES}
    ordered = images.sort_index()
    columns = (ordered.index, ordered["logo_type"], ordered["n"], rng.permutation(len(ordered)))
    for image_id, logo_type, n_rows, order in zip(*columns, strict=True):
        queues[logo_type].append((int(n_rows), int(order), str(image_id)))
    for queue in queues.values():
        heapq.heapify(queue)
    return queues


def _sobol(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches of points for candidates, endless: float64 ``(n_candidates, 12)`` each."""
    from scipy.stats import qmc

    engine = qmc.Sobol(len(SIZES), scramble=True, rng=rng)
    while True:
        yield engine.random(_N_CANDIDATES)


def _usual_sets(seed: int) -> Iterator[Parameters]:
    """Sets as a campaign draws them, three of four in the everyday region; endless."""
    for batch in count():
        everyday = sobol_sets(3 * _N_USUAL, "everyday", seed + 2 * batch)
        full = sobol_sets(_N_USUAL, "full", seed + 2 * batch + 1)
        for k, chosen in enumerate(full):
            yield from (*everyday[3 * k : 3 * k + 3], chosen)


def _parameters(chosen: np.ndarray, rng: np.random.Generator) -> Parameters:
    """A set inside the cells; of a cell's whole numbers each is as likely."""
    drawn: dict[str, Any] = {}
    for name, cell in zip(DIMENSIONS, chosen.tolist(), strict=True):
        if name not in NAMES:
            continue
        values = values_in_cell(name, cell)
        if isinstance(RANGES.get(name, (0,))[0], float):
            drawn[name] = _inside(values[0], values[1], rng)
        else:
            drawn[name] = values[int(rng.integers(len(values)))]
    return Parameters(**drawn)


def _inside(low: float, high: float, rng: np.random.Generator) -> float:
    """Two decimals, as the sampling draws them, and none that rounds out of the cell."""
    first, last = math.ceil(low * 100 + 1e-6), math.floor(high * 100 - 1e-6)
    return float(rng.integers(first, last + 1)) / 100


def _reason(n_empty: int, n_thin: int, place: int) -> str:
    parts = [f"{n} {kind}" for n, kind in ((n_empty, "empty"), (n_thin, "thin")) if n]
    names = list(DIMENSIONS)
    where = " \N{MULTIPLICATION SIGN} ".join(
        f"{names[index]} {DIMENSIONS[names[index]].labels[cell]}"
        for index, cell in cells_of(place).items()
    )
    plural = "s" if n_empty + n_thin > 1 else ""
    return f"{' and '.join(parts)} cell{plural} of pairs, such as {where}"
