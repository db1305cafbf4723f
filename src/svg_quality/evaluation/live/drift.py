"""Whether served pictures are still like those a model was trained on.

Each watched number of the served pictures is held beside the training pictures' in two ways: the
two-sample Kolmogorov-Smirnov test says whether they differ beyond chance [1]_, and the population
stability index by how much. Dozens of numbers are asked at once, so the p-values are corrected by
Holm's procedure: of sound reports at most one in twenty names any number at all. A number drifted
only where both speak: with many pictures the test alone finds what does not matter, with few
the index alone is noise, for by chance it is about ``(bins - 1) (1 / n + 1 / m)`` [2]_.

Both sides must be counted alike: families of near-duplicates once each, or every picture of both.
One of each family beside all training pictures gave a false alarm in 28 to 72 of 100 reports.

References:
    .. [1] Hodges (1958), The significance probability of the Smirnov two-sample test,
       doi:10.1007/BF02589501
    .. [2] Yurdakul, Naranjo (2020), Statistical properties of the population stability index,
       doi:10.21314/JRMV.2020.227
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from svg_quality.errors import DatasetError
from svg_quality.evaluation.comparing.comparison import SIGNIFICANT, holm

MIN_PICTURES: Final = 30  # served; fewer make no verdict
N_BINS: Final = 10
SOME_PSI: Final = 0.1  # the customary grades of the index
MUCH_PSI: Final = 0.25
UNLIKE_EXPECTED: Final = 0.01  # share of new logos beyond the 99th percentile, by its definition
UNLIKE_LIMIT: Final = 0.05  # share that is too many
InputVerdict = Literal["drift", "no drift", "not enough"]


@dataclass(frozen=True, slots=True)
class NumberDrift:
    """One watched number of the served pictures beside the training pictures'."""

    name: str
    n_reference: int
    n_served: int
    reference_median: float
    served_median: float
    psi: float
    psi_by_chance: float  # expected where nothing drifted
    ks: float  # largest distance of the two distribution functions, in [0, 1]
    p: float
    p_holm: float  # after as many questions as were asked
    drifted: bool


@dataclass(frozen=True, slots=True)
class UnlikeDrift:
    """The share of served pictures that are farther from every training logo than those are."""

    n_served: int
    n_unlike: int
    share: float
    low: float  # of the exact 95% interval
    high: float
    p: float  # one-sided: of so many or more where 1% is expected
    p_holm: float
    drifted: bool


@dataclass(frozen=True, slots=True)
class InputDrift:
    """All watched numbers, those that drifted most first, and the share of unlike pictures."""

    verdict: InputVerdict
    reason: str
    numbers: tuple[NumberDrift, ...]
    unlike: UnlikeDrift | None  # None where no served picture was compared with this version

    @property
    def drifted(self) -> tuple[NumberDrift, ...]:
        """The numbers that drifted."""
        return tuple(line for line in self.numbers if line.drifted)


def input_drift(
    reference: Mapping[str, np.ndarray],
    served: Mapping[str, np.ndarray],
    unlike: np.ndarray,
) -> InputDrift:
    """Hold served pictures beside training pictures.

    Args:
        reference: name -> ``(n,)`` of the training pictures.
        served: the same names -> ``(m,)`` of the served ones, counted as the reference is.
        unlike: bool ``(k,)``, of the served pictures compared with this version's training logos.

    Raises:
        DatasetError: the names differ, or a number is not finite.
    """
    if set(reference) != set(served):
        raise DatasetError(
            "reference and served pictures must have the same numbers,"
            f" they differ in {sorted(set(reference) ^ set(served))[0]}"
        )
    names = [name for name in reference if len(reference[name]) and len(served[name])]
    distances = {name: ks_distance(reference[name], served[name]) for name in names}
    p_values = [ks_p_value(distances[name], len(reference[name]), len(served[name]))
                for name in names]  # fmt: skip
    p_unlike = _binomial_tail(int(unlike.sum()), len(unlike)) if len(unlike) else None
    corrected = holm([*p_values, *([] if p_unlike is None else [p_unlike])])
    numbers = [
        _number_drift(name, reference[name], served[name], distances[name], p, p_holm)
        for name, p, p_holm in zip(names, p_values, corrected, strict=False)
    ]
    numbers.sort(key=lambda line: (not line.drifted, -line.psi))
    beyond = None if p_unlike is None else _unlike_drift(unlike, p_unlike, corrected[-1])
    n_served = max((len(values) for values in served.values()), default=0)
    verdict, reason = _verdict(n_served, numbers, beyond)
    return InputDrift(verdict, reason, tuple(numbers), beyond)


def psi(reference: np.ndarray, served: np.ndarray, n_bins: int = N_BINS) -> float:
    """The population stability index: ``sum((q - p) ln(q / p))`` over bins.

    Bins end at quantiles of the reference; a value that holds a bin's worth of it alone, such as
    a share that is mostly 0, gets a bin of its own. Each count has 0.5 added, so that an empty
    bin does not make the index infinite.

    Args:
        reference, served: ``(n,)`` and ``(m,)``, finite, one or more.
        n_bins: of the reference.
    """
    cuts = _cuts(reference, n_bins)
    counts = [np.bincount(np.searchsorted(cuts, x), minlength=len(cuts) + 1)
              for x in (reference, served)]  # fmt: skip
    used = counts[0] + counts[1] > 0
    p, q = ((count[used] + 0.5) / (count.sum() + 0.5 * used.sum()) for count in counts)
    return float(np.sum((q - p) * np.log(q / p)))


def psi_by_chance(reference: np.ndarray, n_served: int, n_bins: int = N_BINS) -> float:
    """What the index is expected to be where both are drawn alike: a chi-square over counts."""
    n_used = len(np.unique(np.searchsorted(_cuts(reference, n_bins), reference)))
    return (n_used - 1) * (1 / len(reference) + 1 / n_served)


def ks_distance(reference: np.ndarray, served: np.ndarray) -> float:
    """The largest distance of the two empirical distribution functions.

    Raises:
        DatasetError: a number is not finite.
    """
    if not (np.isfinite(reference).all() and np.isfinite(served).all()):
        raise DatasetError("numbers to compare must be finite, and one is not")
    every = np.concatenate([reference, served])
    apart = (np.searchsorted(np.sort(reference), every, side="right") / len(reference)
             - np.searchsorted(np.sort(served), every, side="right") / len(served))  # fmt: skip
    return float(np.abs(apart).max())


def ks_p_value(distance: float, n: int, m: int) -> float:
    """The test's p-value by the one-sample distribution at ``n m / (n + m)``, as in SciPy.

    Ties make it too large.
    """
    from scipy import stats  # heavy

    return float(stats.kstwo.sf(distance, max(round(n * m / (n + m)), 1)))


def _number_drift(
    name: str,
    reference: np.ndarray,
    served: np.ndarray,
    distance: float,
    p: float,
    p_holm: float,
) -> NumberDrift:
    index = psi(reference, served)
    return NumberDrift(
        name=name,
        n_reference=len(reference),
        n_served=len(served),
        reference_median=float(np.median(reference)),
        served_median=float(np.median(served)),
        psi=index,
        psi_by_chance=psi_by_chance(reference, len(served)),
        ks=distance,
        p=p,
        p_holm=p_holm,
        drifted=len(served) >= MIN_PICTURES and p_holm < SIGNIFICANT and index >= MUCH_PSI,
    )


def _unlike_drift(unlike: np.ndarray, p: float, p_holm: float) -> UnlikeDrift:
    from scipy import stats  # heavy

    n, k = len(unlike), int(unlike.sum())
    low, high = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    enough = n >= MIN_PICTURES
    return UnlikeDrift(
        n_served=n,
        n_unlike=k,
        share=k / n,
        low=float(low),
        high=float(high),
        p=p,
        p_holm=p_holm,
        drifted=enough and p_holm < SIGNIFICANT and k / n >= UNLIKE_LIMIT,
    )


def _binomial_tail(k: int, n: int) -> float:
    from scipy import stats  # heavy

    return float(stats.binom.sf(k - 1, n, UNLIKE_EXPECTED))


def _cuts(reference: np.ndarray, n_bins: int) -> np.ndarray:
    """Inner ends of bins, ascending; a bin holds what lies above one and up to the next."""
    quantiles = np.quantile(reference, np.arange(1, n_bins) / n_bins, method="inverted_cdf")
    values, counts = np.unique(quantiles, return_counts=True)
    below = np.nextafter(values[counts > 1], -np.inf)  # parts a value that fills bins from less
    cuts: np.ndarray = np.unique(np.concatenate([values, below]))
    return cuts


def _verdict(
    n_served: int, numbers: list[NumberDrift], unlike: UnlikeDrift | None
) -> tuple[InputVerdict, str]:
    if n_served < MIN_PICTURES:
        return "not enough", f"{n_served} pictures were served, a verdict takes {MIN_PICTURES}"
    found = [line for line in numbers if line.drifted]
    told = [f"{line.name} (PSI {line.psi:.2f})" for line in found[:3]]
    said = []
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        said.append(f"{len(found)} of {len(numbers)} numbers drifted: {', '.join(told)}{more}")
    if unlike is not None and unlike.drifted:
        said.append(f"{unlike.share:.0%} of the pictures are unlike the training logos")
    if said:
        return "drift", "; ".join(said)
    also = " and the share of unlike ones" if unlike else ""
    return "no drift", f"{n_served} pictures: {len(numbers)} numbers{also} are as in training"
