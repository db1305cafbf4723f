"""The quality section of a report: are rows valid, complete and of one mind, are labels right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pandas as pd
import pandera.pandas as pa

from svg_quality.conversion.images import load_image
from svg_quality.conversion.parameters import NAMES
from svg_quality.dataset.assurance.qa_checks import Check, Checker, Finding
from svg_quality.dataset.cleaning.clean import SSIM_TOLERANCE
from svg_quality.dataset.cleaning.correspondence import Correspondence
from svg_quality.dataset.cleaning.laws import broken_laws
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.tables import CONVERSIONS
from svg_quality.errors import ImageError

MAY_BE_EMPTY: Final = ("derived_from", "psnr", "trace_ms", "render_ms", "error")
_ONE_PER_IMAGE: Final = ("image_path", "derived_from", "synthetic", "logo_type", "source_width",
                         "source_height", "format")  # fmt: skip
_NOT_CHECKED: Final = "not checked, since a column of the table is of another type"
_ROUNDING: Final = 1e-9  # of a mean of float64 values


def table_checks(
    checker: Checker,
    conversions: pd.DataFrame,
    images: pd.DataFrame,
    set_aside: pd.DataFrame | None = None,
) -> list[Check]:
    """Validity, completeness and consistency of a release's tables.

    Args:
        checker: with the limits of the section.
        conversions: the schema's columns and ``split``.
        images: indexed by image_id, with ``split``, ``group``, ``mean_ssim``, ``n``.
        set_aside: the rows that cleaning did not keep, with ``reason``; None where unknown.
    """
    rows = conversions.reset_index(drop=True)
    needed = [*(c for c in CONVERSIONS.columns if c not in MAY_BE_EMPTY), "split"]
    faults = _broken_rows(rows)
    n_broken = rows["conversion_id"].isin({finding.row for finding in faults}).sum()
    share = float(1 - n_broken / len(rows)) if len(rows) else None
    return [
        checker.check("valid_rows", share, faults),
        _kept(checker, rows, set_aside),
        _complete(checker, rows, needed),
        checker.count("split_leaks", _split_leaks(rows, images)),
        checker.count(
            "repeated_rows",
            _named(rows, rows["conversion_id"].duplicated(), "its id is an earlier row's"),
        ),
        checker.count("contradicting_images", _image_contradictions(rows)),
        checker.count("contradicting_labels", _label_contradictions(rows)),
        checker.count("wrong_summaries", _wrong_summaries(rows, images)),
    ]


def wrong_pictures(
    conversions: pd.DataFrame,
    library: LogoLibrary,
    sample: Iterable[str],
    unsafe: Iterable[str] = (),
) -> Iterator[Finding]:
    """Images without a file in the library, and sampled ones whose file is another picture.

    Args:
        conversions: with ``image_id``, ``image_path`` and ``working_size``.
        library: where the pictures are.
        sample: image_ids to decode; the digest of the pixels must be the image_id.
        unsafe: image_ids that are not decoded, whatever the sample says.
    """
    first = conversions.drop_duplicates("image_id").set_index("image_id")
    chosen = set(sample) - set(unsafe)
    for image_id, image_path, working_size in first[["image_path", "working_size"]].itertuples():
        path = library.path(str(image_path))
        if not path.is_file():
            yield Finding(str(image_id), "has no file in the library")
        elif image_id in chosen:
            try:
                if load_image(path, int(working_size)).image_id != image_id:
                    yield Finding(str(image_id), "its file is another picture")
            except ImageError:
                yield Finding(str(image_id), "its file does not decode")


def label_checks(checker: Checker, remeasured: Correspondence | None) -> list[Check]:
    """How far logged labels are from re-measured ones; None where none was measured again."""
    if remeasured is None or remeasured.rows.empty:
        names = ("labels_confirmed", "label_difference")
        return [checker.check(name, None, note="no row was measured again") for name in names]
    off = remeasured.disagreeing
    columns = off[["conversion_id", "finding"]].astype(str)
    findings = [Finding(*line) for line in columns.itertuples(index=False)]
    note = f"{len(remeasured.rows)} rows measured again"
    return [
        checker.check("labels_confirmed", 1 - len(off) / len(remeasured.rows), findings, note),
        checker.check("label_difference", remeasured.largest_difference, note=note),
    ]


def _broken_rows(rows: pd.DataFrame) -> list[Finding]:
    """Each row that breaks the schema or a law of its figures; the value itself is not repeated."""
    table = rows[list(CONVERSIONS.columns)]
    found: list[Finding] = []
    try:
        table = CONVERSIONS.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        for index, column, check in cases[["index", "column", "check"]].itertuples(index=False):
            row = str(column) if pd.isna(index) else str(rows.loc[int(index), "conversion_id"])
            found.append(Finding(row, f"{column} breaks {check}"))
        bad = cases["index"].dropna().astype(int).unique()
        table = table.drop(index=bad)
        if cases["index"].isna().any():  # a column of another type: its figures mean nothing
            return found + list(_named(rows, pd.Series(True, index=rows.index), _NOT_CHECKED))
    for law, breaks in broken_laws(table):
        found.extend(_named(rows.loc[table.index], pd.Series(breaks, index=table.index), law))
    return found


def _kept(checker: Checker, rows: pd.DataFrame, set_aside: pd.DataFrame | None) -> Check:
    if set_aside is None:
        return checker.check("kept_rows", None, note="it is not known what cleaning set aside")
    total = len(rows) + len(set_aside)
    columns = set_aside[["conversion_id", "reason"]].astype(str)
    findings = [Finding(*line) for line in columns.itertuples(index=False)]
    return checker.check("kept_rows", len(rows) / total if total else None, findings)


def _complete(checker: Checker, rows: pd.DataFrame, needed: list[str]) -> Check:
    empty = rows[needed].isna()
    findings = [
        finding
        for name in needed
        if empty[name].any()
        for finding in _named(rows, empty[name], f"has no {name}")
    ]
    share = float(1 - empty.to_numpy().mean()) if len(rows) else None
    return checker.check("complete_columns", share, findings)


def _split_leaks(rows: pd.DataFrame, images: pd.DataFrame) -> Iterator[Finding]:
    pairs = rows[["image_id", "split"]].drop_duplicates()
    for image_id in pairs.loc[pairs["image_id"].duplicated(), "image_id"]:
        yield Finding(str(image_id), "its rows are in more than one split")
    splits_of_group = images.groupby("group")["split"].transform("nunique")
    for image_id, group in images.loc[splits_of_group > 1, "group"].items():
        yield Finding(str(image_id), f"its group {group} is in more than one split")


def _image_contradictions(rows: pd.DataFrame) -> Iterator[Finding]:
    """Images of which two rows say different things, against what the image's first row says."""
    codes, image_ids = pd.factorize(rows["image_id"])
    first = np.unique(codes, return_index=True)[1][codes]
    for name in _ONE_PER_IMAGE:
        values = pd.factorize(rows[name])[0]
        for code in np.unique(codes[values != values[first]]):
            yield Finding(str(image_ids[code]), f"has more than one {name}")


def _label_contradictions(rows: pd.DataFrame) -> Iterator[Finding]:
    key = pd.util.hash_pandas_object(
        rows[["image_id", "width", "height", *NAMES]], index=False
    ).to_numpy()
    grouped = rows["ssim"].groupby(key)
    apart = grouped.transform("max") - grouped.transform("min") > SSIM_TOLERANCE
    yield from _named(rows, apart, "same picture and parameters as another row, other SSIM")


def _wrong_summaries(rows: pd.DataFrame, images: pd.DataFrame) -> Iterator[Finding]:
    grouped = rows.groupby("image_id")
    told = pd.DataFrame({"n": grouped.size(), "mean_ssim": grouped["ssim"].mean(),
                         "split": grouped["split"].first()})  # fmt: skip
    for image_id in images.index.symmetric_difference(told.index):
        yield Finding(str(image_id), "is not in both tables")
    both = images.join(told.add_suffix("_of_rows"), how="inner")
    wrong = {
        "n": both["n"] != both["n_of_rows"],
        "mean_ssim": ~((both["mean_ssim"] - both["mean_ssim_of_rows"]).abs() <= _ROUNDING),
        "split": both["split"] != both["split_of_rows"],
    }
    for name, where in wrong.items():
        for image_id in both.index[where]:
            yield Finding(str(image_id), f"its {name} is not that of its rows")


def _named(rows: pd.DataFrame, where: pd.Series[bool], fact: str) -> Iterator[Finding]:
    for conversion_id in rows.loc[where.to_numpy(bool), "conversion_id"]:
        yield Finding(str(conversion_id), fact)
