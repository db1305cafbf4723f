"""The manifest of a folder: SHA-256 and size of every file, so that any change is found.

It is written last. A folder without one, or with one that does not fit, is not a release.
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


def write_manifest(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Describe every file of a folder and its sub-folders; gives what was written.

    Args:
        folder: complete but for its manifest.
        about: what else the manifest says, first.
    """
    manifest = {**about, FILES: describe_files(folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder.

    Raises:
        DatasetError: there is none, or it is no JSON object with ``files``.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"a release must have a manifest, {folder} has none: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get(FILES), dict):
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
    said = []
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


def _describe(path: Path) -> dict[str, Any]:
    if path.is_symlink():  # what it points at may change without a byte of the folder changing
        return {"sha256": "a symbolic link", "bytes": 0}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}
