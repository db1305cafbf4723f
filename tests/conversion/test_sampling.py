"""Sampling: presets always, the shares that were asked for, the same for the same picture."""

import hashlib
from collections import Counter

import pytest

from svg_quality.conversion.parameters import PRESETS, RANGES
from svg_quality.conversion.sampling import sample_parameters, sobol_sets

IMAGE = hashlib.sha256(b"a logo").hexdigest()


def test_presets_come_first_and_the_budget_is_met() -> None:
    sets = sample_parameters(16, 0.75, seed=1, image_id=IMAGE)
    assert sets[: len(PRESETS)] == list(PRESETS.values())
    assert len(sets) == 16


@pytest.mark.parametrize("n_sets", [16, 40, 400])
def test_three_quarters_are_everyday_by_design(n_sets: int) -> None:
    """The other quarter is drawn over the full ranges, where half (2/3 x 3/4) is everyday too."""
    sets = sample_parameters(n_sets, 0.75, seed=1, image_id=IMAGE)
    by_design = round(0.75 * n_sets)
    assert all(p.is_everyday for p in sets[:by_design])
    beyond = sum(not p.is_everyday for p in sets[by_design:])
    assert 0 < beyond < n_sets - by_design


def test_same_picture_same_sets_other_picture_others() -> None:
    first = sample_parameters(12, 0.75, 1, IMAGE)
    assert first == sample_parameters(12, 0.75, 1, IMAGE)
    assert first != sample_parameters(12, 0.75, 2, IMAGE)
    assert first != sample_parameters(12, 0.75, 1, IMAGE[::-1])


def test_full_region_reaches_both_ends_of_every_range() -> None:
    sets = sobol_sets(4096, "full", seed=3)
    for name, (low, high) in RANGES.items():
        values = [getattr(p, name) for p in sets]
        reach = 0.02 * (high - low)
        assert min(values) <= low + reach, name
        assert max(values) >= high - reach, name


def test_speckle_is_log_like_and_path_precision_varies_in_a_tenth() -> None:
    sets = sobol_sets(4096, "everyday", seed=3)
    speckle = Counter(p.filter_speckle for p in sets)
    assert speckle[0] > speckle[4] > speckle[16] > 0
    varied = sum(p.path_precision != 2 for p in sets) / len(sets)
    assert varied == pytest.approx(0.1 * 16 / 17, abs=0.01)  # one value in 17 is the default
    assert {p.max_iterations for p in sets} == {10}
    assert {p.color_precision for p in sets} == set(range(3, 9))
