"""What a stage's result depends on, as digests: settings, inputs and code.

Two runs with the same fingerprint would write the same result, so a finished one is re-used.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import svg_quality

PACKAGE: Final = Path(svg_quality.__file__).parent


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work, before it is done.

    Attributes:
        stage: the MLproject entry point.
        settings: resolved values, nested mappings allowed; whatever JSON can write, paths too.
        inputs: name of an input stage -> id of the run it was taken from (lineage only).
        digests: name of an input -> digest of its content (part of the fingerprint).
        code: digest of the code that does it, see `code_digest`.
    """

    stage: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    code: str = ""

    @property
    def fingerprint(self) -> str:
        """See `fingerprint`."""
        return fingerprint(self.stage, self.settings, self.digests, self.code)


@dataclass(frozen=True, slots=True)
class GitState:
    """The commit that is checked out, and whether the working tree differs from it."""

    commit: str
    dirty: bool


def fingerprint(
    stage: str, settings: Mapping[str, Any], digests: Mapping[str, str], code: str
) -> str:
    """SHA-256 over everything a stage's result depends on; the order of keys does not matter.

    Run ids are left out on purpose: the same input computed twice is the same input.

    Raises:
        TypeError: a setting is something JSON cannot write.
    """
    parts = {"stage": stage, "settings": settings, "digests": digests, "code": code}
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, paths as text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content; of one that cannot be read, that it can't: its use says why."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"


def code_digest(parts: Iterable[str | Path], package: Path = PACKAGE) -> str:
    """SHA-256 over the Python files that do a piece of work.

    Args:
        parts: files or folders (all ``*.py`` below), relative to the package:
            ``["conversion", "settings"]``.
        package: the folder they are relative to.

    Raises:
        FileNotFoundError: one of them does not exist, or is a folder without Python files.
    """
    files: set[Path] = set()
    for part in parts:
        path = package / part
        found = [path] if path.is_file() else list(path.rglob("*.py"))
        if not found:
            raise FileNotFoundError(f"code must be a Python file or folder, got {path}")
        files.update(found)
    digest = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(package).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def flatten(settings: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Nested settings as MLflow parameters.

    Example:
        >>> flatten({"epochs": 5, "optimizer": {"betas": [0.9, 0.99]}}, "settings")
        {'settings.epochs': '5', 'settings.optimizer.betas': '[0.9,0.99]'}
    """
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}.{name}"))
        else:
            plain = value if isinstance(value, str | Path) else canonical_json(value)
            flat[f"{prefix}.{name}"] = str(plain)
    return flat


def git_state(folder: Path) -> GitState | None:
    """What git says of a folder; None where there is no git, no repository or no commit."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        status = _git(folder, "status", "--porcelain")
    except (OSError, subprocess.SubprocessError):
        return None
    return GitState(commit=commit, dirty=bool(status))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.stdout.strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"a setting must be something JSON can write, got {type(value).__name__}")
