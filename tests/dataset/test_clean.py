"""Cleaning keeps count: every row stays or is set aside with the first reason that holds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svg_quality.dataset.cleaning.clean import NARROW, clean_conversions, kind_of_reason, reasons
from svg_quality.dataset.tables import FIGURES, conversions_table

Row = Callable[..., dict[str, Any]]


def numbered(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return conversions_table(
        [{**row, "conversion_id": f"{number:064x}"} for number, row in enumerate(rows)]
    )


def test_every_row_is_kept_or_set_aside_with_its_reason(make_row: Row) -> None:
    failed = make_row("b", **dict.fromkeys(FIGURES), error="it hung")
    rows = [
        make_row("a"),
        failed,
        make_row("c", layer_difference=8),
        {**make_row("c", layer_difference=8), "ssim": 0.1},
        make_row("d"),
        make_row("d"),
        make_row("d", layer_difference=8),
        {**make_row("d", layer_difference=8), "svg_bytes": 999},
        make_row("e", ssim_definition="as logged"),
        make_row("f", psnr=3.0),
    ]
    table = numbered(rows)
    cleaned = clean_conversions(table)
    assert len(cleaned.kept) + len(cleaned.set_aside) == len(table)
    assert cleaned.kept["image_path"].tolist() == ["a.png", "d.png"]
    assert cleaned.set_aside["reason"].tolist() == [
        "conversion failed: it hung",
        "same picture and parameters, different SSIM",
        "same picture and parameters, different SSIM",
        "repeats another row",
        "same picture and parameters, different svg_bytes",
        "same picture and parameters, different svg_bytes",
        "SSIM of another definition, collect with --re-measure",
        "psnr must be 10 log10(255^2 / mse), and missing where mse is 0",
    ]
    assert kind_of_reason(cleaned.set_aside["reason"]).iloc[0] == "conversion failed"


def test_a_row_that_lacks_a_figure_names_it(make_row: Row) -> None:
    table = numbered([make_row("a"), make_row("b"), make_row("c")])
    table.loc[1, "svg_bytes"] = pd.NA
    table.loc[2, ["ssim_worst_tile", "path_count"]] = [np.nan, pd.NA]
    why = reasons(table)
    assert why.isna().tolist() == [True, False, False]
    assert why.tolist()[1:] == [
        "svg_bytes is missing", "ssim_worst_tile, path_count are missing"
    ]  # fmt: skip


def test_the_last_bits_of_another_processor_are_no_conflict(make_row: Row) -> None:
    again = make_row("a", ssim=0.9 + 1e-9)
    assert reasons(numbered([make_row("a"), again])).tolist()[1] == "repeats another row"
    again = make_row("a", ssim=0.9 + 2e-6)
    assert reasons(numbered([make_row("a"), again])).str.contains("different SSIM").all()


def test_the_same_picture_at_another_size_is_another_input(make_row: Row) -> None:
    small = {"source_width": 600, "source_height": 600}
    table = numbered(
        [
            make_row("a", **small, width=512, height=512),
            make_row("a", **small, width=256, height=256, working_size=256, ssim=0.5),
        ]
    )
    assert reasons(table).isna().all()


@pytest.mark.parametrize(
    ("fact", "changes"),
    [
        ("size", {"source_width": 65, "width": 65}),
        ("format", {"format": "GIF"}),
        ("original", {"derived_from": "f" * 64}),
        ("origin", {"synthetic": True}),
        ("logo_type", {"logo_type": "text"}),
    ],
)
def test_a_row_that_tells_another_picture_than_most_is_set_aside(
    make_row: Row, fact: str, changes: dict[str, Any]
) -> None:
    rows = [make_row("a", layer_difference=level) for level in (1, 2)]
    rows += [make_row("a", layer_difference=3, **changes), make_row("b", **changes)]
    law = f"one picture must have one {fact}, most rows of this one say another"
    why = reasons(numbered(rows))
    assert why.fillna("").tolist() == ["", "", law, ""]
    split_evenly = reasons(numbered(rows[1:]))
    assert split_evenly.fillna("").tolist() == [law, law, ""]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), max_size=25))
def test_conflicts_and_repeats_agree_with_the_definition(
    make_row: Row, chosen: list[tuple[int, int, int]]
) -> None:
    """Independent oracle: each pair of rows compared."""
    ssims = (0.5, 0.6, 0.9)
    rows = [
        make_row(f"logo{image}", layer_difference=level, ssim=ssims[which])
        for image, level, which in chosen
    ]
    why = reasons(numbered(rows)) if rows else []
    for place, (image, level, which) in enumerate(chosen):
        same = [other for other in chosen if other[:2] == (image, level)]
        if len({other[2] for other in same}) > 1:
            expected: str | None = "same picture and parameters, different SSIM"
        elif (image, level, which) in chosen[:place]:  # ids ascend as places do
            expected = "repeats another row"
        else:
            expected = None
        assert (None if pd.isna(why[place]) else why[place]) == expected


def test_of_repeated_rows_the_smallest_id_stays_in_any_order(make_row: Row) -> None:
    table = numbered([make_row("a", layer_difference=level) for level in (1, 2, 1, 2, 1)])
    for seed in range(6):
        shuffled = table.sample(frac=1, random_state=seed)
        kept = shuffled[reasons(shuffled).isna()]["conversion_id"]
        assert sorted(kept) == [f"{number:064x}" for number in (0, 1)]


def test_reasons_need_only_the_narrow_columns_in_any_encoding_and_index(
    many_rows: pd.DataFrame,
) -> None:
    dirty = many_rows.copy()
    dirty.loc[3, "psnr"] = 1.0
    dirty.loc[8, list(FIGURES)] = np.nan
    dirty.loc[8, "error"] = "it hung"
    narrow = dirty[list(NARROW)].set_axis(range(1000, 1000 + len(dirty)))
    texts = narrow.select_dtypes("str").columns
    coded = narrow.astype(dict.fromkeys(texts, "category"))
    expected = reasons(dirty)
    assert expected.notna().sum() == 2
    assert reasons(narrow).fillna("").tolist() == expected.fillna("").tolist()
    assert reasons(coded).equals(reasons(narrow))


def test_many_distinct_values_do_not_make_two_pictures_one(make_row: Row) -> None:
    """2^64 combinations of values: a product that a 64-bit number cannot hold."""
    rows = [
        make_row(
            image, source_width=512, source_height=512, working_size=64 + i % 256,
            width=64 + i % 256, height=64 + i % 256, colormode=("color", "binary")[i % 2],
            hierarchical=("stacked", "cutout")[i % 2], filter_speckle=i % 16,
            color_precision=1 + i % 8, layer_difference=i % 256, corner_threshold=i % 128,
            length_threshold=3.5 + i / 100, max_iterations=1 + i % 16, splice_threshold=i % 128,
            path_precision=i % 16,
        )
        for image in ("a", "b")
        for i in range(512)
    ]  # fmt: skip
    assert reasons(numbered(rows)).isna().all()


def test_an_empty_table_has_no_reasons(many_rows: pd.DataFrame) -> None:
    assert reasons(many_rows.iloc[:0]).empty
