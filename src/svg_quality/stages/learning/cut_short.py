"""Where a training keeps its state while it lasts, so that one that was cut short can go on.

Each training has a folder of its own, named after its run, and holds a lock on it: the system
lets go of the lock when the process dies, however that is. A folder without a holder was cut
short. One that ends well removes its folder.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from svg_quality.stages.console import say
from svg_quality.tracking.identity import Work, fingerprint

CHECKPOINTS: Final = "checkpoints"
TENSORBOARD: Final = "tensorboard"
MONITOR: Final = "monitor"
_WORK: Final = "work.json"  # what is done there; the lock is on it


@contextmanager
def training_folder(root: Path, run_id: str, work: Work, resume: bool) -> Iterator[Path]:
    """The folder of this run's training, which only an error leaves behind.

    Args:
        root: of the folders of all trainings.
        run_id: of this one.
        work: what it does; ``resume`` itself makes no difference.
        resume: whether to take over the newest that was cut short with the same settings,
            inputs and code. Where there is none, it says so and begins anew.
    """
    settings = {name: value for name, value in work.settings.items() if name != "resume"}
    digest = fingerprint(work.stage, settings, work.digests, work.code)
    record = {"fingerprint": digest, "settings": settings}
    own = root / run_id
    lock = _taken_over(root, own, record) if resume else None
    if lock is None:
        own.mkdir(parents=True)
        lock = (own / _WORK).open("w+", encoding="utf-8")
        fcntl.flock(lock, fcntl.LOCK_EX)
        json.dump(record, lock)
        lock.flush()
    with lock:
        yield own
        shutil.rmtree(own)
        for folder in _cut_short(root, digest):  # the same work, done now
            abandoned = _locked(folder)
            if abandoned is not None:
                with abandoned:
                    shutil.rmtree(folder)


def _taken_over(root: Path, own: Path, record: Mapping[str, Any]) -> TextIO | None:
    """The lock of a folder that is this run's now."""
    for folder in _cut_short(root, record["fingerprint"]):
        lock = _locked(folder)
        if lock is not None:
            folder.rename(own)
            return lock
    others = _cut_short(root)
    if others:
        reason = f"the newest that was cut short had {_difference(others[0], record)}"
    else:
        reason = "no training was cut short"
    say(f"train      begins anew: {reason}")
    return None


def _cut_short(root: Path, digest: str | None = None) -> list[Path]:
    """Folders that nobody holds (of this work, if one is named), newest first."""
    found = []
    for folder in root.glob("*/"):
        lock = _locked(folder)
        if lock is None:
            continue
        with lock:
            if digest in (None, _record(folder).get("fingerprint")):
                found.append(folder)
    return sorted(found, key=lambda folder: (folder / _WORK).stat().st_mtime, reverse=True)


def _locked(folder: Path) -> TextIO | None:
    """The folder's lock, unless somebody holds it or the folder is none of ours."""
    try:
        lock = (folder / _WORK).open("r+", encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _record(folder: Path) -> dict[str, Any]:
    """Empty where the process was killed while it wrote."""
    try:
        record: dict[str, Any] = json.loads((folder / _WORK).read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return record


def _difference(folder: Path, record: Mapping[str, Any]) -> str:
    theirs = _record(folder).get("settings", {})
    changed = [
        f"{name} {theirs.get(name)}, not {value}"
        for name, value in record["settings"].items()
        if theirs.get(name) != value
    ]
    return f"other settings ({'; '.join(changed)})" if changed else "other inputs or other code"
