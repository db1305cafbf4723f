"""Result logs of other programs, and of our own optimizers, to rows of the conversions table.

Every record ends in the table or in quarantine with all its reasons, so the counts add up. What
a log says is kept, and marked as its word: ``ssim_definition`` is "as logged".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from svg_quality.conversion.images import WORKING_SIZE
from svg_quality.conversion.workers import worker_count
from svg_quality.dataset.collection.collected import (
    Collected,
    LogReport,
    Quarantined,
    counted,
    reason_counts,
)
from svg_quality.dataset.collection.field_aliases import Aliases, read_aliases
from svg_quality.dataset.collection.label_errors import label_errors, measure_again
from svg_quality.dataset.collection.log_entries import (
    Entry,
    make_rows,
    refuse_broken_rows,
    settle_duplicates,
    settle_measured_again,
)
from svg_quality.dataset.collection.log_formats import (
    WHOLE,
    LogContent,
    RawRecord,
    find_logs,
    read_log,
)
from svg_quality.dataset.collection.log_images import (
    Picture,
    Progress,
    locate_image,
    survey_pictures,
    unseen,
)
from svg_quality.dataset.collection.log_records import Fault, Reading, read_record
from svg_quality.dataset.collection.own_records import is_own, read_own
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.tables import conversions_table
from svg_quality.errors import DatasetError, SettingsError

_KEYS_SHOWN: Final = 12


class ConversionDataCollector:
    """Collects conversions from result logs: JSON, JSON lines, CSV and Parquet.

    Args:
        images: folder that the logs' image paths start from; a log's own folder is tried next.
        library: folder of the logo library, which keeps every picture of the table.
        aliases: YAML of field names, in the form of ``aliases.yaml``; None for that one.
        re_measure: convert again, and let our own measurement take the log's place.
        working_size: px of the longer side to which larger images are reduced.
        n_workers: processes; 0 for one per core.
        timeout_s: seconds that an image or a conversion may take.
        progress: called with an iterable, its length and a label; passes the items on.

    Raises:
        SettingsError: the aliases cannot be read, or name something unknown; or there is no folder
            of images.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> record = '{"image_path": "logo.png", "ssim": 0.9, "params": {"path_precision": 2}}'
        >>> _ = (folder / "log.jsonl").write_text(record)
        >>> collector = ConversionDataCollector(images=folder, library=folder / "library")
        >>> collected = collector.collect(folder / "log.jsonl")
        >>> len(collected.table), [str(why) for why in collected.quarantine[0].reasons]
        (0, ['image not found: logo.png'])
    """

    def __init__(
        self,
        images: Path | str = ".",
        library: Path | str = "data/logos",
        aliases: Path | str | None = None,
        *,
        re_measure: bool = False,
        working_size: int = WORKING_SIZE,
        n_workers: int = 0,
        timeout_s: float = 20.0,
        progress: Progress = unseen,
    ) -> None:
        self.images = Path(images)
        if not self.images.is_dir():
            raise SettingsError(f"images must be a folder, {images} is none")
        self.library = LogoLibrary(Path(library))
        self.aliases = read_aliases(Path(aliases) if aliases else None)
        self.re_measure = re_measure
        self.working_size = working_size
        self.n_workers = worker_count(n_workers)
        self.timeout_s = timeout_s
        self.progress = progress

    def collect(self, path: Path | str) -> Collected:
        """Collect a log, or every log of a folder and its sub-folders.

        Raises:
            DatasetError: there is no log, or none that could be used; its notes name the problem
                of each.
        """
        logs = [_Log(name, file, self.aliases) for name, file in find_logs(Path(path)).items()]
        if all(log.problem for log in logs):
            raise _none_usable(path, logs)
        entries = [self._entry(log, record) for log in logs for record in log.records]
        self._look_at_images(entries)
        make_rows(entries, datetime.now(UTC).isoformat(timespec="milliseconds"))
        refuse_broken_rows(entries)
        settle_duplicates(entries)
        remeasured = self._measure_again(entries) if self.re_measure else None
        return _collected(logs, entries, remeasured)

    def _entry(self, log: _Log, raw: RawRecord) -> Entry:
        """A record read, and its image located."""
        if raw.fields is None or raw.fault is not None:
            reading = Reading([Fault(raw.kind, str(raw.fault))])
            return Entry(log.name, log.file.name, raw, reading)
        own = is_own(raw.fields)
        reading = read_own(raw.fields) if own else read_record(raw.fields, self.aliases)
        entry = Entry(log.name, log.file.name, raw, reading, own)
        if reading.image is None:
            return entry
        if own and not isinstance(locate_image(reading.image, (self.library.root,)), Fault):
            return entry
        found = locate_image(reading.image, (self.images, log.file.parent))
        if isinstance(found, Fault):
            reading.faults.append(found)
        else:
            size = reading.columns.get("working_size") or self.working_size
            entry.picture, entry.name = (found[0], size), found[1]
        return entry

    def _look_at_images(self, entries: Sequence[Entry]) -> None:
        wanted: dict[Picture, bool] = defaultdict(bool)
        for entry in entries:
            if entry.picture:
                wanted[entry.picture] |= entry.good
        pictures = survey_pictures(
            wanted, self.library.root, self.n_workers, self.timeout_s, self.progress
        )
        for entry in entries:
            seen = pictures[entry.picture] if entry.picture else None
            if isinstance(seen, str):
                entry.reading.refuse("image unreadable", f"{entry.name}: {seen}")
            else:
                entry.seen = seen

    def _measure_again(self, entries: Sequence[Entry]) -> dict[str, Any]:
        chosen = settle_measured_again(entries)
        rows = [entry.row for entry in chosen if entry.row]
        fresh = measure_again(rows, self.library, self.n_workers, self.timeout_s, self.progress)
        for entry, row in zip(chosen, fresh, strict=True):
            entry.row = row
        errors = label_errors(
            [f"{entry.place} ({entry.name or entry.reading.image})" for entry in chosen],
            [row["ssim"] for row in rows],
            [row.get("ssim") for row in fresh],
        )
        return {**errors, "failed_again": sum(row["error"] is not None for row in fresh)}


class _Log:
    """A file, the records it holds, or the problem it is."""

    def __init__(self, name: str, file: Path, aliases: Aliases) -> None:
        self.name, self.file = name, file
        self.sha256: str | None = None
        self.problem: str | None = None
        self.records: list[RawRecord] = []
        self.other_lists: dict[str, int] = {}
        try:
            content = read_log(file)
            self.sha256 = content.sha256
            self._choose(content, aliases)
        except DatasetError as error:
            self.problem = str(error)

    def _choose(self, content: LogContent, aliases: Aliases) -> None:
        """Take every list whose layout is known; the file itself where no list is."""
        usable = [key for key, records in content.lists.items() if _is_known(records, aliases)]
        if usable != [WHOLE]:
            usable = [key for key in usable if key != WHOLE]
        if not usable:
            raise DatasetError(_unknown_layout(self.name, content, aliases))
        self.records = [record for key in usable for record in content.lists[key]]
        others = content.lists.keys() - {*usable, WHOLE}
        self.other_lists = {key: len(content.lists[key]) for key in sorted(others)}


def _is_known(records: Sequence[RawRecord], aliases: Aliases) -> bool:
    return any(
        is_own(record.fields) or not aliases.lacking(record.fields)
        for record in records
        if record.fields is not None
    )


def _unknown_layout(name: str, content: LogContent, aliases: Aliases) -> str:
    law = "a log must list records with an image path and an SSIM or parameters"
    lacking: list[tuple[str, ...]] = [
        aliases.lacking(record.fields)
        for records in content.lists.values()
        for record in records
        if record.fields is not None
    ]
    if not lacking:
        return f"{law}, {name} lists no record"
    keys = ", ".join(content.keys[:_KEYS_SHOWN])
    more = ", ..." if len(content.keys) > _KEYS_SHOWN else ""
    least = " and ".join(sorted(lacking, key=len)[0])
    return f"{law}; {name} has {keys}{more}, and lacks {least}"


def _none_usable(path: Path | str, logs: Sequence[_Log]) -> DatasetError:
    if len(logs) == 1:
        return DatasetError(str(logs[0].problem))
    error = DatasetError(f"a log must be usable, none of the {len(logs)} in {path} is")
    for log in logs:
        error.add_note(f"{log.name}: {log.problem}")
    return error


def _collected(
    logs: Sequence[_Log], entries: Sequence[Entry], remeasured: dict[str, Any] | None
) -> Collected:
    kept = [(entry, entry.row) for entry in entries if entry.good and entry.row]
    by_log: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_log[entry.log].append(entry)
    return Collected(
        table=conversions_table([row for _, row in kept]),
        quarantine=tuple(_quarantined(entry) for entry in entries if not entry.good),
        logs=tuple(_report(log, by_log[log.name]) for log in logs),
        defaults=counted(name for entry, _ in kept for name in entry.reading.defaults),
        methods=counted(f"{e.reading.said_method}: {row['method']}" for e, row in kept),
        times=counted(entry.reading.created for entry, _ in kept),
        logo_types=counted(entry.type_from for entry, _ in kept),
        remeasured=remeasured,
    )


def _quarantined(entry: Entry) -> Quarantined:
    return Quarantined(entry.log, entry.raw.at, tuple(entry.reading.faults), entry.raw.raw)


def _report(log: _Log, entries: Sequence[Entry]) -> LogReport:
    places: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        for name, place in entry.reading.found.items():
            places[name][place] += 1
    return LogReport(
        name=log.name,
        sha256=log.sha256,
        n_records=len(entries),
        n_rows=sum(entry.good for entry in entries),
        reasons=reason_counts(_quarantined(entry) for entry in entries if not entry.good),
        fields=places,
        other_lists=log.other_lists,
        problem=log.problem,
    )
