"""Gradient boosting on tabular rows: the model's rival, and the eyes of the permutation test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]  # rows (m, d) to (m,)


def boosted_trees(
    inputs: np.ndarray, target: np.ndarray, seed: int, *, n_rounds: int, learning_rate: float
) -> Predict:
    """Gradient boosting fitted on rows ``(n, d)`` and their target ``(n,)``, on one thread.

    Its parallel sections last microseconds: where other work holds a core, two threads wait for
    each other most of the time, and the fit takes many times as long as with one.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # heavy
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingRegressor(
        max_iter=n_rounds,
        learning_rate=learning_rate,
        max_leaf_nodes=31,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1, user_api="openmp"):
        model.fit(inputs, target)

    def predict(rows: np.ndarray) -> np.ndarray:
        with threadpool_limits(1, user_api="openmp"):
            said: np.ndarray = model.predict(rows)
        return said

    return predict
