"""The training logos: likeness against a loop, and conversions that come back as measured."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.conversion.sampling import sobol_sets
from svg_quality.errors import ModelError
from svg_quality.features.descriptors import DESCRIPTOR_NAMES, SIMPLE_NAMES, describe
from svg_quality.features.probes import PROBE_NAMES
from svg_quality.prediction import reference as module
from svg_quality.prediction.reference import N_NEAREST, Reference, reference_of

COMPARED = [DESCRIPTOR_NAMES.index(name) for name in (*SIMPLE_NAMES, *PROBE_NAMES)]


def built(descriptors: np.ndarray, groups: list[int]) -> Reference:
    """Of images with one conversion each, which states the image's number as its bytes."""
    n = len(descriptors)
    return reference_of(
        [f"{i:064x}" for i in range(n)], np.array(groups), descriptors, np.arange(n),
        sobol_sets(n, "full", 0), np.linspace(0, 1, n), np.arange(n),
    )  # fmt: skip


def drawn(n: int, seed: int = 0) -> np.ndarray:
    shape = n, len(DESCRIPTOR_NAMES)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def distance_by_hand(training: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    total = 0.0
    for column in COMPARED:
        values = [float(value) for value in training[:, column]]
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        total += ((float(one[column]) - float(other[column])) / deviation) ** 2
    return math.sqrt(total)


def test_neighbours_are_those_a_loop_finds() -> None:
    training, asked = drawn(30), drawn(1, 1)[0]
    found = built(training, list(range(30))).similarity(asked)
    by_hand = sorted((distance_by_hand(training, asked, row), i) for i, row in enumerate(training))
    assert [one.image_id for one in found.nearest] == [f"{i:064x}" for _, i in by_hand[:N_NEAREST]]
    distances = [one.distance for one in found.nearest]
    assert distances == pytest.approx([distance for distance, _ in by_hand[:N_NEAREST]], rel=1e-5)
    assert found.distance == distances[0]


def test_the_percentile_counts_logos_that_lie_closer_to_another_group() -> None:
    training, asked = drawn(20), drawn(1, 2)[0]
    groups = [i // 2 for i in range(20)]  # pairs of near-duplicates
    training[1::2] = training[::2] + 1e-3
    found = built(training, groups).similarity(asked)
    own = [
        min(distance_by_hand(training, one, other)
            for j, other in enumerate(training) if groups[j] != groups[i])
        for i, one in enumerate(training)
    ]  # fmt: skip
    assert found.percentile == sum(distance < found.distance for distance in own) / 20
    assert min(own) > 1  # the duplicates themselves would be at 0.01


def test_a_training_logo_is_its_own_neighbour(
    reference: Reference, training_logos: SimpleNamespace
) -> None:
    for i in (0, 11, 23):
        found = reference.similarity(training_logos.descriptors[i])
        assert (found.distance, found.percentile, found.unlike) == (0, 0, False)
        rows = training_logos.image_index == i
        first = found.nearest[0]
        assert first.image_id == training_logos.ids[i]
        assert list(first.parameters) == training_logos.parameters[:4]
        assert np.array_equal(first.ssim, training_logos.ssim[rows])
        assert np.array_equal(first.svg_bytes, training_logos.svg_bytes[rows])


def test_a_training_logo_with_a_twin_in_another_group_is_at_percentile_0() -> None:
    training = drawn(10)
    training[1] = training[0]
    assert built(training, list(range(10))).similarity(training[0]).percentile == 0


def test_noise_is_unlike_logos_and_another_logo_is_not(reference: Reference) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 72, 3), dtype=np.uint8)
    found = reference.similarity(describe(noise, 0.0))
    assert found.unlike
    assert found.percentile == 1
    flag = np.full((64, 72, 3), 255, np.uint8)
    flag[20:40, 10:50] = (200, 30, 30)
    assert not reference.similarity(describe(flag, 0.0)).unlike


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12))
def test_what_is_kept_comes_back_as_it_was(
    seed: int, n: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    index, sets = rng.integers(0, n, 20), sobol_sets(20, "full", seed)
    kept = reference_of(
        [f"{i:064x}" for i in range(n)], np.arange(n), drawn(n, seed), index, sets,
        rng.random(20), rng.integers(100, 10_000, 20),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("kept") / "reference.npz"
    kept.save(path)
    found = Reference.load(path).similarity(drawn(n, seed)[0])
    before = kept.similarity(drawn(n, seed)[0])
    assert len(found.nearest) == min(n, N_NEAREST)
    for one, other in zip(found.nearest, before.nearest, strict=True):
        i = int(one.image_id, 16)
        assert list(one.parameters) == [sets[j] for j in range(20) if index[j] == i]
        assert one.distance == other.distance
        assert np.array_equal(one.ssim, other.ssim)
        assert np.array_equal(one.svg_bytes, other.svg_bytes)


def test_of_a_large_split_some_images_are_kept_with_their_own_conversions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_IMAGES", 7)
    training = drawn(40)
    kept = built(training, list(range(40)))
    assert len(set(kept.image_ids)) == 7
    sets = sobol_sets(40, "full", 0)
    for one in kept.similarity(training[0]).nearest:
        i = int(one.image_id, 16)
        assert one.svg_bytes.tolist() == [i]
        assert one.parameters == (sets[i],)


def test_refuses_a_file_that_is_no_reference(tmp_path: Path, reference: Reference) -> None:
    path = tmp_path / "reference.npz"
    with pytest.raises(ModelError, match=r"reference must load, .*reference\.npz does not"):
        Reference.load(path)
    reference.save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ModelError, match="must load"):
        Reference.load(path)
    np.savez(path, points=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError, match="must load"):
        Reference.load(path)
