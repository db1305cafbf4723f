"""Writing a release's tables a batch at a time, so that a million rows fit in little memory.

``conversions.parquet`` has small row groups: a training loop that wants 1,024 rows reads one or
two groups, not the table.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from svg_quality.dataset.releases.dataset_digest import DatasetDigest
from svg_quality.dataset.releases.json_lines import json_lines
from svg_quality.dataset.tables import CONVERSIONS

CONVERSIONS_PARQUET: Final = "conversions.parquet"
CONVERSIONS_JSONL: Final = "conversions.jsonl"
IMAGES_PARQUET: Final = "images.parquet"
SET_ASIDE: Final = "set_aside.parquet"
GROUP_ROWS: Final = 2048  # rows of a row group
_DISTINCT: Final = ("conversion_id", "ssim", "ssim_worst_tile", "mse", "psnr", "trace_ms",
                    "render_ms", "created_at")  # fmt: skip
_ARROW: Final = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "str": pa.string()}


OF_IMAGES: Final = (  # columns of a row that are of its picture
    "image_id", "image_path", "source", "derived_from", "synthetic", "logo_type",
    "logo_type_estimated", "width", "height", "format", "complexity", "perceptual_hash",
)  # fmt: skip


def arrow_schema(*more: pa.Field) -> pa.Schema:
    """The conversions' columns and types in Arrow, then ``more``."""
    columns = CONVERSIONS.columns.items()
    # Names such as int64, Int64, str and string[pyarrow] begin with what they are.
    kinds = {name: str(column.dtype).lower().rstrip("0123456789") for name, column in columns}
    fields = [
        pa.field(name, _ARROW["str" if kind.startswith("str") else kind])
        for name, kind in kinds.items()
    ]
    return pa.schema([*fields, *more])


RELEASED: Final = arrow_schema(pa.field("split", pa.string()), pa.field("fold", pa.int64()))
KEPT_ASIDE: Final = arrow_schema(pa.field("reason", pa.string()))
IMAGES: Final = pa.schema(
    [
        *(RELEASED.field(name) for name in OF_IMAGES),
        pa.field("first_created", pa.string()),
        pa.field("last_created", pa.string()),
        pa.field("mean_ssim", pa.float64()),
        pa.field("n", pa.int64()),
        pa.field("group", pa.int64()),
        RELEASED.field("split"),
        RELEASED.field("fold"),
    ]
)


class ReleaseWriter:
    """Writes ``conversions.parquet``, ``conversions.jsonl`` and ``set_aside.parquet``.

    Use as a context manager; the files are whole once it is left.

    Args:
        folder: to write into.
    """

    def __init__(self, folder: Path) -> None:
        self.digest = DatasetDigest()
        self._stack = ExitStack()
        self._lines = self._stack.enter_context((folder / CONVERSIONS_JSONL).open("wb"))
        self._kept = self._table(folder / CONVERSIONS_PARQUET, RELEASED)
        self._aside = self._table(folder / SET_ASIDE, KEPT_ASIDE)
        self._waiting = RELEASED.empty_table()

    def __enter__(self) -> ReleaseWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._flush(everything=True)
        finally:
            self._stack.close()

    def keep(self, rows: pd.DataFrame) -> None:
        """Rows of the release: the schema's columns, ``split`` and ``fold``."""
        table = pa.Table.from_pandas(rows, RELEASED, preserve_index=False)
        self._lines.write(json_lines(table))
        self.digest.add(rows)
        self._waiting = pa.concat_tables([self._waiting, table])
        self._flush()

    def set_aside(self, rows: pd.DataFrame) -> None:
        """Rows that are not part of it: the schema's columns and ``reason``."""
        if len(rows):
            table = pa.Table.from_pandas(rows, KEPT_ASIDE, preserve_index=False)
            self._aside.write_table(table)

    def _flush(self, *, everything: bool = False) -> None:
        """Write whole row groups; the rest waits for more rows."""
        held = len(self._waiting)
        ready = held if everything else held // GROUP_ROWS * GROUP_ROWS
        if ready:
            self._kept.write_table(self._waiting.slice(0, ready), row_group_size=GROUP_ROWS)
            self._waiting = self._waiting.slice(ready)

    def _table(self, path: Path, schema: pa.Schema) -> pq.ParquetWriter:
        repeating = [name for name in schema.names if name not in _DISTINCT]
        options: dict[str, Any] = {"compression": "zstd", "use_dictionary": repeating}
        return self._stack.enter_context(pq.ParquetWriter(path, schema, **options))


def write_images(images: pd.DataFrame, folder: Path) -> None:
    """Write ``images.parquet``: one row for each picture.

    Args:
        images: indexed by image_id, as a plan has them.
        folder: to write into.
    """
    table = pa.Table.from_pandas(images.reset_index(), IMAGES, preserve_index=False)
    pq.write_table(table, folder / IMAGES_PARQUET, compression="zstd")
