"""How near two sets of features are, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from svg_quality.features.quantization import cosines


def test_cosines_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 9, 30)).astype(np.float32)
    assert cosines(a, b) == pytest.approx(np.diag(cosine_similarity(a, b)), abs=1e-6)
    assert cosines(a, 3 * a) == pytest.approx(np.ones(9))
    assert cosines(a, np.zeros_like(a)) == pytest.approx(np.zeros(9))
