"""Pools of real conversions in which the best set of every logo is known, and a look-up in them.

Each held-out logo is converted with VTracer's default and 256 Sobol sets of the everyday region.
Optimizers then choose among these through `PoolConversions`, which gives what was really measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from record import HERE

from svg_quality.conversion.images import WORKING_SIZE, load_image
from svg_quality.conversion.parameters import NAMES, RANGES, Parameters
from svg_quality.conversion.sampling import LOG_LIKE, sobol_sets
from svg_quality.conversion.workers import ConversionTask, WorkerPool, convert_all
from svg_quality.dataset.logos import discover_logos, read_excluded
from svg_quality.optimization.base import Attempt
from svg_quality.optimization.conversions import Chosen, Conversions
from svg_quality.optimization.dials import canonical
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import TOLERATED

N_LOGOS: Final = 120
N_SETS: Final = 256
FILE: Final = "data/held-out/optimization_pool.parquet"
_SEED: Final = 11  # of the draw of logos
_MEASURED: Final = (
    "ssim", "ssim_worst_tile", "mse", "psnr", "svg_bytes", "path_count", "trace_ms", "render_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LogoPool:
    """One logo's measured sets: the default first, then those to choose among; none failed."""

    name: str
    path: Path
    sets: tuple[Parameters, ...]
    measured: tuple[dict[str, float], ...]
    places: np.ndarray  # float64 (n, d), of `positions`

    @property
    def reductions(self) -> np.ndarray:
        """Share of the default's bytes saved; 0 of what breaks the floor or is no smaller."""
        ssim, size = (np.array([one[k] for one in self.measured]) for k in ("ssim", "svg_bytes"))
        saved = 1 - size / size[0]
        return np.where(ssim >= ssim[0] - TOLERATED, saved, 0).clip(0)

    def of_colour(self) -> LogoPool:
        """The same without black-and-white sets."""
        keep = [i for i, one in enumerate(self.sets) if one.colormode == "color"]
        return LogoPool(
            self.name, self.path, tuple(self.sets[i] for i in keep),
            tuple(self.measured[i] for i in keep), self.places[keep],
        )  # fmt: skip


class PoolConversions(Conversions):
    """Converts nothing: gives what the pool measured of the nearest set not given before."""

    def __init__(self, logo: Logo, pool: LogoPool, budget: int) -> None:
        super().__init__(logo, WorkerPool(1, 60), None, "predictive", budget)
        self.known = pool
        self._place = {one: i for i, one in enumerate(pool.sets)}
        self._free = np.ones(len(pool.sets), bool)

    def measure(self, chosen: Sequence[Chosen]) -> list[Attempt]:
        for parameters, origin, predicted in chosen:
            if parameters in self._attempts or self.left <= 0 or not self._free.any():
                continue
            i = self._nearest(parameters)
            self._free[i] = False
            self._attempts[parameters] = Attempt(
                parameters, origin, predicted, dict(self.known.measured[i]), None
            )
        return [self._attempts[one[0]] for one in chosen if one[0] in self._attempts]

    def _nearest(self, parameters: Parameters) -> int:
        same = self._place.get(parameters)
        if same is not None and self._free[same]:
            return same
        apart = np.square(self.known.places - positions([parameters])).sum(1)
        return int(np.where(self._free, apart, np.inf).argmin())


def positions(sets: Sequence[Parameters]) -> np.ndarray:
    """Sets as points: switches 1 apart, dials in [0, 1], what is not read at its default."""
    return np.array([_position(canonical(one)) for one in sets])


def _position(one: Parameters) -> list[float]:
    switches = [one.colormode == "binary", one.hierarchical == "cutout", one.mode == "polygon"]
    dials = []
    for name, (low, high) in RANGES.items():
        value = getattr(one, name)
        if name in LOG_LIKE or name == "path_precision":
            dials.append(np.log1p(value) / np.log1p(high))
        else:
            dials.append((value - low) / (high - low))
    return [*map(float, switches), *dials]


def oracle_pools(root: Path) -> list[LogoPool]:
    """The pools of the drawn held-out logos: from the file of an earlier run, or converted now."""
    file = root / FILE
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _converted().to_parquet(file)
    rows = pd.read_parquet(file)
    asked = {name: sets for name, _, sets in _asked()}
    if set(rows["logo"]) != set(asked):
        raise SystemExit(f"{file} must hold the logos of this list, it holds others: delete it")
    return [
        pool_of(name, part.sort_values("k"), asked[str(name)])
        for name, part in rows.groupby("logo")
    ]


def pool_of(name: object, rows: pd.DataFrame, asked: Sequence[Parameters]) -> LogoPool:
    sets = tuple(Parameters(**row) for row in rows[list(NAMES)].to_dict(orient="records"))
    if list(sets) != list(asked):
        raise SystemExit(f"the pool must hold exactly the drawn sets, {name} does not: delete it")
    if not rows["error"].isna().iloc[0]:
        raise SystemExit(f"the default must convert, it did not on {name}")
    good = [i for i, failed in enumerate(rows["error"].notna()) if not failed]
    kept = tuple(sets[i] for i in good)
    measured = rows.iloc[good][list(_MEASURED)].to_dict(orient="records")
    path = Path(str(rows["path"].iloc[0]))
    return LogoPool(str(name), path, kept, tuple(measured), positions(kept))


def _asked() -> Iterator[tuple[str, Path, list[Parameters]]]:
    names = read_excluded(HERE / "held_out_logos.txt")
    logos = sorted((x.name, x.path) for x in discover_logos("diagrams") if x.name in names)
    drawn = np.random.default_rng(_SEED).permutation(len(logos))[:N_LOGOS]
    for i in sorted(drawn):
        name, path = logos[i]
        seed = int(load_image(path, WORKING_SIZE).image_id[:12], 16)
        yield name, path, [Parameters(), *sobol_sets(N_SETS, "everyday", seed)]


def _converted() -> pd.DataFrame:
    about = {
        f"{name}#{k}": {"logo": name, "path": str(path), "k": k, **one.as_dict()}
        for name, path, sets in _asked()
        for k, one in enumerate(sets)
    }
    tasks = (
        ConversionTask(key, Path(x["path"]), WORKING_SIZE, Parameters(**{n: x[n] for n in NAMES}))
        for key, x in about.items()
    )
    made = convert_all(tasks, 0, 60.0)
    return pd.DataFrame(
        [
            {**about[x.task.conversion_id], **(x.result or {}), "error": x.error}
            for x in made
        ]
    )  # fmt: skip
