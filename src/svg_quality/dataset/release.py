"""A dataset release: an immutable folder with a manifest that proves it.

``data/releases/NAME/VERSION/`` holds ``conversions.parquet`` (the schema's columns and ``split``),
``images.parquet`` (one row per picture: split, group), ``set_aside.parquet`` and, written last,
``manifest.json``: SHA-256 and size of every file, counts, and the dataset digest. The digest
covers what a model learns from (pictures, types, parameters, splits, SSIM, bytes), not timings or
dates: the same inputs and seed give the same digest on another machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from svg_quality.conversion.parameters import NAMES
from svg_quality.dataset.clean import clean_conversions
from svg_quality.dataset.split import SPLITS, assign_splits, near_duplicate_groups
from svg_quality.dataset.tables import check_conversions
from svg_quality.errors import DatasetError

MANIFEST: Final = "manifest.json"
AUTO_VERSION: Final = "auto"  # as a version: the first digits of the dataset's digest
_AUTO_DIGITS: Final = 12
_DIGESTED: Final = [
    "image_id",
    "split",
    "logo_type",
    "width",
    "height",
    *NAMES,
    "ssim",
    "svg_bytes",
]
_SSIM_DECIMALS: Final = 6  # processors differ in the last bits of a float64 blur


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """A release, read and checked."""

    path: Path
    name: str
    version: str
    digest: str  # SHA-256, hexadecimal
    conversions: pd.DataFrame  # the schema's columns and ``split``
    images: pd.DataFrame  # indexed by image_id: group, split, mean_ssim, logo_type, image_path, ...

    @property
    def working_size(self) -> int:
        """Px of the longer side to which larger pictures were reduced.

        Raises:
            DatasetError: it differs between rows, so a model could not know which to use.
        """
        sizes = sorted(self.conversions["working_size"].unique().tolist())
        if len(sizes) != 1:
            raise DatasetError(f"a release must be of one working size, {self.path} has {sizes}")
        return int(sizes[0])

    def rows(self, split: str) -> pd.DataFrame:
        """The conversions of one split.

        Raises:
            DatasetError: there is no such split.
        """
        if split not in SPLITS:
            raise DatasetError(f"a split must be one of {', '.join(SPLITS)}, got {split!r}")
        return self.conversions[self.conversions["split"] == split].reset_index(drop=True)


def make_release(
    conversions: pd.DataFrame, root: Path, name: str, version: str, *, max_distance: int, seed: int
) -> Release:
    """Clean, split and write a release; where the same one exists already, that one is given.

    Args:
        conversions: a conversions table.
        root: the folder of all releases.
        name, version: of this one.
        max_distance: bits, see `near_duplicate_groups`.
        seed: of the split.

    Raises:
        DatasetError: the table breaks the schema, is too small to split, or another dataset was
            released under this name and version.
    """
    cleaned = clean_conversions(check_conversions(conversions))
    images = _images(cleaned.kept, max_distance, seed)
    table = cleaned.kept.assign(split=cleaned.kept["image_id"].map(images["split"]))
    table = table.sort_values(["image_id", "conversion_id"], ignore_index=True)
    digest = dataset_digest(table)
    version = digest[:_AUTO_DIGITS] if version == AUTO_VERSION else version
    target = root / name / version
    if target.exists():
        released = read_release(target)
        if released.digest != digest:
            raise DatasetError(
                f"a release must not change, {target} has digest {released.digest[:12]} and this "
                f"data {digest[:12]}: give another version"
            )
        return released
    unfinished = target.with_name(f".{version}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    table.to_parquet(unfinished / "conversions.parquet", index=False)
    images.to_parquet(unfinished / "images.parquet")
    cleaned.set_aside.to_parquet(unfinished / "set_aside.parquet", index=False)
    manifest = {
        "name": name,
        "version": version,
        "dataset_digest": digest,
        "seed": seed,
        "max_distance": max_distance,
        "counts": _counts(table, images, cleaned.set_aside),
        "files": {path.name: _file_entry(path) for path in sorted(unfinished.iterdir())},
    }
    (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    unfinished.replace(target)
    return read_release(target)


def read_release(path: Path) -> Release:
    """Read a release and check each of its files against the manifest.

    Raises:
        DatasetError: it is missing, or a file was changed, removed or added.
    """
    manifest = read_manifest(path)
    found = {file.name: _file_entry(file) for file in path.iterdir() if file.name != MANIFEST}
    for file_name in sorted(found.keys() | manifest["files"].keys()):
        if found.get(file_name) != manifest["files"].get(file_name):
            raise DatasetError(f"a release must be as its manifest says, {path / file_name} is not")
    return Release(
        path=path,
        name=manifest["name"],
        version=manifest["version"],
        digest=manifest["dataset_digest"],
        conversions=pd.read_parquet(path / "conversions.parquet"),
        images=pd.read_parquet(path / "images.parquet"),
    )


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a release.

    Raises:
        DatasetError: there is none, or it is no JSON.
    """
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise DatasetError(f"a release must have a manifest, {path} has none: {error}") from error
    return manifest


def dataset_digest(table: pd.DataFrame) -> str:
    """SHA-256 over the rows' pictures, parameters, splits and labels, in any order of rows."""
    columns = table[_DIGESTED].assign(ssim=table["ssim"].round(_SSIM_DECIMALS))
    lines = sorted(json.dumps(row) for row in columns.astype(object).to_numpy().tolist())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _images(conversions: pd.DataFrame, max_distance: int, seed: int) -> pd.DataFrame:
    grouped = conversions.groupby("image_id", sort=True)
    columns = ["image_path", "source", "derived_from", "logo_type", "format", "perceptual_hash"]
    images = grouped[columns].first().assign(mean_ssim=grouped["ssim"].mean(), n=grouped.size())
    images["group"] = near_duplicate_groups(images, max_distance)
    images["split"] = assign_splits(images, seed)
    return images


def _counts(table: pd.DataFrame, images: pd.DataFrame, aside: pd.DataFrame) -> dict[str, Any]:
    return {
        "conversions": len(table),
        "set_aside": aside["reason"].value_counts().to_dict(),
        "images": len(images),
        "groups": int(images["group"].nunique()),
        "images_by_split": images["split"].value_counts().to_dict(),
        "conversions_by_split": table["split"].value_counts().to_dict(),
        "images_by_type": images["logo_type"].value_counts().to_dict(),
    }


def _file_entry(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
