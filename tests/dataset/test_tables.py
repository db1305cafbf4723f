"""The schema: what a row must hold, and that a failure holds no number."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.dataset.tables import (
    AS_LOGGED,
    CONVERSIONS,
    FIGURES,
    check_conversions,
    conversions_table,
    parameters_of,
)
from svg_quality.errors import DatasetError

Row = Callable[..., dict[str, Any]]


def test_a_table_survives_parquet(make_row: Row, tmp_path: Any) -> None:
    failed = make_row("b", **dict.fromkeys(FIGURES), error="VTracer must not panic")
    table = conversions_table([make_row("a"), failed])
    table.to_parquet(tmp_path / "t.parquet", index=False)
    again = check_conversions(pd.read_parquet(tmp_path / "t.parquet"))
    pd.testing.assert_frame_equal(table, again)
    assert list(again.columns) == list(CONVERSIONS.columns)


def test_parameters_come_back_as_they_went_in(make_row: Row) -> None:
    chosen = Parameters(mode="polygon", length_threshold=7.25, color_precision=2)
    table = conversions_table([make_row("a", **chosen.as_dict()), make_row("a")])
    assert parameters_of(table) == [chosen, Parameters()]
    assert set(NAMES) <= set(table.columns)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ssim": 1.5}, "ssim"),
        ({"ssim": None}, "a failure has no figures"),
        ({"error": "a panic"}, "a failure has no figures"),
        ({"logo_type": "photo"}, "logo_type"),
        ({"image_id": "abc"}, "image_id"),
        ({"complexity": 2.0}, "complexity"),
        ({"svg_bytes": 0}, "svg_bytes"),
        ({"method": "guess"}, "method"),
    ],
)
def test_refuses_a_row_and_names_what_is_wrong(
    make_row: Row, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(DatasetError, match=named):
        conversions_table([make_row("a"), {**make_row("b"), **changes}])


def test_refuses_the_same_conversion_twice(make_row: Row) -> None:
    with pytest.raises(DatasetError, match="conversion_id"):
        conversions_table([make_row("a"), make_row("a")])


def test_refuses_a_missing_column(make_row: Row) -> None:
    with pytest.raises(DatasetError, match="ssim"):
        check_conversions(conversions_table([make_row("a")]).drop(columns="ssim"))


def test_of_another_programs_figures_only_the_ssim_is_needed(make_row: Row) -> None:
    lacking = dict.fromkeys(set(FIGURES) - {"ssim"})
    table = conversions_table([make_row("a", ssim_definition=AS_LOGGED, **lacking)])
    assert table["svg_bytes"].isna().all()
    for changes in ({"ssim": None}, {"error": "a panic"}, {"ssim_definition": "test"}):
        row = make_row("a", **{**lacking, "ssim_definition": AS_LOGGED, **changes})
        with pytest.raises(DatasetError, match="a failure has no figures"):
            conversions_table([row])
