"""What changed from one release to the next: rows, labels, types, splits, settings, versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from svg_quality.dataset.manifest import MANIFEST, read_manifest
from svg_quality.dataset.releases.config_lock import CONFIG_LOCK
from svg_quality.dataset.releases.release_rows import open_table
from svg_quality.errors import DatasetError

CHANGES: Final = "CHANGES.md"
_N_NAMED: Final = 5  # ids written out of each kind
_SAME_SSIM: Final = 5e-7  # less is a processor's rounding


@dataclass(frozen=True, slots=True)
class Changes:
    """One release against the one before; ids are image_ids where nothing else is said."""

    rows_added: int
    rows_removed: int
    labels_changed: list[str]  # conversion_ids whose SSIM or bytes differ
    images_added: list[str]
    images_removed: list[str]
    types_changed: list[str]
    splits_changed: list[str]
    settings_changed: list[str]  # ``name: before -> after``
    versions_changed: list[str]


def release_before(releases: Path) -> Path | None:
    """The newest finished release of a name; None where there is none.

    Args:
        releases: the folder of the name, such as ``data/releases/logos``.
    """
    found = []
    for path in releases.glob(f"*/{MANIFEST}"):
        if path.parent.name.startswith("."):
            continue
        try:
            found.append((str(read_manifest(path.parent).get("created", "")), path.parent))
        except DatasetError:  # no release: `verify` says so
            continue
    return max(found)[1] if found else None


def compare_releases(before: Path, after: Path) -> Changes:
    """Compare two releases by their tables and configuration locks.

    Raises:
        DatasetError: a table is missing, damaged or lacks a column.
    """
    gone, new, labels = _compare_rows(before, after)
    old_images, new_images = _images(before), _images(after)
    both = old_images.index.intersection(new_images.index)
    old, now = old_images.loc[both], new_images.loc[both]
    old_lock, new_lock = _lock(before), _lock(after)
    return Changes(
        rows_added=new,
        rows_removed=gone,
        labels_changed=labels,
        images_added=sorted(new_images.index.difference(both)),
        images_removed=sorted(old_images.index.difference(both)),
        types_changed=sorted(both[(old["logo_type"] != now["logo_type"]).to_numpy()]),
        splits_changed=sorted(both[(old["split"] != now["split"]).to_numpy()]),
        settings_changed=_differences(_settings(old_lock), _settings(new_lock)),
        versions_changed=_differences(old_lock.get("packages", {}), new_lock.get("packages", {})),
    )


def describe_changes(
    about: Mapping[str, Any], before: Mapping[str, Any] | None, found: Changes | str | None
) -> str:
    """The change log as Markdown.

    Args:
        about: name, version and digest of this release, as its manifest says them.
        before: the same of the release before; None for a first one.
        found: what changed, or why that is not known.
    """
    title = f"# Changes of {about['name']} {about['version']}\n\n"
    if before is None:
        return title + f"The first release of this name. Digest `{about['dataset_digest']}`.\n"
    head = (
        f"{title}Against {before['version']}, made {before.get('created', 'at an unknown time')}."
        f"\n\n* digest before: `{before['dataset_digest']}`\n"
        f"* digest now: `{about['dataset_digest']}`\n"
    )
    if not isinstance(found, Changes):
        return f"{head}\nWhat changed is not known: {found}.\n"
    lines = [
        "", "## Rows", "",
        f"* added: {found.rows_added:,}", f"* removed: {found.rows_removed:,}",
        _named("changed label (SSIM or bytes)", found.labels_changed),
        "", "## Images", "",
        _named("added", found.images_added), _named("removed", found.images_removed),
        _named("changed type", found.types_changed), _named("changed split", found.splits_changed),
        "", "## Settings", "", *_listed(found.settings_changed),
        "", "## Versions", "", *_listed(found.versions_changed),
    ]  # fmt: skip
    return head + "\n".join(lines) + "\n"


def _compare_rows(before: Path, after: Path) -> tuple[int, int, list[str]]:
    """Rows removed, rows added, and ids of those with another label."""
    (old_ids, old), (new_ids, new) = _labels(before), _labels(after)
    both, left, right = np.intersect1d(old_ids, new_ids, assume_unique=True, return_indices=True)
    apart = np.abs(old[left, 0] - new[right, 0]) > _SAME_SSIM
    changed = both[apart | (old[left, 1] != new[right, 1])]
    # A trailing zero byte is not kept by numpy, so it is put back.
    names = [bytes(key).ljust(32, b"\0").hex() for key in changed]
    return len(old_ids) - len(both), len(new_ids) - len(both), names


def _labels(release: Path) -> tuple[np.ndarray, np.ndarray]:
    """Conversion ids as 32 bytes each (a million str would take 100 MB), and SSIM and bytes."""
    table = _read(release / "conversions.parquet", ["conversion_id", "ssim", "svg_bytes"])
    ids = bytes.fromhex("".join(table["conversion_id"].tolist()))
    figures = table[["ssim", "svg_bytes"]].to_numpy(dtype=np.float64)
    return np.frombuffer(ids, dtype="S32"), figures


def _images(release: Path) -> pd.DataFrame:
    columns = ["image_id", "logo_type", "split"]
    return _read(release / "images.parquet", columns).set_index("image_id")


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    file = open_table(path)
    try:
        frame: pd.DataFrame = file.read(columns=columns).replace_schema_metadata().to_pandas()
        return frame[columns]
    except (OSError, KeyError, ValueError) as error:  # pyarrow's errors are these
        raise DatasetError(f"{path.parent.name} cannot be read: {error}") from error


def _lock(release: Path) -> dict[str, Any]:
    try:
        lock = json.loads((release / CONFIG_LOCK).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # releases made before there were locks
        return {}
    return lock if isinstance(lock, dict) else {}


def _settings(lock: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting that shapes the rows, by stage and name; ``collect 2`` is a second such run."""
    sections = {"dataset": lock.get("settings", {}).get("dataset", {})}
    for run in lock.get("inputs", []):
        n_before = sum(name.split()[0] == run["stage"] for name in sections)
        name = f"{run['stage']} {n_before + 1}" if n_before else run["stage"]
        sections[name] = run.get("settings") or {}
    return {
        f"{stage}.{name}": value
        for stage, section in sections.items()
        for name, value in section.items()
    }


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    if not before:
        return ["those of the release before are not known"]
    return [
        f"`{name}`: {_plain(before.get(name))} → {_plain(after.get(name))}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _plain(value: Any) -> str:
    return "not set" if value is None else f"`{json.dumps(value)}`"


def _named(what: str, ids: list[str]) -> str:
    some = ", ".join(f"`{one[:12]}`" for one in ids[:_N_NAMED])
    more = ", …" if len(ids) > _N_NAMED else ""
    return f"* {what}: {len(ids):,}" + (f" ({some}{more})" if ids else "")


def _listed(lines: list[str]) -> list[str]:
    return [f"* {line}" for line in lines] or ["None changed."]
