"""Which process is alive: its id, its start and its host decide together."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from svg_quality.tracking import processes
from svg_quality.tracking.processes import Owner, has_process_with, started

Shell = Callable[..., subprocess.Popen[str]]
WAIT = "print(flush=True); input()"


def test_this_process_is_alive() -> None:
    assert not Owner.current().is_dead()


def test_a_process_is_told_from_a_later_one_with_its_id() -> None:
    assert replace(Owner.current(), started="another boot:1").is_dead()


def test_of_another_host_nothing_is_known() -> None:
    assert not replace(Owner.current(), host="elsewhere", started="x").is_dead()


def test_a_process_starts_once_and_then_is_gone(shell: Shell) -> None:
    process = shell(WAIT)
    assert process.stdout is not None
    process.stdout.readline()
    first = started(process.pid)
    assert first is not None
    assert first == started(process.pid) != started(os.getpid())
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie: nobody asked for it yet
    assert started(process.pid) is None
    process.wait()
    assert started(process.pid) is None


def test_a_variable_is_found_in_a_live_process(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVG_QUALITY_TEST", "here")
    process = shell(WAIT)
    assert process.stdout is not None
    process.stdout.readline()
    assert has_process_with("SVG_QUALITY_TEST", "here")
    assert has_process_with("SVG_QUALITY_TEST", "her") is False
    process.kill()
    process.wait()
    assert has_process_with("SVG_QUALITY_TEST", "here") is False


def test_without_proc_ps_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PROC", processes.Path("/no/such/proc"))
    monkeypatch.setattr(
        processes.subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(
            command, 0, stdout=" Sat Nov 21 \n" if command[-1] == str(os.getpid()) else ""
        ),
    )
    assert started(os.getpid()) == "Sat Nov 21"
    assert started(0) is None
    assert has_process_with("A", "b") is None
