"""How a table becomes a balanced one: what to select, what to convert, what to draw.

The three steps in their order: select what is there; convert more real logos of the types that
are short, and more parameter sets for the qualities that are short; draw synthetic logos for what
is still missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pandas as pd

from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.dataset.augmentation.selection import hash_order, select_balanced
from svg_quality.dataset.tables import parameters_of
from svg_quality.dataset.targets import (
    SSIM_EDGES,
    TYPE_SHARES,
    compare_with_targets,
    ssim_cells,
)
from svg_quality.errors import DatasetError

_SETS_AT_ONCE: Final = 4  # further sets that one picture takes for one cell
COLUMNS: Final = ("image_id", "conversion_id", "logo_type", "ssim", "synthetic", *NAMES)


class FurtherSet(NamedTuple):
    """A parameter set to try on a picture, in the hope of an SSIM in a cell that is short."""

    image_id: str
    parameters: Parameters
    cell: int  # of `targets.ssim_cells`


@dataclass(frozen=True, slots=True, eq=False)
class BuildPlan:
    """What a table gives towards a balanced one, and what it takes to come closer."""

    selected: pd.Series[bool]  # rows of the table that make up the balanced one now
    supply: dict[str, Any]  # `targets.compare_with_targets` of the whole table
    result: dict[str, Any]  # the same of the selected rows
    real_images: dict[str, int]  # further real pictures to look for, by type
    further_sets: tuple[FurtherSet, ...]  # to convert, of pictures in the table
    synthetic_rows: dict[str, int]  # conversions of synthetic logos that may be added, by type

    @property
    def deficits(self) -> dict[str, int]:
        """Rows that each type lacks."""
        return {name: entry["deficit"] for name, entry in self.supply["types"].items()}

    @property
    def cell_deficits(self) -> dict[str, list[int]]:
        """Rows that each SSIM cell of each type lacks."""
        return {name: entry["cell_deficits"] for name, entry in self.supply["types"].items()}


class DatasetBuilder:
    """Plans a dataset of 30% simple, 25% text, 25% gradient and 20% complex logos.

    Args:
        sets_per_image: conversions that a new picture brings.
        max_sets_per_image: beyond which a picture gets no further sets; 0 for twice
            ``sets_per_image``.
        synthetic_share: of the balanced table, at most; in [0, 1).
        seed: of every choice among equals.

    Raises:
        DatasetError: a number is out of its range.

    Example:
        >>> import pandas as pd
        >>> from svg_quality.dataset.augmentation.builder import DatasetBuilder
        >>> table = pd.DataFrame(
        ...     {"image_id": ["a"], "conversion_id": ["1"], "logo_type": ["text"],
        ...      "ssim": [0.9], "synthetic": [False]}
        ... )
        >>> plan = DatasetBuilder(sets_per_image=10).plan(table, target_samples=100)
        >>> plan.real_images
        {'simple': 3, 'text': 3, 'gradient': 3, 'complex': 2}
    """

    def __init__(
        self,
        *,
        sets_per_image: int = 12,
        max_sets_per_image: int = 0,
        synthetic_share: float = 0.2,
        seed: int = 42,
    ) -> None:
        if not 0 <= synthetic_share < 1:
            raise DatasetError(f"synthetic_share must be in [0, 1), got {synthetic_share}")
        if sets_per_image < 1:
            raise DatasetError(f"sets_per_image must be at least 1, got {sets_per_image}")
        self.sets_per_image = sets_per_image
        self.max_sets_per_image = max_sets_per_image or 2 * sets_per_image
        self.synthetic_share = synthetic_share
        self.seed = seed

    def plan(self, table: pd.DataFrame, target_samples: int) -> BuildPlan:
        """What to select from a table, and how to fill what it lacks.

        Args:
            table: conversions. Without parameter columns no further sets are planned; without
                ``synthetic`` every row counts as real.
            target_samples: conversions to reach.

        Raises:
            DatasetError: as `select_balanced`.
        """
        selected = select_balanced(table, target_samples, self.seed)
        supply = compare_with_targets(table, target_samples)
        deficits = {name: entry["deficit"] for name, entry in supply["types"].items()}
        return BuildPlan(
            selected=selected,
            supply=supply,
            result=compare_with_targets(table[selected], target_samples),
            real_images={k: math.ceil(n / self.sets_per_image) for k, n in deficits.items()},
            further_sets=tuple(self._further_sets(table, supply)),
            synthetic_rows=self._synthetic_rows(table, supply, deficits),
        )

    def _further_sets(self, table: pd.DataFrame, supply: dict[str, Any]) -> Iterable[FurtherSet]:
        if not set(COLUMNS) <= set(table.columns):
            return
        rows = table.loc[table["ssim"].notna() & ~table["synthetic"], list(COLUMNS)]
        rows = rows.assign(
            cell=ssim_cells(rows["ssim"]),
            set=pd.util.hash_pandas_object(rows[list(NAMES)], index=False),
            order=hash_order(self.seed, rows["conversion_id"].tolist()),
        ).sort_values(["order", "conversion_id"])
        for name in TYPE_SHARES:
            of_type = rows[rows["logo_type"] == name]
            search = _Search(of_type, self.max_sets_per_image, self.seed)
            for cell, n_wanted in enumerate(supply["types"][name]["cell_deficits"]):
                donors = of_type[of_type["cell"] == cell]
                if donors.empty:  # no logo of the type got there: learn from the others
                    donors = rows[rows["cell"] == cell]
                yield from search.trials(cell, donors, n_wanted)

    def _synthetic_rows(
        self, table: pd.DataFrame, supply: dict[str, Any], deficits: dict[str, int]
    ) -> dict[str, int]:
        """What is missing, scaled down to what the share allows.

        The share is of the rows that a balanced selection takes, so it holds of the table too.
        """
        measured = table[table["ssim"].notna()]
        drawn = measured["synthetic"] if "synthetic" in measured else pd.Series(dtype=bool)
        n_drawn = int(drawn.sum())
        real = measured["logo_type"][~drawn] if n_drawn else measured["logo_type"]
        counts = real.astype("str").value_counts()
        quotas = {name: entry["target"] for name, entry in supply["types"].items()}
        n_real = sum(min(quota, int(counts.get(name, 0))) for name, quota in quotas.items())
        allowed = math.floor(self.synthetic_share / (1 - self.synthetic_share) * n_real) - n_drawn
        allowed, n_missing = max(allowed, 0), sum(deficits.values())
        if n_missing <= allowed:
            return dict(deficits)
        return {name: n * allowed // n_missing for name, n in deficits.items()}


class _Search:
    """Pairs of a picture and a parameter set that were not tried, for the pictures of one type."""

    def __init__(self, rows: pd.DataFrame, most: int, seed: int) -> None:
        by_image = rows.groupby("image_id", sort=True)
        self.tried = {str(name): set(sets) for name, sets in by_image["set"]}
        self.lowest = by_image["ssim"].min()
        self.order = pd.Series(hash_order(seed, list(self.lowest.index)), self.lowest.index)
        self.most = most

    def trials(self, cell: int, donors: pd.DataFrame, n_wanted: int) -> Iterable[FurtherSet]:
        """Up to ``n_wanted`` sets that gave an SSIM of this cell elsewhere, on the likeliest logos.

        Logos go by how near their lowest SSIM is to the cell: those that have been there come
        first, and each takes a few.
        """
        if not n_wanted or donors.empty or self.lowest.empty:
            return
        middle = (SSIM_EDGES[cell] + SSIM_EDGES[cell + 1]) / 2
        above = (self.lowest - middle).clip(lower=0).round(1)  # what got lower can get here too
        nearest = pd.DataFrame({"above": above, "order": self.order}).sort_values(
            ["above", "order"]
        )
        names = [str(name) for name in nearest.index for _ in range(_SETS_AT_ONCE)]
        sets, parameters = donors["set"].tolist(), parameters_of(donors)
        n_given = 0
        for start, name in enumerate(names):
            found = self._untried(name, sets, start)
            if found is not None:
                self.tried[name].add(sets[found])
                n_given += 1
                yield FurtherSet(name, parameters[found], cell)
            if n_given == n_wanted:
                return

    def _untried(self, name: str, sets: list[int], start: int) -> int | None:
        """The place of a set the picture lacks, from ``start`` on; None where it is full."""
        tried = self.tried[name]
        if len(tried) >= self.most:
            return None
        n = len(sets)
        return next((k % n for k in range(start, start + n) if sets[k % n] not in tried), None)
