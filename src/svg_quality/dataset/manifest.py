"""The manifest of a folder: SHA-256 and size of every file, so that any change is found.

It is written last, and sealed: it holds the SHA-256 of its own text without that line. A folder
without one, or with one that does not fit, is not a release.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from svg_quality.errors import DatasetError

MANIFEST: Final = "manifest.json"
FILES: Final = "files"
SEAL: Final = "manifest_sha256"
CHANGED: Final = f"{MANIFEST} has changed"


def write_manifest(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Describe every file of a folder and its sub-folders; gives what was written.

    Args:
        folder: complete but for its manifest.
        about: what else the manifest says, first.
    """
    text = manifest_text(about, describe_files(folder))
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return read_manifest(folder)


def manifest_text(about: Mapping[str, Any], files: Mapping[str, Any]) -> str:
    """A sealed manifest.

    Args:
        about: what it says beside the files, first; an older seal among it does not count.
        files: by name, ``sha256`` and ``bytes`` of each.
    """
    manifest = {name: value for name, value in about.items() if name not in (FILES, SEAL)}
    manifest[FILES] = dict(files)
    return _text({**manifest, SEAL: hashlib.sha256(_text(manifest).encode()).hexdigest()})


def is_sealed(content: bytes) -> bool:
    """Whether not a byte of a manifest differs from what was written."""
    manifest = parse_manifest(content)
    if manifest is None:
        return False
    about = {name: value for name, value in manifest.items() if name != FILES}
    return manifest_text(about, manifest[FILES]).encode() == content


def parse_manifest(content: bytes) -> dict[str, Any] | None:
    """A manifest; None where the text is cut off, or something else."""
    try:
        manifest = json.loads(content)
    except ValueError:
        return None
    listed = manifest.get(FILES) if isinstance(manifest, dict) else None
    whole = isinstance(listed, dict) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("sha256"), str)
        and isinstance(entry.get("bytes"), int)
        for entry in listed.values()
    )
    return manifest if whole else None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, sealed or not: `differences` looks at that.

    Raises:
        DatasetError: there is none, or it is no JSON object that lists files.
    """
    try:
        manifest = parse_manifest((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise DatasetError(f"a release must have a manifest, {folder} has none: {error}") from error
    if manifest is None:
        raise DatasetError(f"a manifest must list files, {folder / MANIFEST} does not")
    return manifest


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """SHA-256 and bytes of every file but the manifest itself, by relative path, sorted."""
    paths = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() or path.is_symlink()
    }
    return {name: _describe(paths[name]) for name in sorted(paths) if name != MANIFEST}


def differences(folder: Path) -> list[str]:
    """Each way in which a folder is not as its manifest says; empty where it is.

    Raises:
        DatasetError: it has no manifest.
    """
    listed, found = read_manifest(folder)[FILES], describe_files(folder)
    said = [] if is_sealed((folder / MANIFEST).read_bytes()) else [CHANGED]
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            said.append(f"{name} is missing")
        elif name not in listed:
            said.append(f"{name} is not in the manifest")
        elif found[name] != listed[name]:
            said.append(f"{name} has changed")
    return said


def check_folder(folder: Path) -> dict[str, Any]:
    """The manifest of a folder that is as it says.

    Raises:
        DatasetError: it has none, or a file was changed, added or lost; the first is named.
    """
    found = differences(folder)
    if found:
        more = f" ({len(found)} differences)" if len(found) > 1 else ""
        raise DatasetError(f"a release must be as its manifest says, in {folder} {found[0]}{more}")
    return read_manifest(folder)


def _text(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, indent=2) + "\n"


def _describe(path: Path) -> dict[str, Any]:
    if path.is_symlink():  # what it points at may change without a byte of the folder changing
        return {"sha256": "a symbolic link", "bytes": 0}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}
