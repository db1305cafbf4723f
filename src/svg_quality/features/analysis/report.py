"""The analysis of a release's features, put together as plain values for JSON and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from svg_quality.features.analysis.clusters import cluster
from svg_quality.features.analysis.components import Components, principal_components
from svg_quality.features.analysis.correlation import correlations
from svg_quality.features.analysis.importance import permutation_importance
from svg_quality.features.boosting import boosted_trees

_SHARES: Final = (0.5, 0.9, 0.99)  # of the variance
_N_ROUNDS: Final = 100  # fewer than the baseline's: each input is asked again and again
_LEARNING_RATE: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures that are unlike each other, one row each."""

    features: np.ndarray  # (n, 2048)
    descriptors: np.ndarray  # (n, p)
    descriptor_names: tuple[str, ...]
    types: tuple[str, ...]  # of the n pictures
    targets: Mapping[str, np.ndarray]  # name -> (n,), means over a picture's conversions


@dataclass(frozen=True, slots=True, eq=False)
class Conversions:
    """Rows of conversions, to fit trees on or to measure them on."""

    tabular: np.ndarray  # (n, d)
    features: np.ndarray  # (n_images, 2048)
    image_index: np.ndarray  # int (n,), into features
    targets: Mapping[str, np.ndarray]  # name -> (n,); NaN where a row does not count

    def inputs(self, components: Components) -> np.ndarray:
        """Tabular inputs, then the scores of the features, float64 ``(n, d + k)``."""
        scores = components.project(self.features)[self.image_index]
        return np.concatenate([self.tabular, scores], axis=1)


def component_names(k: int) -> tuple[str, ...]:
    """What the ``k`` main components are called."""
    return tuple(f"component_{number}" for number in range(1, k + 1))


def analyse_pictures(pictures: Pictures, n_components: int, seed: int) -> dict[str, Any]:
    """Components, correlations and clusters.

    Raises:
        FeatureError: there are too few pictures, or they are all alike.
    """
    components = principal_components(pictures.features, n_components)
    scores = components.project(pictures.features)
    k = len(components.axes)
    columns = np.concatenate([pictures.descriptors, scores], axis=1)
    names = (*pictures.descriptor_names, *component_names(k))
    clusters = cluster(scores, pictures.types, seed)
    return {
        "pictures": {"n": len(scores), "by_type": dict(Counter(pictures.types).most_common())},
        "components": {
            "n_kept": k,
            "n_features": pictures.features.shape[1],
            "share": components.share.tolist(),
            "n_for_share": {str(share): components.n_for(share) for share in _SHARES},
            "scores": scores[:, :2].round(3).tolist(),
            "types": list(pictures.types),
        },
        "correlations": {
            name: asdict(correlations(columns, names, target))
            for name, target in pictures.targets.items()
        },
        "clusters": {
            "n_clusters": clusters.n_clusters,
            "silhouettes": clusters.silhouettes,
            "adjusted_rand": clusters.rand,
            "types": list(clusters.types),
            "table": clusters.table.tolist(),
        },
    }


def analyse_inputs(
    train: Conversions,
    held_out: Conversions,
    names: Sequence[str],
    blocks: Mapping[str, slice],
    n_components: int,
    n_repeats: int,
    seed: int,
    on_target: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Permutation importance of each input and each block, for each target.

    Args:
        train: rows that the trees and the components are fitted on.
        held_out: rows of other pictures, which the trees are measured on.
        names: of the tabular inputs.
        blocks: of the tabular inputs, by name; the components of the features are one more.
        n_components: of the features, at most.
        n_repeats: shufflings of each.
        seed: of the shufflings.
        on_target: called after each target.

    Raises:
        FeatureError: a target has too few rows.
    """
    components = principal_components(train.features, n_components)
    d, k = len(names), len(components.axes)
    inputs, unseen = train.inputs(components), held_out.inputs(components)
    single = {name: [place] for place, name in enumerate([*names, *component_names(k)])}
    together = {name: range(d)[block] for name, block in blocks.items()}
    together["features"] = range(d, d + k)
    report: dict[str, Any] = {}
    for target, values in train.targets.items():
        known, measured = np.isfinite(values), held_out.targets[target]
        counted = np.isfinite(measured)
        predict = boosted_trees(
            inputs[known], values[known], seed, n_rounds=_N_ROUNDS, learning_rate=_LEARNING_RATE
        )
        rows = unseen[counted], measured[counted]
        by_input = permutation_importance(predict, *rows, single, n_repeats, seed)
        by_block = permutation_importance(predict, *rows, together, n_repeats, seed)
        report[target] = {
            "n_rows": int(counted.sum()),
            "n_images": len(np.unique(held_out.image_index[counted])),
            "n_repeats": n_repeats,
            "mae": by_input.mae,
            "r2": by_input.r2,
            "inputs": [asdict(each) for each in by_input.found],
            "blocks": [
                asdict(each) | {"n_inputs": len(together[each.name])} for each in by_block.found
            ],
        }
        on_target()
    return report
