"""Rows of a table file without reading the whole of it: by place, or batch after batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from svg_quality.errors import DatasetError


class TableRows:
    """The rows of a Parquet file, such as a release's ``conversions.parquet``.

    Only the row groups that hold what is asked for are read, and the last one read is kept.

    Args:
        path: of the file.
        columns: to read; None for all.

    Raises:
        DatasetError: the file is no Parquet file, or lacks a column.

    Example:
        rows = TableRows(release.path / "conversions.parquet", ["image_id", "ssim"])
        for batch in rows.batches(1024): ...
    """

    def __init__(self, path: Path, columns: Sequence[str] | None = None) -> None:
        self._file = open_table(path)
        names = self._file.schema_arrow.names
        missing = sorted(set(columns or ()) - set(names))
        if missing:
            raise DatasetError(f"a table must have the column {missing[0]}, {path} has not")
        self._columns = list(columns) if columns is not None else names
        metadata = self._file.metadata
        sizes = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._held: tuple[range, pa.Table] = (range(0), self._file.schema_arrow.empty_table())

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, start: int, stop: int) -> pd.DataFrame:
        """Rows ``start`` to ``stop`` (not included), indexed from 0.

        Raises:
            DatasetError: there are no such rows.
        """
        if not 0 <= start <= stop <= len(self):
            raise DatasetError(f"rows must be within 0 and {len(self)}, got {start} to {stop}")
        if start == stop:
            return _frame(self._file.schema_arrow.empty_table().select(self._columns))
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        last = int(np.searchsorted(self._starts, stop, side="left"))
        table = self._groups(range(first, last))
        return _frame(table.slice(start - int(self._starts[first]), stop - start))

    def batches(self, n_rows: int = 1024) -> Iterator[pd.DataFrame]:
        """Every row, in order, so many at a time; the last batch may be shorter."""
        for start in range(0, len(self), n_rows):
            yield self.read(start, min(start + n_rows, len(self)))

    def _groups(self, wanted: range) -> pa.Table:
        if self._held[0] != wanted:
            # Threads cost more than they save on groups this small.
            table = self._file.read_row_groups(
                list(wanted), columns=self._columns, use_threads=False
            )
            self._held = (wanted, table.select(self._columns))
        return self._held[1]


def open_table(path: Path) -> pq.ParquetFile:
    """A Parquet file, open for reading.

    Raises:
        DatasetError: it cannot be read, or is none.
    """
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(f"a table must be a readable Parquet file, {path}: {error}") from error


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame
