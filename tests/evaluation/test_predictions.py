"""The table that `compare` reads: written and read back, aligned, and refused when unlike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from svg_quality.errors import DatasetError
from svg_quality.evaluation.baselines import BaselinePrediction
from svg_quality.evaluation.comparing.predictions import (
    COLUMNS,
    Predictions,
    aligned,
    predictions_of,
    read_predictions,
    write_predictions,
)

FACTS = {"dataset": "demo", "version": "1.0.0", "digest": "a" * 64, "split": "test"}


@pytest.fixture
def table(make_row: Callable[..., dict[str, Any]]) -> Predictions:
    rows = pd.DataFrame([make_row(name, color_precision=k) for k, name in enumerate("abcd", 3)])
    rows = rows.assign(
        group=[0, 0, 1, 2], everyday=True, everyday_colour=True, predicted_ssim=0.8,
        ssim_low=0.7, ssim_high=0.9, predicted_svg_bytes=900.0,
    )  # fmt: skip
    guess = BaselinePrediction(np.full(4, 0.5), np.log(np.arange(1.0, 5)))
    return predictions_of(rows, {"mean": guess}, FACTS)


def test_what_is_written_is_read(table: Predictions, tmp_path: Path) -> None:
    path = write_predictions(table, tmp_path / "new")
    found = read_predictions(path)
    assert found.facts == FACTS
    assert set(found.rows) == {*COLUMNS, "mean.ssim", "mean.svg_bytes"}
    assert found.rows["mean.svg_bytes"].tolist() == pytest.approx([1, 2, 3, 4])
    pd.testing.assert_frame_equal(found.rows, table.rows, check_dtype=False)


def test_common_rows_come_in_the_order_of_the_first(table: Predictions) -> None:
    other = Predictions(table.rows.iloc[[3, 1, 0]], FACTS)
    found = aligned({"one": table, "two": other})
    wanted = table.rows["conversion_id"].iloc[[0, 1, 3]].tolist()
    assert [rows.index.tolist() for rows in found.values()] == [wanted, wanted]


@pytest.mark.parametrize(
    ("fact", "value", "message"),
    [
        ("digest", "b" * 64, r"one dataset \(digest\), one was on aaaaaaaaaaaa and two on bbbb"),
        ("split", "train", "one split, one was on test and two on train"),
    ],
)
def test_refuses_other_data(table: Predictions, fact: str, value: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        aligned({"one": table, "two": Predictions(table.rows, FACTS | {fact: value})})


def test_refuses_rows_that_cannot_be_set_against_each_other(table: Predictions) -> None:
    with pytest.raises(DatasetError, match="must share rows, one and two share none"):
        aligned({
            "one": Predictions(table.rows.head(2), FACTS),
            "two": Predictions(table.rows.tail(2), FACTS),
        })  # fmt: skip
    measured_anew = table.rows.assign(ssim=[0.9, 0.9, 0.9, 0.7])
    with pytest.raises(DatasetError, match="ssim of a row must be the same in all runs, 1 differ"):
        aligned({"one": table, "two": Predictions(measured_anew, FACTS)})


def test_refuses_other_files(table: Predictions, tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    path.write_text("no table")
    with pytest.raises(DatasetError, match="must be a Parquet file"):
        read_predictions(path)
    table.rows.to_parquet(path)
    with pytest.raises(DatasetError, match=r"must have all their columns, .* lacks dataset"):
        read_predictions(path)
    twice = Predictions(pd.concat([table.rows, table.rows.head(1)]), FACTS)
    with pytest.raises(DatasetError, match="must name each conversion once"):
        read_predictions(write_predictions(twice, tmp_path))
