"""What a release was made with, so that it can be made again: commit, settings, versions, inputs.

None of it enters the dataset digest: the same rows from another machine are the same dataset.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any, Final

from svg_quality.dataset.assurance.private_text import masked

CONFIG_LOCK: Final = "config_lock.json"
PACKAGES: Final = (
    "svg-quality", "vtracer", "resvg-py", "opencv-python-headless", "pillow", "ImageHash", "numpy",
    "pandas", "pyarrow", "pandera", "scikit-learn", "scipy",
)  # fmt: skip
_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class LockedInput:
    """A run whose rows went into a release, itself or by way of a later one."""

    stage: str
    run_id: str
    digest: str  # of what the run made
    settings: Mapping[str, Any] | None  # it ran with; None where they are gone


def config_lock(
    settings: Mapping[str, Any],
    seed: int,
    *,
    inputs: Iterable[LockedInput] = (),
    commit: str | None = None,
    dirty: bool | None = None,
) -> dict[str, Any]:
    """Everything that decides what a release holds, as JSON can write it.

    Args:
        settings: of the stages that this run did, nested. User names in paths are masked and
            passwords in URLs are left out, here and of the inputs: a release is made to be passed
            on.
        seed: of the selection, the split and the folds.
        inputs: the runs that its rows come from, each with its own settings.
        commit: that was checked out; None where that is not known.
        dirty: whether the working tree differed from it.
    """
    told = without_names(settings)
    told_inputs = [without_names(asdict(one)) for one in inputs]
    of_inputs = [{name: one[name] for name in ("stage", "settings")} for one in told_inputs]
    installed = installed_packages()
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": {"commit": commit, "dirty": dirty},
        "seed": seed,
        "settings": told,
        "settings_sha256": settings_digest({"settings": told, "inputs": of_inputs}),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "all_packages": len(installed),
        "all_packages_sha256": hashlib.sha256("\n".join(installed).encode()).hexdigest(),
        "inputs": told_inputs,
    }


def settings_digest(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings, whatever the order of their names."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def installed_packages() -> tuple[str, ...]:
    """``name==version`` of everything installed, as ``pip freeze`` would list it: sorted, once."""
    headers = (one.metadata for one in metadata.distributions())
    found = {f"{one['Name']}=={one['Version']}".lower() for one in headers}
    return tuple(sorted(found))


def without_names(value: Any) -> Any:
    """The same settings without user names in paths and passwords in URLs.

    Example:
        >>> without_names({"logos": "/home/ada/logos", "to": "s3://key:secret@bucket/x"})
        {'logos': '/home/***/logos', 'to': 's3://bucket/x'}
    """
    if isinstance(value, Mapping):
        return {str(name): without_names(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_names(one) for one in value]
    if isinstance(value, str):
        return _PASSWORD.sub("", masked(value))
    return value


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
