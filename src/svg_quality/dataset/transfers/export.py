"""An export: a release with its pictures, to be passed on, and nothing private in it.

``data/exports/NAME/VERSION/`` holds the files of the release and ``pictures/AB/ID.png``. Each
table's ``image_path`` is the place of the picture in this folder. Paths of this machine and what
looks like a user's name or an e-mail address are masked in every text.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from svg_quality.conversion.workers import run_isolated
from svg_quality.dataset.assurance.private_text import masked
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.manifest import (
    FILES,
    MANIFEST,
    check_folder,
    describe_files,
    read_manifest,
    write_manifest,
)
from svg_quality.dataset.releases.croissant import CROISSANT
from svg_quality.dataset.releases.json_lines import json_lines
from svg_quality.dataset.releases.release_folder import unfinished_folder
from svg_quality.dataset.transfers.pictures import PictureTask, export_picture
from svg_quality.errors import DatasetError

PICTURES: Final = "pictures"
EXPORT_OF: Final = "export_of"  # in the manifest: SHA-256 of the release's own
TIMEOUT_S: Final = 60.0  # per picture
_IMAGE: Final = ("image_id", "image_path", "working_size")
_TEXTS: Final = frozenset({".md", ".html", ".txt", ".csv", ".yaml"})
_BATCH: Final = 16_384  # rows
_GROUP_ROWS: Final = 2048  # as in the release: a batch for training reads one or two groups
_MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class Export:
    """An export that is as its manifest says."""

    path: Path
    name: str
    version: str
    digest: str  # of the dataset
    n_pictures: int
    n_files: int
    n_bytes: int


def export_release(
    release: Path,
    library: LogoLibrary,
    root: Path,
    *,
    private: Iterable[str] = (),
    n_workers: int = 1,
    passed: Callable[[int], object] = lambda n_pictures: None,
) -> Export:
    """Write an export; where the export of this very release exists already, that one is given.

    Args:
        release: its folder.
        library: of the logos that its rows name.
        root: folder of all exports.
        private: paths of this machine, masked wherever they stand.
        n_workers: processes that write pictures.
        passed: told the number of pictures that were written, as they are.

    Raises:
        DatasetError: the release is not as its manifest says, a picture is missing or altered, or
            something else was exported under this name and version.
    """
    manifest = check_folder(release)
    origin = hashlib.sha256((release / MANIFEST).read_bytes()).hexdigest()
    target = root / manifest["name"] / manifest["version"]
    if target.exists():
        return _exported_already(target, origin)
    hidden = _Mask(private)
    with unfinished_folder(target.parent) as folder:
        tables, pictures = _tables(release), pictures_of(release)
        _write_pictures(pictures, library, folder, n_workers, passed)
        for name in manifest[FILES]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _copy(release / name, folder / name, tables, hidden)
        _describe_anew(folder / CROISSANT, describe_files(folder))
        about = hidden.document({**manifest, FILES: None})
        counts = {PICTURES: len(pictures), "texts_masked": hidden.n_masked}
        write_manifest(folder, {**about, EXPORT_OF: origin, "export": counts})
        folder.replace(target)
    return _as_export(target, check_folder(target))


def _exported_already(target: Path, origin: str) -> Export:
    manifest = check_folder(target)
    if manifest.get(EXPORT_OF) != origin:
        raise DatasetError(
            f"an export must not change, {target} is of another release: give another version"
        )
    return _as_export(target, manifest)


def _as_export(target: Path, manifest: Mapping[str, Any]) -> Export:
    listed = manifest[FILES]
    return Export(
        path=target,
        name=manifest["name"],
        version=manifest["version"],
        digest=manifest["dataset_digest"],
        n_pictures=manifest["export"][PICTURES],
        n_files=len(listed) + 1,
        n_bytes=sum(entry["bytes"] for entry in listed.values()),
    )


def picture_path(image_id: str) -> str:
    """The place of a picture in an export."""
    return f"{PICTURES}/{image_id[:2]}/{image_id}.png"


class _Mask:
    """Hides what is private in texts, and counts the texts it changed."""

    def __init__(self, private: Iterable[str]) -> None:
        # The longest first: a project lies in a home, and is a longer text.
        spelled = {text for path in private if len(path) > 1 for text in _spellings(path)}
        paths = sorted(spelled, key=len, reverse=True)
        # A path of its own: not the end of another one, and not the beginning of another name.
        self._paths = [re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w.-])") for path in paths]
        self.n_masked = 0

    def __call__(self, text: str) -> str:
        hidden = text
        for path in self._paths:
            hidden = path.sub(_MASK, hidden)
        hidden = masked(hidden)
        self.n_masked += hidden != text
        return hidden

    def document(self, value: Any) -> Any:
        """The same for every text of what JSON can write, names too."""
        if isinstance(value, Mapping):
            told: dict[str, Any] = {}
            for name, one in value.items():
                shown = self(name)
                while shown in told:  # two names that differ only in what is private
                    shown += "*"
                told[shown] = self.document(one)
            return told
        if isinstance(value, list):
            return [self.document(one) for one in value]
        return self(value) if isinstance(value, str) else value

    def column(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """The same for a column of texts, each distinct one once."""
        distinct = pc.unique(column)
        texts = [None if text is None else self(text) for text in distinct.to_pylist()]
        places = pc.index_in(column, value_set=distinct)
        return pa.chunked_array([pa.array(texts, pa.string()).take(places.combine_chunks())])


def _spellings(path: str) -> set[str]:
    """A path as texts write it: plain, in JSON, in HTML (by Python and by Jinja), in a URL."""
    in_html = html.escape(path)
    by_jinja = in_html.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    return {path, json.dumps(path)[1:-1], in_html, by_jinja, quote(path)}


def pictures_of(release: Path) -> dict[str, tuple[str, int]]:
    """Path in the library and working size of every picture that a row names, by id.

    Rows that were set aside count too. Raises DatasetError where there is no manifest.
    """
    found: dict[str, tuple[str, int]] = {}
    for path in _tables(release):
        file = pq.ParquetFile(path)
        if not set(_IMAGE) <= set(file.schema_arrow.names):
            continue
        for batch in file.iter_batches(_BATCH, columns=list(_IMAGE)):
            distinct = pa.table(batch).group_by(list(_IMAGE)).aggregate([]).to_pylist()
            found |= {row["image_id"]: (row["image_path"], row["working_size"]) for row in distinct}
    return found


def _tables(release: Path) -> list[Path]:
    return [release / name for name in read_manifest(release)[FILES] if name.endswith(".parquet")]


def _write_pictures(
    pictures: Mapping[str, tuple[str, int]],
    library: LogoLibrary,
    folder: Path,
    n_workers: int,
    passed: Callable[[int], object],
) -> None:
    tasks = [
        PictureTask(library.path(place), image_id, size, folder / picture_path(image_id))
        for image_id, (place, size) in sorted(pictures.items())
    ]
    faults = []
    for outcome in run_isolated(export_picture, tasks, n_workers, TIMEOUT_S):
        if outcome.error:
            faults.append(outcome.error)
        passed(1)
    if faults:
        raise DatasetError(
            f"an export must hold every picture, {len(faults)} of {len(tasks)} failed; first:"
            f" {min(faults)}"
        )


def _copy(source: Path, target: Path, tables: Iterable[Path], hidden: _Mask) -> None:
    if source.suffix == ".parquet":
        with pq.ParquetWriter(target, pq.read_schema(source), compression="zstd") as writer:
            for table in _rows(source, hidden):
                writer.write_table(table, row_group_size=_GROUP_ROWS)
    elif source.suffix == ".jsonl" and source.with_suffix(".parquet") in tables:
        with target.open("wb") as lines:
            for table in _rows(source.with_suffix(".parquet"), hidden):
                lines.write(json_lines(table))
    elif source.suffix in (".json", ".jsonl"):
        _copy_json(source, target, hidden)
    elif source.suffix in _TEXTS:
        text = source.read_bytes().decode("utf-8")
        target.write_bytes(hidden(text).encode("utf-8"))
    else:
        shutil.copyfile(source, target)


def _copy_json(source: Path, target: Path, hidden: _Mask) -> None:
    """Mask the texts that a file says, however it escapes them; without any it is copied."""
    data = source.read_bytes()
    pieces, indent = ([data], 2) if source.suffix == ".json" else (data.splitlines(), None)
    try:
        values = [json.loads(piece) for piece in pieces]
    except ValueError as error:
        raise DatasetError(f"an export must be of JSON, {source} is none: {error}") from error
    told = [hidden.document(value) for value in values]
    if told != values:
        texts = (json.dumps(value, indent=indent, ensure_ascii=False) for value in told)
        data = "".join(f"{text}\n" for text in texts).encode("utf-8")
    target.write_bytes(data)


def _rows(path: Path, hidden: _Mask) -> Iterator[pa.Table]:
    """Batches of a table as they are passed on."""
    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    for batch in file.iter_batches(_BATCH):
        table = pa.table(batch)
        for place, field in enumerate(schema):
            if field.name == "image_path" and "image_id" in schema.names:
                ids = table.column("image_id").to_pylist()
                column = pa.chunked_array([pa.array(map(picture_path, ids), pa.string())])
            elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                column = hidden.column(table.column(place))
            else:
                continue
            table = table.set_column(place, field, column.cast(field.type))
        yield table


def _describe_anew(croissant: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Set right what the metadata says of files that are no longer byte by byte the release's."""
    if not croissant.exists():
        return
    metadata = json.loads(croissant.read_text(encoding="utf-8"))
    for entry in metadata["distribution"]:
        described = files.get(entry.get("contentUrl", ""))
        if described:
            entry["sha256"] = described["sha256"]
            entry["contentSize"] = f"{described['bytes']} B"
    croissant.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
