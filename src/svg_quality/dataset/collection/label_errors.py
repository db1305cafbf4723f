"""Rows converted again, and how far the logged SSIM was off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import numpy as np

from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.conversion.workers import ConversionTask, convert_all
from svg_quality.dataset.campaign import PlannedConversion, conversion_digest
from svg_quality.dataset.collection.log_images import Progress, unseen
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.survey import LogoRecord

N_WORST: Final = 5


def planned_again(row: Mapping[str, Any]) -> PlannedConversion:
    """The conversion that would measure a row anew."""
    about = {f.name: row[f.name] for f in fields(LogoRecord) if f.name != "descriptors"}
    record = LogoRecord(**about, descriptors=())
    parameters = Parameters(**{name: row[name] for name in NAMES})
    return PlannedConversion(conversion_digest(record, parameters), record, parameters)


def measure_again(
    rows: Sequence[Mapping[str, Any]],
    library: LogoLibrary,
    n_workers: int,
    timeout_s: float,
    progress: Progress = unseen,
) -> list[dict[str, Any]]:
    """The same rows in the same order, each with what is measured now, or with its error.

    Args:
        rows: of the conversions table, no two of the same picture, size and parameters.
        library: that has their pictures.
        n_workers: processes.
        timeout_s: seconds a conversion may take.
        progress: wraps the outcomes, for people who wait.
    """
    if not rows:
        return []
    planned = [planned_again(row) for row in rows]
    places = {plan.conversion_id: place for place, plan in enumerate(planned)}
    tasks = sorted(
        (
            ConversionTask(p.conversion_id, library.path(p.record.image_path),
                           p.record.working_size, p.parameters)
            for p in planned
        ),
        key=lambda task: task.path,  # a worker keeps the pictures it decoded last
    )  # fmt: skip
    outcomes = convert_all(tasks, n_workers, timeout_s)
    measured: dict[int, dict[str, Any]] = {}
    for outcome in progress(outcomes, len(tasks), "converting again"):
        place = places[outcome.task.conversion_id]
        fresh = planned[place].row(outcome.result, outcome.error)
        measured[place] = {**fresh, "method": rows[place]["method"]}
    return [measured[place] for place in range(len(rows))]


def label_errors(
    names: Sequence[str], logged: Sequence[float | None], measured: Sequence[float | None]
) -> dict[str, Any]:
    """How far logged values were off: logged minus measured, where both are there.

    Args:
        names: what each pair is called, for the worst to be named.
        logged: SSIM.
        measured: SSIM, in the same order.

    Returns:
        ``n``, ``not_compared``, and where ``n`` > 0 the ``mean`` difference (signed), the
        ``mean_absolute``, ``median_absolute``, ``p95_absolute`` (linear interpolation) and
        ``max_absolute`` one, and the ``worst``, at most five.
    """
    pairs = [
        (name, was, now)
        for name, was, now in zip(names, logged, measured, strict=True)
        if was is not None and now is not None
    ]
    counts = {"n": len(pairs), "not_compared": len(names) - len(pairs)}
    if not pairs:
        return counts
    differences = np.array([was - now for _, was, now in pairs], np.float64)
    size = np.abs(differences)
    worst = np.argsort(-size, kind="stable")[:N_WORST]
    return {
        **counts,
        "mean": float(differences.mean()),
        "mean_absolute": float(size.mean()),
        "median_absolute": float(np.median(size)),
        "p95_absolute": float(np.percentile(size, 95)),
        "max_absolute": float(size.max()),
        "worst": [
            {"record": pairs[i][0], "logged": pairs[i][1], "measured": pairs[i][2]} for i in worst
        ],
    }
