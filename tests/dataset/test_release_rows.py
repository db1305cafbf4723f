"""Reading a part of a table gives that part of the table."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svg_quality.dataset.releases.release_rows import TableRows
from svg_quality.errors import DatasetError

N = 250


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    table().to_parquet(path, row_group_size=60)
    return path


def table() -> pd.DataFrame:
    return pd.DataFrame({"id": [f"r{n}" for n in range(N)], "x": range(N), "y": 0.5})


@given(st.integers(0, N), st.integers(0, N))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_are_those_of_the_table(path: Path, one: int, other: int) -> None:
    start, stop = sorted((one, other))
    found = TableRows(path, ["y", "id"]).read(start, stop)
    expected = table()[["y", "id"]].iloc[start:stop].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("n_rows", [1, 60, 64, 250, 1000])
def test_batches_are_the_whole_table_once(path: Path, n_rows: int) -> None:
    rows = TableRows(path)
    batches = list(rows.batches(n_rows))
    assert len(rows) == N
    assert all(len(batch) == n_rows for batch in batches[:-1])
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), table())


def test_refuses_what_is_not_there(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"must have the column z, .* has not"):
        TableRows(path, ["x", "z"])
    with pytest.raises(DatasetError, match="must be within 0 and 250, got 240 to 251"):
        TableRows(path).read(240, 251)
    with pytest.raises(DatasetError, match="a readable Parquet file"):
        TableRows(tmp_path / "none.parquet")
