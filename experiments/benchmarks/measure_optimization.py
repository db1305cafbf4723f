"""What each way to choose parameters saves, against the conversions it spends.

120 held-out logos, 256 measured everyday sets each (`oracle_pool`). Wanted: the smallest SVG with
SSIM of at least the default's minus 0.001. The default is measured beforehand for every method
and not counted; where nothing smaller keeps the floor, it stands and saves nothing. The methods
are the shipped ones; only what converts is a look-up of what was measured. Then `predictive`
chooses freely, with real conversions. Writes optimization.json and optimization.svg.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
from optimization_picture import draw
from oracle_pool import N_SETS, LogoPool, PoolConversions, oracle_pools
from pool_tpe import restricted_tpe
from record import HERE, write_result

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import WorkerPool
from svg_quality.optimization.adaptive import Adaptive
from svg_quality.optimization.base import Optimizer
from svg_quality.optimization.feature_mapping import FeatureMapping
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.methods import optimize_logo
from svg_quality.optimization.objective import TOLERATED, Objective
from svg_quality.optimization.predictive import Predictive
from svg_quality.optimization.search import TpeSearch
from svg_quality.prediction.picture import Picture
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.tracking.store import project_root

SPENT: Final = (1, 2, 3, 4, 8, 16, 32, 64, 128, 256)
LONGEST: Final = 64  # conversions for which methods are run; random is exact to the end
N_SEEDS: Final = 2  # of each TPE
N_FREE: Final = 30  # logos
AT: Final = 4
DECIDED: Final = {  # words of an answer's confidence: what was decided
    "more sets, because": "handed over",
    "model was sure": "narrow",
    "model was unsure": "wide",
}
N_DRAWS: Final = 4000

IN_COLOUR: Final = ("predictive", "TPE among the pool", "random", "predictions without correction")

Curves = dict[str, np.ndarray]  # method -> (logos, conversions), share of the default's bytes saved


def main() -> None:
    root = project_root()
    predictor = QualityPredictor()
    pools = oracle_pools(root)
    pictures = [predictor.picture(pool.path) for pool in pools]
    curves = curves_of(pools, pictures)
    colour = [pool.of_colour() for pool in pools]
    figures = {
        "model_version": predictor.model_version,
        "logos": len(pools),
        "sets_each": N_SETS,
        "everyday": told(pools, curves),
        "everyday_in_colour": told(colour, curves_of(colour, pictures, IN_COLOUR)),
        "free": free(root, predictor, [pool.path for pool in pools[:: len(pools) // N_FREE]]),
    }
    write_result("optimization", figures)
    oracle = np.mean([pool.reductions.max() for pool in pools])
    draw(HERE / "optimization.svg", curves, float(oracle), len(pools))


def curves_of(
    pools: Sequence[LogoPool], pictures: Sequence[Picture], methods: Collection[str] = ()
) -> Curves:
    """What every method (or those named) has saved after 1, 2, 3, ... conversions."""
    both = list(zip(pools, pictures, strict=True))

    def run(make: Callable[[LogoPool, int], Optimizer], n_seeds: int = 1) -> np.ndarray:
        played = [
            [_played(make(pool, seed), pool, picture) for seed in range(n_seeds)]
            for pool, picture in both
        ]
        mean: np.ndarray = np.array(played).mean(1)
        return mean

    def offering(pool: LogoPool) -> Predictive:
        return Predictive(LONGEST, LONGEST, lambda _: dict.fromkeys(pool.sets, "front"))

    ways: dict[str, Callable[[], np.ndarray]] = {
        "predictive": lambda: run(lambda pool, _: offering(pool)),
        "search (TPE)": lambda: run(
            lambda pool, seed: TpeSearch(crc32(pool.name.encode()) + seed), N_SEEDS
        ),
        "TPE among the pool": lambda: np.array([_restricted(pool) for pool in pools]),
        "adaptive": lambda: run(lambda *_: Adaptive()),
        "feature mapping": lambda: run(lambda *_: FeatureMapping()),
        "random": lambda: np.array([_random(pool.reductions[1:]) for pool in pools]),
        "predictions without correction": lambda: np.array([_picked(*each) for each in both]),
    }
    return {name: way() for name, way in ways.items() if not methods or name in methods}


def told(pools: Sequence[LogoPool], curves: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Shares of what the oracle saves, and how sure they are (logos drawn)."""
    oracle = np.array([pool.reductions.max() for pool in pools])
    ours = curves["predictive"][:, AT - 1]
    spent = {
        name: next((n + 1 for n in range(values.shape[1]) if _mean(values, n) >= ours.mean()), None)
        for name, values in curves.items()
    }
    return {
        "oracle_mean_reduction": float(oracle.mean()),
        "share_of_oracle": {
            name: {
                str(n): _mean(values, n - 1) / oracle.mean() for n in SPENT if n <= values.shape[1]
            }
            for name, values in curves.items()
        },
        f"share_at_{AT}_interval_95": {
            name: _interval(values[:, AT - 1], oracle) for name, values in curves.items()
        },
        f"predictive_minus_other_at_{AT}_interval_95": {
            name: _interval(ours - values[:, AT - 1], oracle)
            for name, values in curves.items()
            if name != "predictive"
        },
        f"conversions_to_equal_predictive_at_{AT}": spent,
        "mean_size_factor": {
            "oracle": _factor(oracle),
            **{name: _factor(values[:, AT - 1]) for name, values in curves.items()},
        },
    }


def free(root: Path, predictor: QualityPredictor, paths: Sequence[Path]) -> dict[str, Any]:
    """Free choice with real conversions: bytes over the default's, floors kept, time."""
    found: dict[str, Any] = {"logos": len(paths)}
    with WorkerPool(0, 60.0) as pool:
        for name, method, budget in (
            (f"verified_{AT}", "predictive", AT + 1),
            ("own_budget", "predictive", 0),
            (f"adaptive_{AT}", "adaptive", AT + 1),  # a fixed list first: no model in it
        ):
            ratios, seconds, spent, kept, how = [], [], [], [], Counter[str]()
            for path in paths:
                began = time.perf_counter()
                logo = Logo.read(path, predictor.working_size)
                answer, _ = optimize_logo(
                    logo, Objective.smallest(), method, lambda: predictor, pool, None, budget
                )
                seconds.append(time.perf_counter() - began)
                if not (answer.chosen and answer.chosen.figures and answer.default):
                    raise SystemExit(f"{path} must be converted, it was not: {answer.reason}")
                ssim, size = answer.chosen.figures
                least, usual = answer.default.figures or (0.0, 0)
                ratios.append(size / usual)
                kept.append(ssim >= least - TOLERATED)
                spent.append(answer.n_conversions)
                said = answer.confidence
                how[next((word for sign, word in DECIDED.items() if sign in said), said)] += 1
            found[name] = {
                "bytes_over_default_mean": float(np.mean(ratios)),
                "bytes_over_default_median": float(np.median(ratios)),
                "floor_kept": float(np.mean(kept)),
                "conversions_mean": float(np.mean(spent)),
                "seconds_median": float(np.median(seconds)),
                "decided": dict(how),
            }
    return found


def _played(method: Optimizer, pool: LogoPool, picture: Picture) -> np.ndarray:
    logo = Logo.read(pool.path, picture.bundle.working_size).described(picture.descriptors)
    conversions = PoolConversions(logo, pool, LONGEST + 1)
    conversions.measure([(Parameters(), "default", None)])
    ssim, size = pool.measured[0]["ssim"], pool.measured[0]["svg_bytes"]
    objective = Objective.smallest().resolved(ssim)
    method.optimize(logo, objective, conversions, picture=picture)
    saved = [
        1 - one.figures[1] / size if one.figures and objective.meets(*one.figures) else 0.0
        for one in conversions.attempts[1:]
    ]
    return _best_so_far(saved)


def _restricted(pool: LogoPool) -> np.ndarray:
    curves = [restricted_tpe(pool, LONGEST, seed) for seed in range(N_SEEDS)]
    mean: np.ndarray = np.mean(curves, 0)
    return mean


def _picked(pool: LogoPool, picture: Picture) -> np.ndarray:
    """Smallest predicted first, of those predicted to keep the default's predicted SSIM."""
    scores = picture.score(pool.sets)
    breaks = scores.ssim < scores.ssim[0] - TOLERATED
    order = np.lexsort((scores.svg_bytes, breaks))
    return _best_so_far(pool.reductions[order[order > 0]])


def _best_so_far(saved: Sequence[float] | np.ndarray) -> np.ndarray:
    """Cut or carried on to ``LONGEST`` conversions."""
    padded = np.zeros(LONGEST)
    padded[: len(saved)] = saved[:LONGEST]
    best: np.ndarray = np.maximum.accumulate(padded)
    return best


def _random(saved: np.ndarray) -> np.ndarray:
    """The expected best of n sets drawn without replacement, exactly."""
    ordered, total = np.sort(saved), len(saved)
    return np.array(
        [
            sum(
                value * math.comb(i, n - 1) / math.comb(total, n)
                for i, value in enumerate(ordered.tolist())
                if i >= n - 1
            )
            for n in range(1, total + 1)
        ]
        + [ordered[-1]] * (N_SETS - total)
    )


def _mean(values: np.ndarray, place: int) -> float:
    return float(values[:, place].mean())


def _factor(saved: np.ndarray) -> float:
    """Geometric mean of the bytes kept over the default's."""
    return float(np.exp(np.log(1 - saved).mean()))


def _interval(values: np.ndarray, oracle: np.ndarray) -> tuple[float, float]:
    """Of the mean over the oracle's mean, logos drawn with replacement."""
    drawn = np.random.default_rng(0).integers(len(values), size=(N_DRAWS, len(values)))
    low, high = np.quantile(values[drawn].mean(1) / oracle[drawn].mean(1), (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    main()
