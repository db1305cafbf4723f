"""The pictures that logs name: found where the log says, never by a guess, and looked at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any

from svg_quality.dataset.collection.log_records import Fault
from svg_quality.dataset.logos import LogoFile
from svg_quality.dataset.survey import LogoRecord, SurveyTask, survey_logos

Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
Picture = tuple[Path, int]  # a file, and the working size it is looked at


def unseen(items: Iterable[Any], total: int, label: str) -> Iterator[Any]:
    """Progress that nobody watches."""
    yield from items


def locate_image(logged: str, roots: Sequence[Path]) -> tuple[Path, str] | Fault:
    """The file, and its name relative to the first root that has it.

    Args:
        logged: path as the log gives it; with backslashes alone it is a Windows path.
        roots: folders that a path may start from. A file outside of all is not taken, even where
            it exists: a log from elsewhere must not decide which files of this machine are read.
    """
    windows = "\\" in logged and "/" not in logged
    plain = PureWindowsPath(logged).as_posix() if windows else logged
    outside = True
    for root in roots:
        base = Path(os.path.normpath(root.absolute()))
        path = Path(os.path.normpath(base / plain))
        if not path.is_relative_to(base):
            continue
        outside = False
        try:
            found = path.is_file()
        except OSError:  # a name too long for a file
            found = False
        if found:
            return path, path.relative_to(base).as_posix()
    if outside:
        return Fault("image outside", f"{logged} is neither under --images nor beside the log")
    return Fault("image not found", logged)


def survey_pictures(
    wanted: Mapping[Picture, bool],
    library: Path,
    n_workers: int,
    timeout_s: float,
    progress: Progress = unseen,
) -> dict[Picture, LogoRecord | str]:
    """A record of every picture, or the reason why there is none.

    Args:
        wanted: which pictures; those with True are kept in the library.
        library: folder of the logo library.
        n_workers: processes.
        timeout_s: seconds a picture may take.
        progress: wraps the outcomes, for people who wait.
    """
    if not wanted:
        return {}
    with TemporaryDirectory() as elsewhere:
        tasks = [
            SurveyTask(
                LogoFile(path, str(path), None), "", library if keep else Path(elsewhere), size, 0.0
            )
            for (path, size), keep in wanted.items()
        ]
        outcomes = survey_logos(tasks, n_workers, timeout_s)
        found: dict[Picture, LogoRecord | str] = {}
        for outcome in progress(outcomes, len(tasks), "looking at images"):
            picture = (outcome.task.logo.path, outcome.task.working_size)
            found[picture] = outcome.result[0] if outcome.result else str(outcome.error)
    return found
