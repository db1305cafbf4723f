"""The runs that a release was made of, and those that they were made of, to the beginning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from svg_quality.dataset.releases.config_lock import LockedInput
from svg_quality.errors import TrackingError
from svg_quality.tracking.lookup import FinishedRun, finished_run

_INPUT: Final = "input."  # a run's tags of the runs that it was made of


def lineage(runs: list[FinishedRun]) -> list[LockedInput]:
    """The runs, then those that each was made of, and so on; each once."""
    locked = {
        run.run_id: LockedInput(run.stage, run.run_id, run.output_digest, _settings_of(run))
        for run in runs
    }
    waiting = list(runs)
    while waiting:
        tags = waiting.pop(0).tags
        for stage, run_id in _inputs_of(tags):
            if run_id in locked:
                continue
            digest = tags.get(f"{_INPUT}{stage}.digest", "")
            try:
                before = finished_run(run_id)
            except TrackingError:  # deleted since; what it made is in the run that it led to
                locked[run_id] = LockedInput(stage, run_id, digest, None)
                continue
            locked[run_id] = LockedInput(stage, run_id, digest, _settings_of(before))
            waiting.append(before)
    return list(locked.values())


def _inputs_of(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Stage and id of the runs that a run was made of, as its tags say."""
    for name, run_id in sorted(tags.items()):
        if name.startswith(_INPUT) and not name.endswith(".digest"):
            yield name.removeprefix(_INPUT), run_id


def _settings_of(run: FinishedRun) -> dict[str, Any] | None:
    try:
        text = run.artifact("settings.json").read_text(encoding="utf-8")
    except TrackingError:  # its artifacts were deleted
        return None
    settings: dict[str, Any] = json.loads(text)
    return settings
