"""JSON lines and the dataset digest: exact, and the digest in no order."""

import hashlib
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.releases.dataset_digest import DIGESTED, DatasetDigest, dataset_digest
from svg_quality.dataset.releases.json_lines import json_lines
from svg_quality.errors import DatasetError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.tuples(
        st.none() | st.text(),
        st.none() | FINITE,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.booleans(),
    )
)
SCHEMA = pa.schema(
    [('te"xt', pa.string()), ("float", pa.float64()), ("int", pa.int64()), ("bool", pa.bool_())]
)


@given(ROWS)
def test_every_value_reads_back_as_it_was(rows: list[tuple[Any, ...]]) -> None:
    columns = list(zip(*rows, strict=True)) if rows else [[]] * len(SCHEMA)
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], SCHEMA)
    lines = json_lines(table).decode().split("\n")
    assert lines.pop() == ""
    read = [json.loads(line) for line in lines]
    assert [tuple(row.values()) for row in read] == rows
    for row, value in zip(read, columns[1], strict=True):
        assert list(row) == SCHEMA.names
        # -0.0 equals 0.0, so the sign is asked for, too.
        assert value is None or math.copysign(1, row["float"]) == math.copysign(1, value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(DatasetError, match="a figure must be finite, mse has one that is not"):
        json_lines(pa.table({"mse": pa.array([1.0, value])}))


@pytest.fixture
def rows(many_rows: pd.DataFrame) -> pd.DataFrame:
    return many_rows.assign(split="train", fold=0).head(60)


def test_the_digest_has_no_order_and_takes_batches(rows: pd.DataFrame) -> None:
    digest = DatasetDigest()
    for start in (40, 0, 20):
        digest.add(rows.iloc[start : start + 20])
    assert digest.hexdigest() == dataset_digest(rows) == dataset_digest(rows[::-1])


def test_the_digest_counts_rows_that_come_twice(rows: pd.DataFrame) -> None:
    seen = {dataset_digest(pd.concat([rows] * n)) for n in (1, 2, 3)}
    assert len(seen | {dataset_digest(rows.iloc[:0])}) == 4


@pytest.mark.parametrize("column", DIGESTED)
def test_each_column_counts(rows: pd.DataFrame, column: str) -> None:
    changed = rows.astype({column: object}) if rows[column].dtype == "str" else rows.copy()
    value = changed[column].iloc[5]
    other = (
        f"{value}x"
        if isinstance(value, str)
        else (not value)
        if column == "synthetic"
        else value + 1
    )
    changed.loc[5, column] = other
    assert dataset_digest(changed) != dataset_digest(rows)


def test_the_digest_is_the_documented_one(rows: pd.DataFrame) -> None:
    """Written out row by row, as the docstring has it."""
    total = 0
    for row in rows[list(DIGESTED)].to_dict(orient="records"):
        texts = [x if isinstance(x, str) else str(round(float(x) * 1e6)) for x in row.values()]
        total += int.from_bytes(hashlib.sha256("\t".join(texts).encode()).digest(), "big")
    text = f"{','.join(DIGESTED)} {len(rows)} {total % 2**256:064x}"
    assert dataset_digest(rows) == hashlib.sha256(text.encode()).hexdigest()


def test_the_type_that_a_reader_chose_does_not_count(rows: pd.DataFrame) -> None:
    wider = rows.astype({"svg_bytes": "float64", "width": np.int32, "logo_type": "category"})
    assert dataset_digest(wider) == dataset_digest(rows)


def test_rounding_noise_of_another_processor_does_not_count(rows: pd.DataFrame) -> None:
    rounded = rows.assign(ssim=rows["ssim"].round(6))
    noisy = rounded.assign(ssim=rounded["ssim"] + 1e-12)
    assert dataset_digest(noisy) == dataset_digest(rounded)
    assert dataset_digest(rounded.assign(ssim=rounded["ssim"] + 1e-5)) != dataset_digest(rounded)
