"""TPE at its best on a pool: the two densities of Optuna's sampler, asked of every set left.

The shipped search proposes sets that the pool does not hold, and is told what a near one came to.
Here nothing is rounded: of the sets left the one with the largest ratio of densities is taken.
Four sets are drawn first and the best quarter is the good one, both chosen on validation logos.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from oracle_pool import LogoPool

from svg_quality.optimization.objective import Objective

_N_RANDOM: Final = 4
_GOOD: Final = 0.25


def restricted_tpe(pool: LogoPool, n: int, seed: int) -> np.ndarray:
    """The share of the default's bytes saved after each of ``n`` conversions."""
    rng = np.random.default_rng([seed, *pool.name.encode()])
    columns, space = _space(pool)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
    ssim = [one["ssim"] for one in pool.measured]
    objective = Objective.smallest().resolved(ssim[0])
    saved, best = pool.reductions, 0.0
    free, seen, curve = np.arange(1, len(pool.sets)), list[int](), list[float]()
    while len(curve) < n:
        if len(curve) < _N_RANDOM:
            place = int(rng.integers(len(free)))
        else:
            seen.sort(key=lambda i: objective.key(ssim[i], pool.measured[i]["svg_bytes"]))
            n_good = math.ceil(_GOOD * len(seen))
            asked = {name: values[free] for name, values in columns.items()}
            good, rest = (
                _ParzenEstimator(
                    {name: values[some] for name, values in columns.items()},
                    space,
                    sampler._parzen_estimator_parameters,
                ).log_pdf(asked)
                for some in (seen[:n_good], seen[n_good:])
            )
            place = int(np.argmax(good - rest))
        i = int(free[place])
        free = np.delete(free, place)
        seen.append(i)
        best = max(best, float(saved[i]))
        curve.append(best)
    return np.array(curve)


def _space(pool: LogoPool) -> tuple[dict[str, np.ndarray], dict[str, BaseDistribution]]:
    columns, space = dict[str, np.ndarray](), dict[str, BaseDistribution]()
    for i, values in enumerate(pool.places.T):
        if np.ptp(values) == 0:
            continue
        columns[str(i)] = values
        space[str(i)] = CategoricalDistribution([0, 1]) if i < 3 else FloatDistribution(0, 1)
    return columns, space
