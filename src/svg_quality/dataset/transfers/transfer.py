"""Whole folders to and from a storage, so that nothing half is ever taken for whole.

A folder is sent with its manifest last, and every file is read back and its SHA-256 compared: a
transfer that broke, at whatever moment, leaves a place without a manifest. `remote_differences`
refuses it, and sending again completes it. What has its manifest is immutable.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from svg_quality.dataset.manifest import (
    CHANGED,
    FILES,
    MANIFEST,
    check_folder,
    differences,
    is_sealed,
    parse_manifest,
    read_manifest,
)
from svg_quality.dataset.transfers.storage import Place, opened
from svg_quality.errors import StorageError

_THREADS: Final = 4

Result = TypeVar("Result")
OnProgress = Callable[[str, int], object]  # a file is done: its name, its bytes


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a transfer did."""

    url: str
    n_files: int  # the manifest included
    n_bytes: int  # without it
    n_sent: int  # files that were not there yet


def publish(
    folder: Path, kind: str, name: str, version: str, to: str, on_progress: OnProgress | None = None
) -> str:
    """Send a folder to its place in a storage, ``TO/KIND/NAME/VERSION``; gives that place.

    Args:
        folder: with a manifest.
        kind: ``releases`` or ``exports``.
        name, version: of it.
        to: URL or folder of the storage, see `storage_url`.
        on_progress: told of each file.

    Raises:
        DatasetError, StorageError: as `upload_folder`.
    """
    return upload_folder(folder, f"{to.rstrip('/')}/{kind}/{name}/{version}", on_progress).url


def upload_folder(folder: Path, url: str, on_progress: OnProgress | None = None) -> Transfer:
    """Send a folder with a manifest. See `upload_files`.

    Raises:
        DatasetError: the folder is not as its manifest says.
        StorageError: as `upload_files`.
    """
    files = {name: folder / name for name in check_folder(folder)[FILES]}
    return upload_files(files, folder / MANIFEST, url, on_progress)


def upload_files(
    files: Mapping[str, Path], manifest: Path, url: str, on_progress: OnProgress | None = None
) -> Transfer:
    """Send files from anywhere, read each back, then send their manifest.

    Args:
        files: by relative name, those that the manifest lists.
        manifest: file that says what each must be, whatever lies on the disk by now.
        url: of a place that is empty, holds this very folder, or an unfinished transfer of it.
        on_progress: told of each file, sent or found there.

    Raises:
        StorageError: the storage cannot be reached, refuses, alters what is sent, or holds
            something else at this place.
    """
    content = manifest.read_bytes()
    listed = json.loads(content)[FILES]
    total = sum(entry["bytes"] for entry in listed.values())
    with opened(url) as place:
        there = place.sizes()
        if MANIFEST in there and (finished := parse_manifest(place.read(MANIFEST))):
            if finished != json.loads(content):
                raise StorageError(f"what is stored must not change, {url} holds something else")
            _refuse(place, _differences(place, finished, there, on_progress))
            return Transfer(url, len(listed) + 1, total, 0)
        foreign = sorted(there.keys() - listed.keys() - {MANIFEST})
        if foreign:
            raise StorageError(
                f"a place to send to must be empty, {url} holds {len(foreign)} other files;"
                f" first: {foreign[0]}"
            )

        def deliver(name: str) -> bool:
            return place.deliver(files[name], name, listed[name], there.get(name, -1))

        n_sent = 1
        with closing(_at_once(deliver, listed)) as done:
            for name, sent in done:
                n_sent += sent
                if on_progress:
                    on_progress(name, listed[name]["bytes"])
        entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        place.deliver(manifest, MANIFEST, entry, -1)
    return Transfer(url, len(listed) + 1, total, n_sent)


def download_folder(url: str, folder: Path, on_progress: OnProgress | None = None) -> Path:
    """Fetch a stored folder; it appears under its name only once it is whole and checked.

    Args:
        url: of it.
        folder: new; where it exists it must be the same one.
        on_progress: told of each file.

    Raises:
        StorageError: nothing finished lies there, what lies there is not as its manifest says,
            or ``folder`` holds something else.
        DatasetError: ``folder`` exists and has no manifest.
    """
    with opened(url) as place:
        there = place.sizes()
        manifest = _manifest(place, there)
        if folder.exists():
            if read_manifest(folder) != manifest or differences(folder):
                raise StorageError(f"a folder must not change, {folder} is not what {url} is")
            return folder
        _refuse(place, _by_name_and_size(manifest, there))
        listed = manifest[FILES]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            unfinished = Path(temporary) / folder.name

            def fetch(name: str) -> None:
                place.fetch(name, unfinished / name, listed[name])

            with closing(_at_once(fetch, listed)) as done:
                for name, _ in done:
                    if on_progress:
                        on_progress(name, listed[name]["bytes"])
            unfinished.mkdir(exist_ok=True)
            (unfinished / MANIFEST).write_bytes(place.read(MANIFEST))
            check_folder(unfinished)
            unfinished.rename(folder)
    return folder


def remote_manifest(url: str) -> dict[str, Any]:
    """The manifest of a stored folder.

    Raises:
        StorageError: nothing finished lies there, or the storage cannot be reached.
    """
    with opened(url) as place:
        return _manifest(place, place.sizes())


def remote_differences(url: str, on_progress: OnProgress | None = None) -> list[str]:
    """Each way in which a stored folder is not as its manifest says; every byte is read.

    Raises:
        StorageError: as `remote_manifest`.
    """
    with opened(url) as place:
        there = place.sizes()
        return _differences(place, _manifest(place, there), there, on_progress)


def _at_once(
    work: Callable[[str], Result], names: Iterable[str]
) -> Generator[tuple[str, Result], None, None]:
    """Each name with its result, as they end; the first error ends the rest."""
    pool = ThreadPoolExecutor(_THREADS)
    try:
        pending = {pool.submit(work, name): name for name in names}
        for future in as_completed(pending):
            yield pending[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _manifest(place: Place, there: Mapping[str, int]) -> dict[str, Any]:
    if MANIFEST not in there:
        raise StorageError(
            f"a stored folder must have a manifest, {place.url} has none: nothing was sent there,"
            " or not to its end"
        )
    manifest = parse_manifest(place.read(MANIFEST))
    if manifest is None:
        raise StorageError(f"a manifest must list files, {place.url}/{MANIFEST} does not")
    for name in manifest[FILES]:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.as_posix() != name:
            raise StorageError(f"a manifest must name files below it, {place.url} names {name!r}")
    return manifest


def _differences(
    place: Place,
    manifest: Mapping[str, Any],
    there: Mapping[str, int],
    on_progress: OnProgress | None,
) -> list[str]:
    listed = manifest[FILES]
    said = _by_name_and_size(manifest, there)
    if not is_sealed(place.read(MANIFEST)):
        said[MANIFEST] = CHANGED

    def digest(name: str) -> str:
        return place.digest(name, there[name])

    with closing(_at_once(digest, listed.keys() - said.keys())) as done:
        for name, found in done:
            if found != listed[name]["sha256"]:
                said[name] = f"{name} has changed"
            if on_progress:
                on_progress(name, there[name])
    return [said[name] for name in sorted(said)]


def _by_name_and_size(manifest: Mapping[str, Any], there: Mapping[str, int]) -> dict[str, str]:
    """The differences that a listing shows, by name."""
    listed = manifest[FILES]
    said = {name: f"{name} is missing" for name in listed.keys() - there.keys()}
    for name in there.keys() - listed.keys() - {MANIFEST}:
        said[name] = f"{name} is not in the manifest"
    for name in listed.keys() & there.keys():
        if there[name] != listed[name]["bytes"]:
            said[name] = f"{name} has changed"
    return said


def _refuse(place: Place, found: Iterable[str] | Mapping[str, str]) -> None:
    said = sorted(found.values() if isinstance(found, Mapping) else found)
    if said:
        more = f" ({len(said)} differences)" if len(said) > 1 else ""
        raise StorageError(
            f"what is stored must be as its manifest says, in {place.url} {said[0]}{more}"
        )
