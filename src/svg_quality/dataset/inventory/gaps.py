"""Where a table is empty or thin: cells of a parameter, of a pair, and of type and quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from svg_quality.dataset.inventory.coverage import DIMENSIONS, WANTED, Coverage, wanted
from svg_quality.dataset.targets import SSIM_EDGES

KINDS: Final = ("parameter", "type and quality", "pair")
_THIN_SHARE: Final = 0.1  # of the rows that a balanced table would have in a cell


@dataclass(frozen=True, slots=True)
class Gap:
    """A cell with fewer rows than it should have."""

    kind: str  # one of `KINDS`
    cell: str
    n: int  # measured rows
    wanted: int
    n_failed: int | None  # conversions tried there that failed; None where no cell is known of them

    @property
    def lack(self) -> float:
        """Share of the wanted rows that are missing, in (0, 1]: 1 is empty."""
        return 1 - self.n / self.wanted


def find_gaps(measured: Coverage, failed: Coverage, types: Mapping[str, Any]) -> list[Gap]:
    """Every empty or thin cell, the emptiest first.

    Args:
        measured: of the rows with figures.
        failed: of those without.
        types: by logo type, as `compare_with_targets` tells them.
    """
    found = [
        *_parameter_gaps(measured, failed),
        *_quality_gaps(types),
        *_pair_gaps(measured, failed),
    ]
    return sorted(found, key=lambda gap: (-gap.lack, KINDS.index(gap.kind)))


def _parameter_gaps(measured: Coverage, failed: Coverage) -> Iterator[Gap]:
    for name, dimension in DIMENSIONS.items():
        counts, tried = measured.dimensions[name].tolist(), failed.dimensions[name].tolist()
        for label, n, n_failed in zip(dimension.labels, counts, tried, strict=True):
            if n < dimension.wanted:
                yield Gap("parameter", f"{name} {label}", n, dimension.wanted, n_failed)


def _pair_gaps(measured: Coverage, failed: Coverage) -> Iterator[Gap]:
    for pair, counts in measured.pairs.items():
        enough = wanted(pair)
        first, second = (DIMENSIONS[name] for name in pair)
        for a, b in np.argwhere(counts < enough).tolist():
            cell = f"{first.name} {first.labels[a]} \N{MULTIPLICATION SIGN} "
            cell += f"{second.name} {second.labels[b]}"
            yield Gap("pair", cell, int(counts[a, b]), enough, int(failed.pairs[pair][a, b]))


def wanted_in_cell(told: Mapping[str, Any]) -> int:
    """Rows that each SSIM cell of a type should have: a tenth of an even spread, at least 10.

    Args:
        told: the type's entry of `compare_with_targets`.
    """
    return max(round(_THIN_SHARE * float(told["cell_target"])), WANTED)


def _quality_gaps(types: Mapping[str, Any]) -> Iterator[Gap]:
    """Quality is an outcome: a failure has none, and no cell can be aimed at for certain."""
    for name, told in types.items():
        enough = wanted_in_cell(told)
        for k, n in enumerate(told["cells"]):
            if n < enough:
                span = f"{SSIM_EDGES[k]:g}\N{EN DASH}{SSIM_EDGES[k + 1]:g}"
                yield Gap("type and quality", f"{name}, SSIM {span}", n, enough, None)
