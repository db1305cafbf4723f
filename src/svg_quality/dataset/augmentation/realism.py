"""Whether synthetic logos can be told from real ones: a two-sample classifier.

A classifier is trained to tell the two apart and scored on logos it has not seen (Lopez-Paz and
Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017). An AUC of 0.5 says that they cannot be
told apart by what it is shown, 1.0 that every one can. Drawings by a program are expected near 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np

from svg_quality.dataset.targets import TYPE_SHARES
from svg_quality.errors import DatasetError

N_FOLDS: Final = 5
_LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Realism:
    """How well a classifier tells synthetic logos from real ones."""

    auc: float  # 0.5: not at all, 1.0: always
    low: float  # 95% interval by DeLong, over logos
    high: float
    n_real: int
    n_synthetic: int


def measure_realism(
    real: np.ndarray, synthetic: np.ndarray, seed: int, groups: np.ndarray | None = None
) -> Realism:
    """Cross-validated AUC of randomised trees, synthetic against real.

    Args:
        real: float ``(n, d)``, a row for each real logo (no copies): descriptors, or features.
        synthetic: float ``(m, d)``.
        seed: of the folds and the classifier.
        groups: int ``(n,)``, near-duplicates among the real logos, which stay in one fold; each
            is its own when None.

    Raises:
        DatasetError: there are fewer than 10 of either, or the widths differ.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    n, m = len(real), len(synthetic)
    if min(n, m) < 2 * N_FOLDS:
        raise DatasetError(
            f"realism needs {2 * N_FOLDS} logos of each side, got {n} real and {m} synthetic"
        )
    if real.shape[1] != synthetic.shape[1]:
        widths = f"{real.shape[1]} and {synthetic.shape[1]}"
        raise DatasetError(f"real and synthetic logos must be described alike, widths are {widths}")
    known = np.arange(n) if groups is None else np.asarray(groups)
    together = np.concatenate([known, known.max() + 1 + np.arange(m)])
    labels = np.concatenate([np.zeros(n, dtype=int), np.ones(m, dtype=int)])
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    classifier = ExtraTreesClassifier(n_estimators=200, min_samples_leaf=2, random_state=seed)
    values = np.concatenate([real, synthetic])
    scores = cross_val_predict(
        classifier, values, labels, groups=together, cv=folds, method="predict_proba"
    )[:, 1]
    auc, low, high = auc_interval(scores[:n], scores[n:])
    return Realism(auc, low, high, n, m)


def auc_interval(negative: np.ndarray, positive: np.ndarray) -> tuple[float, float, float]:
    """AUC with its 95% interval by DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), 837.

    On the logit scale, so that it stays in [0, 1]. Where the two do not overlap at all the
    variance is 0 and the interval a point: few logos then look surer than they are.

    Args:
        negative: scores ``(n,)`` of the one class, n at least 2.
        positive: scores ``(m,)`` of the other, which should be higher; m at least 2.

    Returns:
        AUC, lower and upper end.
    """
    ordered, high_side = np.sort(negative), np.sort(positive)
    above = (_below(ordered, positive)) / len(negative)  # of each positive: share it beats
    under = 1 - (_below(high_side, negative)) / len(positive)  # of each negative: share above it
    auc = float(above.mean())
    variance = above.var(ddof=1) / len(positive) + under.var(ddof=1) / len(negative)
    if not 0 < auc < 1:
        return auc, auc, auc
    z = NormalDist().inv_cdf((1 + _LEVEL) / 2)
    half = z * math.sqrt(variance) / (auc * (1 - auc))
    middle = math.log(auc / (1 - auc))
    return auc, 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle))


def realism_by_kind(
    real: np.ndarray,
    real_types: np.ndarray,
    synthetic: np.ndarray,
    kinds: np.ndarray,
    seed: int,
    groups: np.ndarray | None = None,
) -> dict[str, dict[str, Any]]:
    """`measure_realism` of all logos, and of each kind against the real logos of that type.

    Of all logos the classifier also sees which types were drawn: the kinds' own figures say more
    of the drawings.

    Args:
        real: float ``(n, d)``.
        real_types: text ``(n,)``.
        synthetic: float ``(m, d)``.
        kinds: text ``(m,)``.
        seed, groups: as of `measure_realism`.

    Returns:
        JSON-able, by ``all`` and by kind: the fields of `Realism`, or where there are too few
        logos ``{"error": reason}``. A kind that was not drawn is left out.
    """
    parts = {"all": (np.ones(len(real), bool), np.ones(len(synthetic), bool))}
    parts |= {k: (real_types == k, kinds == k) for k in TYPE_SHARES if (kinds == k).any()}
    found: dict[str, dict[str, Any]] = {}
    for name, (ours, theirs) in parts.items():
        its_groups = None if groups is None else groups[ours]
        try:
            measured = measure_realism(real[ours], synthetic[theirs], seed, its_groups)
        except DatasetError as error:
            found[name] = {"error": str(error)}
        else:
            found[name] = asdict(measured)
    return found


def realism_line(realism: Mapping[str, Mapping[str, Any]]) -> str:
    """The finding in one sentence."""
    overall = realism["all"]
    if "error" in overall:
        return f"realism was not measured: {overall['error']}"
    told = ", ".join(
        f"{name} {found['auc']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
        for name, found in realism.items()
        if "error" not in found
    )
    return (
        f"a classifier tells synthetic from real logos with AUC {told};"
        " 0.5 would be indistinguishable, 1.0 is trivially told apart"
    )


def _below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many of the ordered are below each value; ties count half."""
    left, right = (np.searchsorted(ordered, values, side=s) for s in ("left", "right"))
    below: np.ndarray = (left + right) / 2
    return below
