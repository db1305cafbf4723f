"""Whether a table says what a conversion gives: rows converted again, and compared.

The same picture, parameters and versions give the same SVG, byte for byte. Its drawing is
compared in float64, where processors may differ in the last bits (sums of a million terms: up to
about 1e-12), so an SSIM agrees within ``SSIM_TOLERANCE`` = 1e-6: the place that a release's digest
rounds to, far above that noise and far below what any other picture, parameter or definition
does (float32 blurs alone move it by up to 1e-4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import NAMES
from svg_quality.conversion.rendering import RENDERER_VERSION
from svg_quality.conversion.tracing import VTRACER_VERSION
from svg_quality.conversion.workers import ConversionTask, convert_all
from svg_quality.dataset.cleaning.clean import SSIM_TOLERANCE
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.tables import parameters_of

NEEDED: Final = ("conversion_id", "image_path", "working_size", *NAMES, "ssim", "svg_bytes")
_VERSIONS: Final = {"vtracer_version": VTRACER_VERSION, "renderer_version": RENDERER_VERSION}

Watch = Callable[[Iterable[Any], int], Iterable[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Correspondence:
    """What converting rows again showed.

    Attributes:
        rows: as `remeasure` gives them.
    """

    rows: pd.DataFrame

    @property
    def disagreeing(self) -> pd.DataFrame:
        """The rows with a finding."""
        return self.rows[self.rows["finding"].notna()]

    @property
    def largest_difference(self) -> float | None:
        """Between a logged and a measured SSIM; None where nothing could be measured."""
        differences = self.rows["ssim_difference"].abs().dropna()
        return float(differences.max()) if len(differences) else None


def sample_rows(frame: pd.DataFrame, n_rows: int, seed: int) -> pd.DataFrame:
    """So many rows at random, the same whatever order they come in.

    Args:
        frame: measured rows, with ``conversion_id``.
        n_rows: at most.
        seed: of the choice.
    """
    ordered = frame["conversion_id"].sort_values()
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(ordered), min(n_rows, len(ordered)), replace=False)
    return frame.loc[ordered.index[np.sort(chosen)]]


def remeasure(
    rows: pd.DataFrame,
    library: LogoLibrary,
    n_workers: int,
    timeout_s: float,
    watch: Watch = lambda outcomes, total: outcomes,
) -> pd.DataFrame:
    """Convert rows again and set what is measured beside what they say.

    Args:
        rows: of a conversions table, with the columns ``NEEDED``; ``vtracer_version`` and
            ``renderer_version``, where they are there, explain a difference.
        library: of their pictures.
        n_workers: processes.
        timeout_s: limit of one conversion.
        watch: is given the outcomes as they end and their number, passes them on.

    Returns:
        A row for each, in the same order: ``conversion_id``, ``ssim_logged``, ``ssim_measured``,
        ``ssim_difference`` (measured less logged), ``svg_bytes_logged``, ``svg_bytes_measured``,
        ``error`` (why it could not be measured, or NA) and ``finding`` (NA where it agrees).
    """
    ids = rows["conversion_id"].astype("str").tolist()
    paths = [library.path(name) for name in rows["image_path"]]
    there = [path.is_file() for path in paths]
    tasks = [
        ConversionTask(*task)
        for task in zip(ids, paths, rows["working_size"].tolist(), parameters_of(rows), strict=True)
    ]
    todo = [task for task, found in zip(tasks, there, strict=True) if found]
    todo.sort(key=lambda task: str(task.path))  # neighbours that share a picture are cheapest
    outcomes = convert_all(todo, n_workers, timeout_s) if todo else ()
    done = {outcome.task.conversion_id: outcome for outcome in watch(outcomes, len(todo))}
    results = [(done[i].result or {}) if i in done else {} for i in ids]
    table = pd.DataFrame(
        {
            "conversion_id": ids,
            "ssim_logged": rows["ssim"].to_numpy(np.float64, na_value=np.nan),
            "ssim_measured": pd.Series([r.get("ssim") for r in results], dtype="float64"),
            "svg_bytes_logged": rows["svg_bytes"].astype("Int64").array,
            "svg_bytes_measured": pd.Series([r.get("svg_bytes") for r in results], dtype="Int64"),
            "error": pd.Series(
                [done[i].error if i in done else "its picture is not in the library" for i in ids],
                dtype="str",
            ),
        }
    )
    table.insert(3, "ssim_difference", table["ssim_measured"] - table["ssim_logged"])
    findings = list(_findings(table, rows))
    return table.assign(finding=pd.Series(findings, index=table.index, dtype="str"))


def _findings(table: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str | None]:
    """What is wrong with each row, or None."""
    other = _other_versions(rows)
    for row, versions in zip(table.to_dict(orient="records"), other, strict=True):
        logged, measured = row["svg_bytes_logged"], row["svg_bytes_measured"]
        if pd.notna(row["error"]):
            yield f"cannot be converted again: {row['error']}"
        elif not abs(row["ssim_difference"]) <= SSIM_TOLERANCE:
            yield f"SSIM must be {row['ssim_measured']:.8f}, got {row['ssim_logged']:.8f}{versions}"
        elif pd.notna(logged) and logged != measured:
            yield f"svg_bytes must be {measured}, got {logged}{versions}"
        else:
            yield None


def _other_versions(rows: pd.DataFrame) -> list[str]:
    """The tools that made each row, where they are not those that are here."""
    notes = [""] * len(rows)
    for column, here in _VERSIONS.items():
        if column in rows:
            for place, made_by in enumerate(rows[column].tolist()):
                if made_by != here:
                    notes[place] += f" ({column} {made_by}, here {here})"
    return notes
