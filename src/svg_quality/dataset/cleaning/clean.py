"""Which conversions can be learned from; the others are kept aside, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import NAMES
from svg_quality.conversion.similarity import DEFINITION
from svg_quality.dataset.cleaning.laws import broken_laws
from svg_quality.dataset.tables import FIGURES

NEEDED: Final = ("ssim", "ssim_worst_tile", "mse", "svg_bytes", "path_count")
SSIM_TOLERANCE: Final = 1e-6  # processors differ in the last bits; a release's digest rounds here
FAILED: Final = "conversion failed: "  # and its error
OTHER_SSIM: Final = "SSIM of another definition, collect with --re-measure"
TWO_SSIM: Final = "same picture and parameters, different SSIM"
TWO_SIZES: Final = "same picture and parameters, different svg_bytes"
REPEATED: Final = "repeats another row"
FACTS: Final = {  # of a picture, whatever is done with it: columns by what they tell
    "size": ("source_width", "source_height"),
    "format": ("format",),
    "original": ("derived_from",),
    "origin": ("synthetic",),
    "logo_type": ("logo_type",),
}
NARROW: Final = (
    "conversion_id", "image_id", "derived_from", "synthetic", "logo_type", "width", "height",
    "working_size", "source_width", "source_height", "format", *NAMES, *FIGURES,
    "ssim_definition", "error",
)  # fmt: skip
_MANY: Final = 2**62  # codes stay below, so that a product fits an int64


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """A table parted in two; the counts add up."""

    kept: pd.DataFrame
    set_aside: pd.DataFrame  # the same columns and ``reason``


def clean_conversions(frame: pd.DataFrame) -> Cleaned:
    """Part a table of conversions by `reasons`.

    Args:
        frame: a checked conversions table.
    """
    why = reasons(frame)
    kept = why.isna()
    return Cleaned(
        frame[kept].reset_index(drop=True),
        frame[~kept].assign(reason=why[~kept]).reset_index(drop=True),
    )


def reasons(frame: pd.DataFrame) -> pd.Series[str]:
    """Why each row cannot be learned from; NA for the rows that can.

    The first that holds: the conversion failed; its SSIM is of another definition; a figure is
    missing; figures contradict each other (`laws`); what it says of its picture is not what most
    rows of that picture say (where none has the most, all of them); the same picture and
    parameters carry two values (all of them) or the same twice (all but the one with the
    smallest conversion_id, so that the order of the rows does not matter).

    Args:
        frame: at least the columns ``NARROW``, of any number of rows.
    """
    found = _Found(len(frame))
    error = frame["error"]
    found.add_texts(error.notna().to_numpy(), (FAILED + error.dropna().astype("str")).to_numpy())
    found.add(OTHER_SSIM, (frame["ssim_definition"] != DEFINITION).to_numpy(dtype=bool))
    _add_missing(found, frame)
    for broken in broken_laws(frame):
        found.add(broken.law, broken.rows)
    image = pd.factorize(frame["image_id"])[0]
    for fact, columns in FACTS.items():
        against = _against_most(image, _codes(frame, columns))
        found.add(f"one picture must have one {fact}, most rows of this one say another", against)
    _add_repeated(found, frame)
    return found.series(frame.index)


def kind_of_reason(reason: pd.Series[str]) -> pd.Series[str]:
    """The reasons without what differs from row to row: every failure is one kind."""
    return reason.mask(reason.str.startswith(FAILED), FAILED.removesuffix(": "))


class _Found:
    """The first reason of every row: a number into a list of texts, -1 for none yet."""

    def __init__(self, n_rows: int) -> None:
        self._number = np.full(n_rows, -1, dtype=np.int32)
        self._texts: list[str] = []

    def open_rows(self) -> np.ndarray:
        """Places of the rows without a reason, int64."""
        return np.flatnonzero(self._number < 0)

    def add(self, text: str, mask: np.ndarray) -> None:
        """A reason of the rows that a bool ``(N,)`` marks."""
        self.add_rows(text, np.flatnonzero(mask & (self._number < 0)))

    def add_rows(self, text: str, open_rows: np.ndarray) -> None:
        """A reason of rows without one, by place."""
        if len(open_rows):
            self._number[open_rows] = len(self._texts)
            self._texts.append(text)

    def add_texts(self, mask: np.ndarray, texts: Iterable[str]) -> None:
        """A reason of its own for each marked row, in order."""
        numbers, distinct = pd.factorize(np.asarray(texts, dtype=object))
        self._number[mask] = numbers + len(self._texts)
        self._texts.extend(distinct)

    def series(self, index: pd.Index) -> pd.Series[str]:
        """The texts; NA for none."""
        reason = pd.Categorical.from_codes(
            self._number, categories=pd.Index(self._texts, dtype="str")
        )
        return pd.Series(reason, index=index).astype("str")


def _add_missing(found: _Found, frame: pd.DataFrame) -> None:
    missing = np.zeros(len(frame), dtype=np.int64)
    for bit, name in enumerate(NEEDED):
        missing |= frame[name].isna().to_numpy().astype(np.int64) << bit
    for pattern in np.unique(missing[missing > 0]).tolist():
        names = [name for bit, name in enumerate(NEEDED) if pattern >> bit & 1]
        are = "is" if len(names) == 1 else "are"
        found.add(f"{', '.join(names)} {are} missing", missing == pattern)


def _against_most(image: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Rows that say another thing of their picture than most of its rows do.

    Args:
        image, value: int64 ``(N,)`` codes.

    Returns:
        bool ``(N,)``; every row of a picture where no value has more rows than each other one.
    """
    first = np.full(image.max(initial=-1) + 1, -1, dtype=np.int64)
    first[image[::-1]] = value[::-1]
    torn = np.zeros(len(first), dtype=bool)
    torn[image[value != first[image]]] = True
    against = torn[image]
    if against.any():
        rows = np.flatnonzero(against)
        votes = pd.DataFrame({"image": image[rows], "value": value[rows]})
        n = votes.groupby(["image", "value"], as_index=False).size()
        n["most"] = n["size"] == n.groupby("image")["size"].transform("max")
        leaders = n[n["most"]].drop_duplicates("image", keep=False)
        leading = votes["image"].map(leaders.set_index("image")["value"])
        against[rows] = (votes["value"] != leading).to_numpy()
    return np.asarray(against)


def _add_repeated(found: _Found, frame: pd.DataFrame) -> None:
    open_rows = found.open_rows()
    codes = _codes(frame, ("image_id", "width", "height", *NAMES))
    key = pd.Series(codes[open_rows], open_rows)
    key = key[key.duplicated(keep=False)]
    if key.empty:
        return
    twins = frame[["ssim", "svg_bytes"]].iloc[key.index].set_axis(key.index)
    by_key = twins.astype("float64").groupby(key)
    spread = by_key.transform("max") - by_key.transform("min")
    two_ssim = spread["ssim"] > SSIM_TOLERANCE
    two_sizes = ~two_ssim & (spread["svg_bytes"] > 0)
    ids = frame["conversion_id"].iloc[key.index].astype("str").to_numpy()
    by_id = key.iloc[np.argsort(ids, kind="stable")]
    repeated = ~two_ssim & ~two_sizes & by_id.duplicated()
    for text, rows in ((TWO_SSIM, two_ssim), (TWO_SIZES, two_sizes), (REPEATED, repeated)):
        found.add_rows(text, rows.index[rows].to_numpy())


def _codes(frame: pd.DataFrame, columns: Iterable[str]) -> np.ndarray:
    """A number for each row, equal where all columns are, int64 ``(N,)``.

    Exact where a hash would not be, and a column at a time, for a table of a million rows.
    """
    codes, n_codes = np.zeros(len(frame), dtype=np.int64), 1
    for name in columns:
        values, distinct = pd.factorize(frame[name], use_na_sentinel=False)
        if n_codes * len(distinct) > _MANY:
            codes, kinds = pd.factorize(codes)
            n_codes = len(kinds)
        codes = codes * len(distinct) + values
        n_codes *= len(distinct)
    return codes
