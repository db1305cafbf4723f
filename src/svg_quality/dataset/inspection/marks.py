"""Marks that a person set on pictures while inspecting them, and what they do to a table.

They live in one JSON file, ``{"version": 1, "marks": {image_id: {"verdict": "accept" | "reject" |
"wrong type", "logo_type": type or null, "derived_from": image_id or null, "at": ISO time or
null}}}``; what is null may be left out. A rejected picture takes its JPEG copies with it. A type
belongs to the logo, so "wrong type" on any of its pictures holds for all of them; the newest mark
wins, and one without a time is older than every other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
from filelock import FileLock

from svg_quality.dataset.logos import LOGO_TYPES
from svg_quality.errors import DatasetError

ACCEPT: Final = "accept"
REJECT: Final = "reject"
WRONG_TYPE: Final = "wrong type"
VERDICTS: Final = (ACCEPT, REJECT, WRONG_TYPE)
_VERSION: Final = 1
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{64}")
_FIELDS: Final = dict.fromkeys(("verdict", "logo_type", "derived_from", "at")).keys()


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person said of one picture.

    Raises:
        DatasetError: the verdict or type is unknown, or one does not go with the other.
    """

    verdict: str  # one of VERDICTS
    logo_type: str | None = None  # the right one, where the verdict is "wrong type"
    derived_from: str | None = None  # image_id of the original, where the picture is a copy
    at: str | None = ""  # ISO 8601 with its offset; empty: now; None: not known

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise DatasetError(
                f"a verdict must be one of {', '.join(VERDICTS)}, got {self.verdict!r}"
            )
        if self.logo_type is not None and self.logo_type not in LOGO_TYPES:
            raise DatasetError(
                f"a logo type must be one of {', '.join(LOGO_TYPES)}, got {self.logo_type!r}"
            )
        if (self.verdict == WRONG_TYPE) != (self.logo_type is not None):
            raise DatasetError(
                f"the verdict {WRONG_TYPE!r}, and no other, must name the right type; "
                f"got {self.verdict!r} with {self.logo_type!r}"
            )
        if self.derived_from is not None:
            _check_image_id(self.derived_from)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        object.__setattr__(self, "at", now if self.at == "" else self.at)
        _moment(self.at)

    def as_dict(self) -> dict[str, str | None]:
        """As it stands in the file."""
        return asdict(self)


def read_marks(path: Path) -> dict[str, Mark]:
    """The marks of a file by image_id; none where the file does not exist.

    Raises:
        DatasetError: the file cannot be read, is no marks file, or holds an impossible mark.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"marks must be a readable JSON file, {path}: {error}") from error
    found = content.get("marks") if isinstance(content, dict) else None
    if not isinstance(found, dict) or content.get("version") != _VERSION:
        raise DatasetError(
            f"marks must be an object with version {_VERSION} and marks, {path} is not"
        )
    marks = {}
    for image_id, values in found.items():
        try:
            _check_image_id(image_id)
            marks[image_id] = _mark(values)
        except DatasetError as error:
            raise DatasetError(f"{error} (picture {image_id[:64]!r} in {path})") from None
    return marks


def write_marks(path: Path, marks: Mapping[str, Mark]) -> None:
    """Write the file whole, in the order of the image_ids; a kill leaves the old one or the new.

    Raises:
        DatasetError: the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    content = {"version": _VERSION, "marks": {key: marks[key].as_dict() for key in sorted(marks)}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise DatasetError(f"marks must have a file to go to, {path}: {error}") from error


def change_mark(path: Path, image_id: str, mark: Mark | None) -> dict[str, Mark]:
    """Set one mark of a file, or take it away (None); gives all marks as they are then.

    The file is read first, so two inspections at once do not lose each other's marks.

    Raises:
        DatasetError: as `read_marks` and `write_marks`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        with lock:
            marks = {key: held for key, held in read_marks(path).items() if key != image_id}
            if mark is not None:
                marks[image_id] = mark
            write_marks(path, marks)
    except OSError as error:
        raise DatasetError(f"marks must have a file to go to, {path}: {error}") from error
    return marks


def apply_marks(frame: pd.DataFrame, marks: Mapping[str, Mark]) -> pd.DataFrame:
    """The same rows, each with the type that a person gave its logo.

    Args:
        frame: conversions, any part of a table, or pictures indexed by image_id; with
            ``logo_type``, ``derived_from`` and, where there is one, ``logo_type_estimated``.
        marks: from `read_marks`.

    Returns:
        A new frame with ``logo_type`` as text, or ``frame`` itself where no mark concerns it.
    """
    types = right_types(marks)
    given = _logo_ids(frame).map(types)
    marked = given.notna()
    if not marked.any():
        return frame
    changed = frame.assign(logo_type=frame["logo_type"].astype("str").where(~marked, given))
    if "logo_type_estimated" in frame:
        changed["logo_type_estimated"] = frame["logo_type_estimated"] & ~marked
    return changed


def rejected(frame: pd.DataFrame, marks: Mapping[str, Mark]) -> pd.Series[bool]:
    """Whether each row's picture was rejected, or is a copy of one that was.

    Args:
        frame: as in `apply_marks`.
        marks: from `read_marks`.
    """
    out = rejected_ids(marks)
    return _image_ids(frame).isin(out) | frame["derived_from"].isin(out)


def right_types(marks: Mapping[str, Mark]) -> dict[str, str]:
    """The type of each logo that a "wrong type" mark names, by the image_id of its original."""
    wrong = [(image_id, mark) for image_id, mark in marks.items() if mark.verdict == WRONG_TYPE]
    wrong.sort(key=lambda item: (_moment(item[1].at), item[0]))  # of one logo, the newest stands
    return {mark.derived_from or image_id: str(mark.logo_type) for image_id, mark in wrong}


def rejected_ids(marks: Mapping[str, Mark]) -> set[str]:
    """The pictures marked "reject"."""
    return {image_id for image_id, mark in marks.items() if mark.verdict == REJECT}


def marks_digest(path: Path) -> str:
    """SHA-256 of what the marks of a file do to a dataset; "accept" and times do nothing.

    Raises:
        DatasetError: as `read_marks`.
    """
    marks = read_marks(path)
    effect = [sorted(rejected_ids(marks)), sorted(right_types(marks).items())]
    return hashlib.sha256(json.dumps(effect).encode()).hexdigest()


def _mark(values: Any) -> Mark:
    if not isinstance(values, dict) or not {"verdict"} <= values.keys() <= _FIELDS:
        optional = ", ".join(name for name in _FIELDS if name != "verdict")
        raise DatasetError(
            f"a mark must have a verdict, may have {optional}, and no more, got {values!r:.200}"
        )
    if not all(value is None or isinstance(value, str) for value in values.values()):
        raise DatasetError(f"a mark must hold text or null, got {values!r:.200}")
    at = values.get("at")  # when it is not said, it is not now
    _moment(at)
    return Mark(**{**values, "at": at})


def _check_image_id(image_id: str) -> None:
    if not _IMAGE_ID.fullmatch(image_id):
        raise DatasetError(f"an image_id must be 64 hexadecimal digits, got {image_id[:80]!r}")


def _moment(at: str | None) -> datetime:
    if at is None:
        return datetime.min.replace(tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise DatasetError(f"a mark's time must be in ISO 8601, got {at!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _image_ids(frame: pd.DataFrame) -> pd.Series[str]:
    if "image_id" in frame:
        return frame["image_id"]
    return pd.Series(frame.index, index=frame.index)


def _logo_ids(frame: pd.DataFrame) -> pd.Series[str]:
    """Of each row's picture, or of its original where it is a copy."""
    original = frame["derived_from"].astype("str")  # a category takes no id that it does not know
    return original.where(original.notna(), _image_ids(frame).astype("str"))
