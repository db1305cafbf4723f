"""The dataset digest: one number for what a model learns from, the same on every machine.

Each row becomes a line of text: picture, split, fold, type, sizes, parameters, SSIM and bytes.
The digest is the SHA-256 of the number of rows and of the sum, modulo 2**256, of the rows'
SHA-256. A sum has no order, so rows may come in any order and a batch at a time; unlike an
exclusive or it counts a row that comes twice. Numbers go in as whole millionths, since
processors differ in the last bits of a float64 blur. Times and dates stay out.

The digest tells datasets apart. It is no seal against somebody who builds rows to collide with
it: for that the manifest has the SHA-256 of every file.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import NAMES

DIGESTED: Final = (
    "image_id", "split", "fold", "logo_type", "synthetic", "width", "height", "working_size",
    *NAMES, "ssim", "svg_bytes",
)  # fmt: skip
_MILLION: Final = 1_000_000
_MODULUS: Final = 1 << 256


class DatasetDigest:
    """A digest that rows are added to."""

    def __init__(self) -> None:
        self._sum = 0
        self._rows = 0

    def add(self, rows: pd.DataFrame) -> None:
        """Take in rows: with `DIGESTED`, all measured."""
        sha256 = hashlib.sha256
        total = sum(int.from_bytes(sha256(line.encode()).digest(), "big") for line in _lines(rows))
        self._sum = (self._sum + total) % _MODULUS
        self._rows += len(rows)

    def hexdigest(self) -> str:
        """64 hexadecimal digits, of the rows so far."""
        text = f"{','.join(DIGESTED)} {self._rows} {self._sum:064x}"
        return hashlib.sha256(text.encode()).hexdigest()


def dataset_digest(rows: pd.DataFrame) -> str:
    """The digest of a whole table, in whatever order its rows are."""
    digest = DatasetDigest()
    digest.add(rows)
    return digest.hexdigest()


def _lines(rows: pd.DataFrame) -> list[str]:
    columns = [_texts(rows[name]) for name in DIGESTED]
    return list(map("\t".join, zip(*columns, strict=True)))


def _texts(column: pd.Series) -> list[str]:
    """A column as text; numbers as whole millionths, truth as 0 and 1 million."""
    if pd.api.types.is_numeric_dtype(column):
        whole = np.rint(column.to_numpy(dtype=np.float64) * _MILLION).astype(np.int64)
        values, places = np.unique(whole, return_inverse=True)
        texts = np.array([str(value) for value in values.tolist()], dtype=object)
        return list(texts[places])
    return [str(value) for value in column.tolist()]
