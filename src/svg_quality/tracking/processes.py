"""Which process owns a run, and whether that process is still alive.

A process id alone is not enough, since ids are used again: the time the process started, as its
kernel counts it, goes with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_STARTED_FIELD: Final = 19  # of those after the name in /proc/PID/stat; proc(5) numbers it 22


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told from every other one that had or will have its id on its host."""

    host: str
    pid: int
    started: str  # opaque: compare only

    @classmethod
    def current(cls) -> Owner:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), started(os.getpid()) or "")

    def is_dead(self) -> bool:
        """True only if it ran on this host and is gone: of other hosts nothing is known."""
        return self.host == socket.gethostname() and started(self.pid) != self.started


def started(pid: int) -> str | None:
    """When a process started, in the kernel's own terms; None if there is no such process.

    A zombie (it ended, and nobody asked for its exit code) counts as gone.
    """
    if not _PROC.is_dir():
        return _started_by_ps(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    if fields[0] in "ZX":
        return None
    return f"{_boot_id()}:{fields[_STARTED_FIELD]}"


def has_process_with(name: str, value: str) -> bool | None:
    """Whether a process on this host was started with ``name=value`` in its environment.

    None where that cannot be known (no ``/proc``). Processes of other users are not looked into.
    """
    if not _PROC.is_dir():
        return None
    wanted = f"{name}={value}".encode()
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in variables:
            return True
    return False


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    return answer.stdout.strip() or None
