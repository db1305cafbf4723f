"""The front against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from svg_quality.optimization.front import front_layers, pareto_front

few_values = arrays(float, st.integers(0, 30), elements=st.integers(0, 6).map(float))


def brute_force(ssim: np.ndarray, size: np.ndarray) -> list[int]:
    """Every set that no other beats, the first of equals; smallest first."""
    on_it = []
    for i in range(len(ssim)):
        beaten = False
        for j in range(len(ssim)):
            as_good = ssim[j] >= ssim[i] and size[j] <= size[i]
            better = ssim[j] > ssim[i] or size[j] < size[i]
            beaten |= as_good and (better or j < i)
        if not beaten:
            on_it.append(i)
    return sorted(on_it, key=lambda i: size[i])


@given(st.data())
def test_is_what_brute_force_finds(data: st.DataObject) -> None:
    ssim = data.draw(few_values)
    size = data.draw(arrays(float, len(ssim), elements=st.integers(0, 6).map(float)))
    assert pareto_front(ssim, size).tolist() == brute_force(ssim, size)


@given(st.data(), st.integers(1, 35))
def test_layers_peel_front_after_front(data: st.DataObject, n_least: int) -> None:
    ssim = data.draw(few_values)
    size = data.draw(arrays(float, len(ssim), elements=st.integers(0, 6).map(float)))
    kept = front_layers(ssim, size, n_least).tolist()
    assert len(kept) >= min(n_least, len(ssim))
    wanted, left = set[int](), list(range(len(ssim)))
    while len(wanted) < min(n_least, len(ssim)):
        layer = [left[i] for i in brute_force(ssim[left], size[left])]
        wanted |= set(layer)
        left = [i for i in left if i not in layer]
    if len(ssim) > n_least:
        assert kept == sorted(wanted)
    else:
        assert kept == list(range(len(ssim)))


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_leaves_out_what_is_no_number(hole: float) -> None:
    ssim, size = np.array([0.9, hole, 0.5]), np.array([100.0, 1.0, np.nan])
    assert pareto_front(ssim, size).tolist() == [0]
    assert front_layers(ssim, size, 3).tolist() == [0]


def test_of_nothing_is_nothing() -> None:
    assert pareto_front(np.empty(0), np.empty(0)).tolist() == []
    assert front_layers(np.empty(0), np.empty(0), 4).tolist() == []
