"""Where logos come from: a folder, or the PNGs in the wheel of `diagrams`; and of what type.

A logo's type is given (by the name of a sub-folder, or by a CSV) or else estimated from its
descriptors, and then marked as estimated.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from svg_quality.conversion.images import SUFFIXES
from svg_quality.errors import DatasetError

LOGO_TYPES: Final = ("simple", "text", "gradient", "complex")
DEMO_SOURCE: Final = "diagrams"  # a word instead of a folder: the demo's logos


@dataclass(frozen=True, slots=True)
class LogoFile:
    """A file that may hold a logo."""

    path: Path
    name: str  # relative to its source, with forward slashes; the same on every machine
    logo_type: str | None  # where the user gave one


def discover_logos(source: str) -> list[LogoFile]:
    """Every image file of a folder and its sub-folders, or of the demo's source, by name.

    A file somewhere under a sub-folder named after a type is of that type.

    Raises:
        DatasetError: the folder does not exist, or holds no image.
    """
    files = _demo_files() if source == DEMO_SOURCE else _folder_files(Path(source))
    if not files:
        raise DatasetError(f"a source must hold at least one image, {source} holds none")
    return [LogoFile(path, name, _type_of(name)) for name, path in sorted(files.items())]


def choose_logos(
    logos: list[LogoFile], excluded: frozenset[str], max_logos: int, seed: int
) -> list[LogoFile]:
    """At most ``max_logos`` of those not excluded, chosen by a hash of seed and name.

    Args:
        logos: from `discover_logos`.
        excluded: names to leave out.
        max_logos: 0 means all.
        seed: another seed, another choice.
    """
    kept = [logo for logo in logos if logo.name not in excluded]
    kept.sort(key=lambda logo: hashlib.sha256(f"{seed}:{logo.name}".encode()).digest())
    return kept[: max_logos or None]


def read_logo_types(path: Path) -> dict[str, str]:
    """Types by logo name, from a CSV with the columns ``name`` and ``type``.

    Raises:
        DatasetError: the file is missing or lacks a column, or names an unknown type.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"a list of types must be readable, {path}: {error}") from error
    types = {}
    for number, row in enumerate(rows, start=2):
        if row.get("name") is None or row.get("type") not in LOGO_TYPES:
            wanted = f"a name and a type of {', '.join(LOGO_TYPES)}"
            raise DatasetError(f"a list of types must give {wanted}; {path} line {number} does not")
        types[row["name"]] = row["type"]
    return types


def read_excluded(path: Path) -> frozenset[str]:
    """Logo names, one a line; blank lines and lines that begin with ``#`` do not count.

    Raises:
        DatasetError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"a list of logos must be readable, {path}: {error}") from error
    return frozenset(line for line in lines if line and not line.startswith("#"))


def with_types(logos: list[LogoFile], types: Mapping[str, str]) -> list[LogoFile]:
    """The same logos; a type listed for a name replaces the sub-folder's.

    Raises:
        DatasetError: a name is not among the logos.
    """
    unknown = sorted(set(types) - {logo.name for logo in logos})
    if unknown:
        raise DatasetError(
            f"a list of types must name logos of the source, {len(unknown)} names are not there; "
            f"first: {unknown[0]}"
        )
    return [LogoFile(x.path, x.name, types.get(x.name, x.logo_type)) for x in logos]


def _demo_files() -> dict[str, Path]:
    try:
        files = metadata.distribution(DEMO_SOURCE).files or []
    except metadata.PackageNotFoundError:
        raise DatasetError(
            "the demo's logos must be installed (`pip install 'svg-quality[demo]'`), they are not"
        ) from None
    return {str(file): Path(str(file.locate())) for file in files if file.suffix == ".png"}


def _folder_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetError(f"a source must be a folder of images, {folder} is none")
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }


def _type_of(name: str) -> str | None:
    return next((part for part in name.split("/")[:-1] if part in LOGO_TYPES), None)
