"""`verify`: whether a release, an export or a backup is, to the byte, what its manifest says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from svg_quality.dataset.manifest import FILES, differences, read_manifest
from svg_quality.dataset.transfers.storage import is_url, local_folder
from svg_quality.dataset.transfers.transfer import remote_differences, remote_manifest
from svg_quality.errors import CheckError, DatasetError
from svg_quality.settings import VerifySettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.pipeline import Stage, StageContext


def _verify(context: StageContext) -> None:
    settings: VerifySettings = context.settings
    place, manifest, compare = _place(settings.release, context.data)
    listed = manifest[FILES]
    name = str(manifest.get("name", "backup"))
    digest = str(manifest.get("dataset_digest") or _digest(manifest))
    context.run.log_dataset(name, digest, place, "verification")
    found = compare()
    context.run.log_json(found, "differences.json")
    context.run.log_metrics({"files": len(listed), "differences": len(found)})
    for line in found:
        say(f"verify     {line}")
    if found:
        raise CheckError(
            f"every file must be as the manifest says, {len(found)} in {place} are not"
        )
    context.run.set_output(digest, None)
    n_bytes = sum(entry["bytes"] for entry in listed.values())
    say(
        f"verify     OK: {place} is as its manifest says, {len(listed):,} files,"
        f" {n_bytes / 1e6:.1f} MB, digest {digest[:12]}"
    )


def _place(named: str, data: Path) -> tuple[str, dict[str, Any], Callable[[], list[str]]]:
    """Where it is, its manifest, and what finds the differences.

    Raises:
        DatasetError, StorageError: it is not there, or has no manifest.
    """
    if is_url(named):
        manifest = remote_manifest(named)

        def compare() -> list[str]:
            with progress_bar(len(manifest[FILES]), "reading back") as bar:
                return remote_differences(named, lambda name, n_bytes: bar.update())

        return named, manifest, compare
    places = (local_folder(named), data / "releases" / named, data / "exports" / named)
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise DatasetError(
            f"what is verified must be a folder, a URL, or NAME/VERSION in {data / 'releases'},"
            f" {named} is none"
        )
    return str(folder), read_manifest(folder), lambda: differences(folder)


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


VERIFY = Stage(
    name="verify",
    after=(),
    code=("dataset/manifest.py", "dataset/transfers", "stages/dataset/verify.py"),
    act=_verify,
)
