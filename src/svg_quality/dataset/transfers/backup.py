"""Backups: which files of a project belong to one, and how they come back.

A backup is one immutable folder ``backup-TIME-DIGEST`` in a storage, its files under the names
they have in the project, with a manifest. Half-written things stay out: hidden files and folders,
locks, and the unfinished last line of a log.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from svg_quality.dataset.manifest import FILES, MANIFEST, manifest_text
from svg_quality.dataset.transfers.storage import opened
from svg_quality.dataset.transfers.transfer import OnProgress, Transfer, upload_files
from svg_quality.dataset.whole_lines import drop_unfinished_line
from svg_quality.errors import DatasetError

LOG: Final = "data/conversions/log.jsonl"
USE: Final = "data/conversions/use.jsonl"
PREDICTIONS: Final = "data/predictions/predictions.jsonl"
LEDGER: Final = "mlruns/promotions.jsonl"
APPENDED: Final = (LOG, USE, PREDICTIONS, LEDGER)  # may grow by a line while they are copied
DATABASE: Final = "mlruns/mlflow.db"
PLACES: Final = {  # of each part: folders and files of the project
    "releases": ("data/releases", "data/logos"),
    "logs": (LOG, USE, PREDICTIONS, "data/marks.json"),
    "models": ("mlruns/artifacts", LEDGER, DATABASE),
}
KIND: Final = "backup"  # in the manifest
_NAME: Final = "backup-"  # of a backup's folder, then when and what
_NAMED: Final = 5  # backups in one sentence
_DIGITS: Final = 8
_PIECE: Final = 2**20


def chosen_parts(text: str) -> tuple[str, ...]:
    """The parts that a list names.

    Raises:
        DatasetError: one is unknown, or there is none.

    Example:
        >>> chosen_parts("logs, releases")
        ('releases', 'logs')
    """
    named = {part.strip() for part in text.split(",") if part.strip()}
    if not named or named - PLACES.keys():
        raise DatasetError(f"parts must be of {', '.join(PLACES)}, got {text!r}")
    return tuple(part for part in PLACES if part in named)


def part_of(name: str) -> str:
    """The part that a file of a backup belongs to.

    Raises:
        DatasetError: it belongs to none.
    """
    for part, places in PLACES.items():
        if any(name == place or name.startswith(f"{place}/") for place in places):
            return part
    raise DatasetError(f"a backup must hold what `backup` puts there, this one holds {name}")


def files_of(root: Path, parts: Iterable[str], scratch: Path) -> dict[str, Path]:
    """Every file of a project that belongs to a backup, by its name there.

    Args:
        root: of the project.
        parts: of `PLACES`. The tracking database is not among the files: it is copied by its own
            means.
        scratch: folder for the logs' whole lines.
    """
    files: dict[str, Path] = {}
    for place in (place for part in parts for place in PLACES[part] if place != DATABASE):
        top = root / place
        paths = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in paths:
            name = path.relative_to(root).as_posix()
            if path.is_file() and not _half_written(name):
                files[name] = path
    for name in files.keys() & set(APPENDED):
        files[name] = _whole_lines(files[name], scratch / PurePosixPath(name).name)
    return files


def _half_written(name: str) -> bool:
    path = PurePosixPath(name)
    # The library writes ID.PROCESS and renames it.
    in_writing = name.startswith("data/logos/") and path.suffix[1:].isdigit()
    return in_writing or path.suffix == ".lock" or any(part[0] == "." for part in path.parts)


def _whole_lines(log: Path, copy: Path) -> Path:
    shutil.copyfile(log, copy)
    with copy.open("rb+") as file:
        drop_unfinished_line(file)
    return copy


def send_backup(
    files: Mapping[str, Path],
    about: Mapping[str, Any],
    target: str,
    scratch: Path,
    on_progress: OnProgress | None = None,
) -> Transfer:
    """Send a backup into a storage, read back file by file.

    Args:
        files: by name.
        about: what its manifest also says.
        target: URL or folder of the storage.
        scratch: folder for the manifest.
        on_progress: told of each file.

    Raises:
        DatasetError: there is no file.
        StorageError: as `upload_files`; a file that was changed since it was described, too.
    """
    if not files:
        raise DatasetError("a backup must hold a file, this project has none of these parts yet")
    described = {name: _described(files[name]) for name in sorted(files)}
    made = datetime.now(UTC)
    digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()
    created = made.isoformat(timespec="seconds")
    content = {"kind": KIND, "created": created, "digest": digest, **about}
    manifest = scratch / MANIFEST
    manifest.write_text(manifest_text(content, described), encoding="utf-8")
    name = f"{_NAME}{made:%Y%m%dT%H%M%SZ}-{digest[:_DIGITS]}"
    return upload_files(files, manifest, f"{target.rstrip('/')}/{name}", on_progress)


def refuse_many(url: str) -> None:
    """Stop where a place is not a backup, but a folder of them.

    Raises:
        DatasetError: it is; the newest ones are named.
        StorageError: the storage cannot be reached.
    """
    with opened(url) as place:
        there = place.sizes()
    tops = {name.partition("/")[0] for name in there}
    inside = sorted(x for x in tops if x.startswith(_NAME) and f"{x}/{MANIFEST}" in there)
    if inside and MANIFEST not in there:
        named = ", ".join(reversed(inside[-_NAMED:]))
        raise DatasetError(
            f"one backup must be named, {url} holds {len(inside)}; newest first: {named}"
        )


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"sha256": digest, "bytes": file.tell()}


@dataclass(frozen=True, slots=True)
class Restoration:
    """What putting a backup back would do; names of files."""

    new: tuple[str, ...]
    kept: tuple[str, ...]  # there already, the same
    other: tuple[str, ...]  # there already, with other content

    def refuse_others(self) -> None:
        """Stop before anything is touched.

        Raises:
            DatasetError: a file is there with other content.
        """
        if self.other:
            raise DatasetError(
                f"what is there must not be overwritten, {len(self.other)} files have other"
                f" content than in the backup; first: {self.other[0]} (move it away, or leave"
                " its part out with --parts)"
            )


def plan_restoration(manifest: Mapping[str, Any], root: Path, parts: Iterable[str]) -> Restoration:
    """Compare a backup with a project, but for the tracking database.

    A log that goes on where the backup's ended holds all of it, and is kept.

    Raises:
        DatasetError: it is no backup, does not say what one says, or holds a file that belongs to
            no part.
    """
    if manifest.get("kind") != KIND:
        raise DatasetError("a backup must say so in its manifest, this one does not")
    unsaid = [name for name in ("created", "digest", "parts", "root") if not manifest.get(name)]
    if unsaid:
        raise DatasetError(
            f"a backup's manifest must say created, digest, parts and root, this one lacks"
            f" {', '.join(unsaid)}"
        )
    chosen = set(parts)
    wanted = {
        name: entry
        for name, entry in manifest[FILES].items()
        if part_of(name) in chosen and name != DATABASE
    }
    there = [name for name in wanted if (root / name).exists() or (root / name).is_symlink()]
    kept = tuple(name for name in there if _same(root / name, name, wanted[name]))
    return Restoration(
        new=tuple(sorted(wanted.keys() - set(there))),
        kept=kept,
        other=tuple(sorted(set(there) - set(kept))),
    )


def _same(path: Path, name: str, entry: Mapping[str, Any]) -> bool:
    if not path.is_file():
        return False
    if name not in APPENDED:
        return _described(path) == entry
    digest, left = hashlib.sha256(), entry["bytes"]
    with path.open("rb") as file:
        while left and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
    return bool(left == 0 and digest.hexdigest() == entry["sha256"])


def put_back(fetched: Path, root: Path, names: Iterable[str]) -> None:
    """Move files of a fetched backup to their places; manifests last, so none is a half folder's.

    Args:
        fetched: the backup's folder, on the disk of the project.
        root: of the project.
        names: that are not there.
    """
    for name in sorted(names, key=lambda name: (PurePosixPath(name).name == MANIFEST, name)):
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(fetched / name, target)  # a rename, where it is one disk
