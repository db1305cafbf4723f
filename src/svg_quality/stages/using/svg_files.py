"""Where a tracing is written: beside its logo or where the user says, and over nothing of theirs.

A file that is there already is replaced where it is a tracing of VTracer's; anything else (a
picture, a drawing somebody made) is never touched.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from svg_quality.conversion.images import SUFFIXES
from svg_quality.errors import ImageError, SettingsError, StorageError

_MADE_BY: Final = re.compile(rb"<!--\s*Generator:\s*visioncortex VTracer")
_HEAD: Final = 512  # bytes in which VTracer signs


def is_tracing(path: Path) -> bool:
    """Whether a file is an SVG that VTracer wrote."""
    try:
        with path.open("rb") as file:
            return bool(_MADE_BY.search(file.read(_HEAD)))
    except OSError:
        return False


def output_of(logo: Path, asked: str) -> Path:
    """The SVG of one logo.

    Args:
        logo: path.
        asked: a file ending in ``.svg``, an existing folder, or nothing for beside the logo.

    Raises:
        SettingsError: it is of another kind, its folder does not exist, or something else is there,
            such as the logo.
    """
    path = Path(asked) if asked else logo.with_suffix(".svg")
    if path.is_dir():
        path = path / f"{logo.stem}.svg"
    if path.suffix.lower() != ".svg":
        raise SettingsError(f"an output must end in .svg, got {path}")
    if not path.parent.is_dir():
        raise SettingsError(f"an output's folder must exist, {path.parent} does not")
    check_free(path)
    if path.exists() and logo.exists() and path.samefile(logo):
        raise SettingsError(f"an output must not be the logo itself, {path} is: choose another")
    return path


def check_free(path: Path) -> None:
    """Make sure that writing there loses nothing.

    Raises:
        SettingsError: there is something, and it is no tracing.
    """
    if path.exists() and not (path.is_file() and is_tracing(path)):
        raise SettingsError(
            f"an output must be new or an earlier tracing, {path} is something else: choose"
            " another with --output"
        )


def check_own(path: Path, sign: str) -> None:
    """The same for a page or a table, known as an earlier one by what stands near its beginning.

    Raises:
        SettingsError: there is something without the sign.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            known = sign.encode() in file.read(_HEAD)
    except OSError:
        known = False
    if not known:
        raise SettingsError(
            f"an output must be new or of an earlier run, {path} is something else: choose another"
            " folder with --output"
        )


def write_whole(path: Path, data: str) -> None:
    """Write a file whole or not at all.

    Raises:
        StorageError: the disk refuses.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(data, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # where its folder is none it cannot be there
            unfinished.unlink()
        raise StorageError(f"an output must be writable, {path} is not: {error.strerror}") from None


def logos_in(folder: Path, output: Path) -> tuple[list[Path], int]:
    """Logos to trace, by name, and how many SVGs were left out as tracings.

    Args:
        folder: is searched with its sub-folders, but for hidden ones.
        output: where tracings go; what lies there is never a logo, unless it is ``folder`` itself.

    Raises:
        ImageError: there is none.
    """
    inner = output.resolve() if output.resolve() != folder.resolve() else None
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (inner is None or inner not in path.resolve().parents)
    ]
    logos = [path for path in found if path.suffix.lower() != ".svg" or not is_tracing(path)]
    if not logos:
        raise ImageError(f"a folder must hold at least one logo, {folder} holds none", "unreadable")
    return logos, len(found) - len(logos)


def unique_names(logos: Sequence[Path]) -> list[Path]:
    """An SVG's name for each logo; no two are the same on any file system.

    Where only the ending tells logos apart it stays in the name: ``a.png`` and ``a.jpg`` become
    ``a.png.svg`` and ``a.jpg.svg``.

    Args:
        logos: distinct, relative to their folder.
    """
    stems = Counter(_folded(logo.with_suffix("")) for logo in logos)
    names: dict[str, Path] = {}
    for logo in logos:
        alone = stems[_folded(logo.with_suffix(""))] == 1
        name = logo.with_suffix(".svg") if alone else logo.with_name(f"{logo.name}.svg")
        number = 1
        while _folded(name) in names:  # names that differ in capitals alone
            number += 1
            name = logo.with_name(f"{logo.name}.{number}.svg")
        names[_folded(name)] = name
    return list(names.values())


def _folded(path: Path) -> str:
    return str(path).casefold()
