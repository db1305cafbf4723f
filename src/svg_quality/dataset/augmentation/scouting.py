"""Looking for logos of wanted types: only as many are looked at as it takes to find them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from svg_quality.conversion.workers import Outcome
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.survey import LogoRecord, SurveyTask, survey_logos

_Looked = Outcome[SurveyTask, list[LogoRecord]]


@dataclass(frozen=True, slots=True)
class Scouted:
    """What a search came to."""

    records: list[LogoRecord]  # of wanted types, in the order of the tasks
    n_looked: int  # logos that were decided on
    n_other_type: int  # of types that were not wanted, or no longer
    n_known: int  # pictures that were there already
    rejected: dict[str, str]  # reason by name, of those that could not be read


def scout_logos(
    tasks: Iterable[SurveyTask],
    wanted: Mapping[str, int],
    known: Iterable[str],
    n_workers: int,
    timeout_s: float,
    on_found: Callable[[int], object] = lambda n_pictures: None,
) -> Scouted:
    """Look at logos in their order until there are enough pictures of every wanted type.

    The outcome does not depend on the workers: logos are decided on in the order of the tasks. A
    picture goes into its task's library only when it is taken.

    Args:
        tasks: consumed as long as a type is wanted.
        wanted: pictures by type; a JPEG copy counts.
        known: image_ids that are no use.
        n_workers: processes.
        timeout_s: limit for each logo, in seconds.
        on_found: called with the number of pictures just taken.
    """
    left = {name: n for name, n in wanted.items() if n > 0}
    seen, n_other, n_known, n_looked = set(known), 0, 0, 0
    records: list[LogoRecord] = []
    rejected: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        for outcome in _in_order(tasks, left, Path(folder), n_workers, timeout_s):
            if not left:
                break
            n_looked += 1
            if outcome.result is None:
                rejected[outcome.task.logo.name] = outcome.error or ""
            elif outcome.result[0].logo_type not in left:
                n_other += 1
            elif not (new := [r for r in outcome.result if r.image_id not in seen]):
                n_known += 1
            else:
                for record in new:
                    found = LogoLibrary(Path(folder)).path(record.image_path)
                    LogoLibrary(outcome.task.library).keep(record.image_path, found.read_bytes())
                seen.update(record.image_id for record in new)
                records += new
                _count_down(left, new[0].logo_type, len(new))
                on_found(len(new))
    return Scouted(records, n_looked, n_other, n_known, rejected)


def _in_order(
    tasks: Iterable[SurveyTask], left: Mapping[str, int], folder: Path, n_workers: int, limit: float
) -> Iterator[_Looked]:
    """Outcomes in the order of the tasks; no further task is begun once nothing is wanted."""
    given: list[SurveyTask] = []

    def feed() -> Iterator[SurveyTask]:
        for task in tasks:
            if not left:
                return
            given.append(task)
            yield replace(task, library=folder)

    if not left:
        return
    ended: dict[str, _Looked] = {}
    place = 0
    for outcome in survey_logos(feed(), n_workers, limit):
        ended[outcome.task.logo.name] = outcome
        while place < len(given) and given[place].logo.name in ended:
            task = given[place]
            place += 1
            yield replace(ended.pop(task.logo.name), task=task)


def _count_down(left: dict[str, int], logo_type: str, n: int) -> None:
    left[logo_type] -= n
    if left[logo_type] <= 0:
        del left[logo_type]
