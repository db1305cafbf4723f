"""The conversions table: one schema, checked wherever a table is read or written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import pandera.pandas as pa

from svg_quality.conversion.parameters import CHOICES, NAMES, RANGES, Parameters
from svg_quality.dataset.logos import LOGO_TYPES
from svg_quality.errors import DatasetError

METHODS: Final = (  # how a row came to be
    "sobol", "fill-gaps", "method-1", "method-2", "method-3", "predictive", "by-hand", "collected",
)  # fmt: skip
FIGURES: Final = (
    "ssim", "ssim_worst_tile", "mse", "psnr", "svg_bytes", "path_count", "trace_ms", "render_ms",
)  # fmt: skip
AS_LOGGED: Final = "as logged"  # the definition of an SSIM that another program measured
ALWAYS_MEASURED: Final = ("ssim", "ssim_worst_tile", "mse", "svg_bytes", "path_count")
_HEX = r"^[0-9a-f]{64}$"


def _text(*checks: pa.Check, nullable: bool = False) -> pa.Column:
    return pa.Column("str", list(checks), nullable=nullable)


def _number(low: float, high: float | None = None, kind: str = "float64") -> pa.Column:
    check = pa.Check.ge(low) if high is None else pa.Check.in_range(low, high)
    return pa.Column(kind, check, nullable=kind == "float64" or kind == "Int64")


def _parameter_columns() -> dict[str, pa.Column]:
    texts = {name: _text(pa.Check.isin(allowed)) for name, allowed in CHOICES.items()}
    numbers = {
        name: pa.Column(
            "int64" if isinstance(low, int) else "float64", pa.Check.in_range(low, high)
        )
        for name, (low, high) in RANGES.items()
    }
    return {name: (texts | numbers)[name] for name in NAMES}


def _metrics_fit_error(frame: pd.DataFrame) -> pd.Series[bool]:
    """A failure has no figure at all; a success has every one, of a log's figures the SSIM."""
    failed = frame["error"].notna()
    logged = frame["ssim_definition"].eq(AS_LOGGED) & frame["ssim"].notna()
    measured = frame[list(ALWAYS_MEASURED)].notna().all(axis=1) | logged
    return pd.Series(
        (failed & ~frame[list(FIGURES)].notna().any(axis=1)) | (~failed & measured),
        index=frame.index,
    )


CONVERSIONS: Final = pa.DataFrameSchema(
    {
        "conversion_id": pa.Column("str", pa.Check.str_matches(_HEX), unique=True),
        "image_id": _text(pa.Check.str_matches(_HEX)),
        "image_path": _text(),
        "source": _text(),
        "derived_from": _text(pa.Check.str_matches(_HEX), nullable=True),
        "synthetic": pa.Column("bool"),
        "method": _text(pa.Check.isin(METHODS)),
        "logo_type": _text(pa.Check.isin(LOGO_TYPES)),
        "logo_type_estimated": pa.Column("bool"),
        "width": _number(1, kind="int64"),
        "height": _number(1, kind="int64"),
        "working_size": _number(1, kind="int64"),
        "source_width": _number(1, kind="int64"),
        "source_height": _number(1, kind="int64"),
        "format": _text(),
        "complexity": pa.Column("float64", pa.Check.in_range(0, 1)),
        "perceptual_hash": _text(pa.Check.str_matches(r"^[0-9a-f]{16}$")),
        **_parameter_columns(),
        "ssim": _number(-1, 1),
        "ssim_worst_tile": _number(-1, 1),
        "mse": _number(0),
        "psnr": _number(0),
        "svg_bytes": _number(1, kind="Int64"),
        "path_count": _number(0, kind="Int64"),
        "trace_ms": _number(0),
        "render_ms": _number(0),
        "created_at": _text(),
        "vtracer_version": _text(),
        "renderer_version": _text(),
        "ssim_definition": _text(),
        "error": _text(nullable=True),
    },
    checks=pa.Check(_metrics_fit_error, error="a failure has no figures and a success has all"),
    strict=True,
    ordered=True,
    coerce=True,
)


def conversions_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a checked table, its columns in the schema's order.

    Raises:
        DatasetError: as `check_conversions`.
    """
    return check_conversions(pd.DataFrame(rows, columns=list(CONVERSIONS.columns)))


def check_conversions(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with its types set right.

    Raises:
        DatasetError: a column is missing, or a row breaks the schema; the first is named.
    """
    try:
        return CONVERSIONS.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        where = f"row {first['index']}" if pd.notna(first["index"]) else "the table"
        raise DatasetError(
            f"conversions must keep the schema, {len(error.failure_cases)} values do not; first: "
            f"{where}, {first['column']}: {first['check']}, got {first['failure_case']!r}"
        ) from None


def parameters_of(frame: pd.DataFrame) -> list[Parameters]:
    """The parameter set of every row, in order."""
    return [Parameters(*values) for values in frame[list(NAMES)].itertuples(index=False, name=None)]


def table_digest(frame: pd.DataFrame) -> str:
    """SHA-256 over every column but those that differ from run to run: times and dates."""
    lines = frame.drop(columns=["trace_ms", "render_ms", "created_at"])
    return hashlib.sha256(lines.to_json(orient="records", lines=True).encode()).hexdigest()
