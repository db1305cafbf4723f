"""A recommendation fills what is empty first, spreads over pictures, and is the same every time."""

from collections import Counter

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.conversion.parameters import PRESETS, Parameters
from svg_quality.conversion.sampling import sample_parameters, sobol_sets
from svg_quality.dataset.inventory.coverage import (
    LOGO_TYPE,
    WANTED,
    Coverage,
    cells,
    count_coverage,
    wanted,
)
from svg_quality.dataset.inventory.recommendation import (
    Recommendation,
    Recommended,
    recommend,
    summary,
)
from svg_quality.dataset.targets import TYPE_SHARES

NOTHING = count_coverage(np.empty((0, 12), np.int8))


def images(n: int, types: tuple[str, ...] = tuple(TYPE_SHARES), rows: int = 4) -> pd.DataFrame:
    ids = [f"{number:064x}" for number in range(n)]
    return pd.DataFrame(
        {
            "logo_type": [types[number % len(types)] for number in range(n)],
            "source": [f"test/{number}.png" for number in range(n)],
            "n": rows,
        },
        index=pd.Index(ids, name="image_id"),
    )


def coverage_of(sets: list[Parameters], types: list[str]) -> Coverage:
    rows = [{LOGO_TYPE: name, **each.as_dict()} for each, name in zip(sets, types, strict=True)]
    return count_coverage(cells(pd.DataFrame(rows)))


def of_presets(pictures: pd.DataFrame) -> Coverage:
    """Every picture with VTracer's four presets."""
    types = [name for name in pictures["logo_type"] for _ in PRESETS]
    return coverage_of([*PRESETS.values()] * len(pictures), types)


def together(*parts: Coverage) -> dict[tuple[str, str], np.ndarray]:
    return {pair: sum(part.pairs[pair] for part in parts) for pair in parts[0].pairs}  # type: ignore[misc]


def coverage_after(recommended: list[Recommended]) -> Coverage:
    return coverage_of([x.parameters for x in recommended], [x.logo_type for x in recommended])


def picks(
    pictures: pd.DataFrame, measured: Coverage, failed: Coverage, n: int, seed: int
) -> list[Recommended]:
    return recommend(pictures, measured, failed, n, seed).conversions


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31))
def test_what_it_says_it_fills_is_what_converting_fills(seed: int) -> None:
    pictures = images(12, rows=5)
    before = of_presets(pictures)
    recommendation = recommend(pictures, before, NOTHING, 60, seed)
    found = recommendation.conversions
    after = together(before, coverage_after(found))
    n_empty = sum(int(((before.pairs[p] == 0) & (after[p] > 0)).sum()) for p in after)
    assert summary(recommendation)["empty_cells_filled"] == n_empty
    assert summary(recommendation)["conversions"] == len(found) == 60
    assert {x.image_id for x in found} <= set(pictures.index)
    assert all(pictures.loc[x.image_id, "logo_type"] == x.logo_type for x in found)


def test_it_fills_every_cell_and_fewer_rows_than_random_sets_would_need() -> None:
    pictures = images(12, rows=200)
    before = of_presets(pictures)
    recommendation = recommend(pictures, before, NOTHING, 2000, seed=0)
    found = recommendation.conversions
    after = together(before, coverage_after(found))
    assert all((counts >= wanted(pair)).all() for pair, counts in after.items())
    # The largest block is 8 x 5 cells of 10 rows: 400 is the least possible but for the presets'.
    n_for_pairs = summary(recommendation)["for_pairs"]
    assert recommendation.n_left_open == 0
    assert 8 * 5 * WANTED - len(pictures) * 4 <= n_for_pairs < 600
    drawn = sobol_sets(n_for_pairs, "full", seed=0)
    usual = together(before, coverage_of(drawn, [x.logo_type for x in found[:n_for_pairs]]))
    assert any((counts < wanted(pair)).any() for pair, counts in usual.items())


def test_empty_cells_come_before_thin_ones() -> None:
    pictures = images(12, rows=200)
    found = picks(pictures, of_presets(pictures), NOTHING, 400, seed=0)
    found = [x for x in found if x.n_empty or x.n_thin]
    fills = [x.n_empty > 0 for x in found]
    n_filling = sum(fills)
    assert fills == [True] * n_filling + [False] * (len(found) - n_filling)
    assert "empty" in found[0].why
    assert "thin" in found[-1].why


def test_the_same_inputs_and_seed_give_the_same_and_another_seed_does_not() -> None:
    pictures = images(12)
    before = of_presets(pictures)
    first = picks(pictures, before, NOTHING, 40, seed=1)
    shuffled = pictures.sample(frac=1, random_state=0)
    assert first == picks(shuffled, before, NOTHING, 40, seed=1)
    assert first != picks(pictures, before, NOTHING, 40, seed=2)


def test_it_spreads_over_pictures_and_begins_with_those_that_have_few_rows() -> None:
    pictures = images(40, types=("simple",))
    pictures.loc[pictures.index[:20], "n"] = 0
    found = picks(pictures, NOTHING, NOTHING, 60, seed=0)
    counts = Counter(x.image_id for x in found)
    few = [counts[image_id] for image_id in pictures.index[:20]]
    assert set(few) == {3}
    assert set(counts) == set(pictures.index[:20])


def test_types_without_a_picture_are_never_recommended() -> None:
    pictures = images(6, types=("text", "complex"), rows=200)
    found = picks(pictures, NOTHING, NOTHING, 700, seed=0)
    assert {x.logo_type for x in found} == {"text", "complex"}
    after = together(coverage_after(found))
    assert all((n >= wanted(p)).all() for p, n in after.items() if LOGO_TYPE not in p)


def test_without_pictures_nothing_is_recommended() -> None:
    n_cells = sum(counts.size for counts in NOTHING.pairs.values())
    assert recommend(images(0), NOTHING, NOTHING, 10, seed=0) == Recommendation([], n_cells)


def test_no_picture_gets_more_than_twice_the_usual_rows_and_what_stays_open_is_told() -> None:
    pictures = images(41, types=("simple", "text", "gradient"), rows=8)
    pictures.iloc[0, 0] = "complex"  # the only one
    pictures.iloc[1, pictures.columns.get_loc("n")] = 30
    recommendation = recommend(pictures, NOTHING, NOTHING, 2000, seed=0)
    counts = Counter(x.image_id for x in recommendation.conversions)
    assert counts[pictures.index[0]] == 8
    assert pictures.index[1] not in counts
    assert max(counts.values()) <= 8
    after = together(coverage_after(recommendation.conversions))
    lacking = {pair: n < wanted(pair) for pair, n in after.items()}
    complex_row = list(TYPE_SHARES).index("complex")
    n_open = sum(int(cells[complex_row].sum()) for p, cells in lacking.items() if p[0] == LOGO_TYPE)
    n_any = sum(int(cells.sum()) for cells in lacking.values())
    n_all_used = sum(counts.values()) == 8 * 40
    assert recommendation.n_left_open == (n_any if n_all_used else n_open) > 0
    assert summary(recommendation)["cells_left_open"] == recommendation.n_left_open


def test_cells_that_were_not_asked_for_are_not_told_as_left_open() -> None:
    assert recommend(images(40), NOTHING, NOTHING, 5, seed=0).n_left_open == 0


def full_coverage(pictures: pd.DataFrame, types: list[str]) -> Coverage:
    """So many rows in every cell of pairs that none lacks any."""
    counted = coverage_of(sobol_sets(len(types), "full", seed=0), types)
    pairs = {pair: counts + 100 for pair, counts in counted.pairs.items()}
    return Coverage(counted.dimensions, pairs)


def test_a_cell_where_enough_conversions_failed_is_given_up() -> None:
    pictures = images(40)
    pair = ("mode", "color_precision")
    types = [name for name, share in TYPE_SHARES.items() for _ in range(round(400 * share))]
    measured = full_coverage(pictures, types)
    measured.pairs[pair][2, 0] = 0  # pixel mode at one bit is all that lacks
    assert len(picks(pictures, measured, NOTHING, 50, seed=0)) == WANTED
    for n_failed, n_left in ((4, WANTED - 4), (WANTED, 0), (50, 0)):
        pairs = {key: np.zeros_like(counts) for key, counts in measured.pairs.items()}
        pairs[pair][2, 0] = n_failed
        failed = Coverage(NOTHING.dimensions, pairs)
        assert len(picks(pictures, measured, failed, 50, seed=0)) == n_left


def test_types_below_their_share_get_more_once_no_cell_lacks_rows() -> None:
    pictures = images(40, rows=10)
    types = ["simple"] * 200 + ["text"] * 10 + ["gradient"] * 100 + ["complex"] * 90
    found = picks(pictures, full_coverage(pictures, types), NOTHING, 70, seed=0)
    assert {x.logo_type for x in found} == {"text"}
    assert "text has 2% of the rows, and 25% is wanted" in found[0].why
    # Sets as campaigns draw them: three of four, and half of the full region, are everyday.
    assert 0.8 < np.mean([x.parameters.is_everyday for x in found]) < 0.95


def test_a_balanced_and_covered_table_needs_nothing() -> None:
    pictures = images(40)
    types = [name for name, share in TYPE_SHARES.items() for _ in range(round(400 * share))]
    assert picks(pictures, full_coverage(pictures, types), NOTHING, 50, seed=0) == []


def test_the_same_few_pictures_are_not_converted_for_ever_for_their_types_sake() -> None:
    pictures = images(40, types=("simple",), rows=10)
    pictures.iloc[0, 0] = "text"
    types = ["simple"] * 390 + ["text"] * 10
    found = picks(pictures, full_coverage(pictures, types), NOTHING, 500, seed=0)
    assert len(found) == 10  # twice the usual rows


def test_a_campaign_as_it_is_drawn_needs_little() -> None:
    pictures = images(1200)
    sets = [x for image_id in pictures.index for x in sample_parameters(12, 0.75, 42, image_id)]
    types = [name for name in pictures["logo_type"] for _ in range(12)]
    found = recommend(pictures, coverage_of(sets, types), NOTHING, 500, seed=0)
    assert summary(found)["empty_cells_filled"] == 0
    assert summary(found)["for_pairs"] < 20
