"""VTracer's regions: counts made by hand, laws, and VTracer itself as the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.tracing import count_paths, trace
from svg_quality.errors import ImageError
from svg_quality.features.regions import MOST_PIXELS, find_regions

seeds = st.integers(0, 2**32 - 1)


def flag() -> np.ndarray:
    """White, with a red 6 x 6 square, a red 2 x 1 dash and a black line 1 px wide."""
    picture = np.full((16, 20, 3), 255, np.uint8)
    picture[2:8, 2:8] = (200, 0, 0)
    picture[12, 2:4] = (200, 0, 0)
    picture[:, 14] = 0
    return picture


def noise(seed: int, levels: int = 256) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(0, levels, (12, 15, 3)) * (255 // (levels - 1))).astype(np.uint8)


def test_a_picture_taken_apart_by_hand() -> None:
    found = find_regions(flag(), 8)
    # by hand: white left of the line, the square, the line, white right of it, the dash
    assert sorted(found.areas) == [2, 16, 36, 80, 186]
    square = int(np.flatnonzero(found.areas == 36)[0])
    line = int(np.flatnonzero(found.areas == 16)[0])
    assert found.perimeters[square] == 24
    assert found.contrast[square] == 55 + 255 + 255
    assert found.thick[square]
    assert not found.thick[line]
    assert found.colors[line].tolist() == [0, 0, 0]


def test_what_is_kept_follows_area_thickness_and_contrast() -> None:
    found = find_regions(flag(), 8)
    assert found.kept(0, -1).sum() == 5
    assert sorted(found.areas[found.kept(4, -1)]) == [36, 80, 186]  # the line is a thread
    assert not found.kept(0, 565)[found.areas == 36].any()  # its contrast is not above 565
    assert found.kept(0, 564)[found.areas == 36].all()


def test_dropped_regions_take_the_most_similar_larger_neighbour() -> None:
    found = find_regions(flag(), 8)
    into = found.merged(found.kept(4, -1))
    line, left = (int(np.flatnonzero(found.areas == area)[0]) for area in (16, 186))
    right = int(np.flatnonzero(found.areas == 80)[0])
    assert into[line] in (left, right)
    assert into[np.flatnonzero(found.areas == 2)[0]] == left


def test_gradients_are_one_region_and_one_bit_joins_all() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 4, 0).repeat(3, 2)
    assert find_regions(ramp, 8).n == 1
    assert find_regions(flag(), 1).n == 1


@given(seeds, st.integers(1, 8))
def test_regions_fill_the_picture(seed: int, bits: int) -> None:
    found = find_regions(noise(seed), bits)
    assert found.areas.sum() == found.labels.size
    assert (np.bincount(found.labels.ravel()) == found.areas).all()
    assert found.perimeters.sum() == 2 * len(found.first)


@given(seeds)
def test_fewer_bits_never_make_more_regions(seed: int) -> None:
    counts = [find_regions(noise(seed), bits).n for bits in range(1, 9)]
    assert counts == sorted(counts)


@given(seeds, st.integers(0, 9), st.integers(-1, 255))
def test_merging_ends_in_kept_regions_or_where_nothing_larger_is_near(
    seed: int, area: int, layer: int
) -> None:
    found = find_regions(noise(seed), 6)
    kept = found.kept(area, layer)
    ends = found.merged(kept)
    assert np.array_equal(ends[ends], ends)
    assert (kept[ends] | (found.heir[ends] == ends)).all()


def test_flat_blocks_are_counted_as_vtracer_does() -> None:
    """Blocks of 8 px in three far-apart greys: VTracer's paths are the regions.

    In two of 300 such pictures VTracer draws one fewer: it mixes colours as it merges.
    """
    more = []
    for seed in range(60):
        tones = np.random.default_rng(seed).choice(np.array([0, 128, 255], np.uint8), (4, 4))
        picture = np.kron(tones, np.ones((8, 8), np.uint8))[..., None].repeat(3, 2)
        drawn = trace(picture, Parameters(layer_difference=1, filter_speckle=2))
        more.append(find_regions(picture, 6).n - count_paths(drawn))
    assert np.bincount(more).tolist() == [59, 1]


def test_the_largest_white_picture_has_its_sums_whole_and_a_larger_one_is_refused() -> None:
    side = int(MOST_PIXELS**0.5)
    white = np.full((side, side, 3), 255, np.uint8)
    found = find_regions(white, 8)
    assert found.areas.tolist() == [MOST_PIXELS]
    assert found.colors.tolist() == [[255, 255, 255]]
    with pytest.raises(ImageError, match="262144 pixels at most, got 512 x 513"):
        find_regions(np.full((side + 1, side, 3), 255, np.uint8), 8)


@given(seed=seeds, bits=st.integers(1, 8))
def test_areas_colours_and_differences_are_those_of_a_loop(seed: int, bits: int) -> None:
    picture = noise(seed, 4)
    found = find_regions(picture, bits)
    for region in range(found.n):
        pixels = picture[found.labels == region].astype(int)
        assert found.areas[region] == len(pixels)
        assert found.colors[region].tolist() == (pixels.sum(0) // len(pixels)).tolist()
    contacts = zip(found.first, found.second, found.differences, strict=True)
    for one, other, difference in contacts:
        assert difference == sum(
            abs(int(a) - int(b))
            for a, b in zip(found.colors[one], found.colors[other], strict=True)
        )
