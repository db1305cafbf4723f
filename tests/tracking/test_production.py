"""Registry and ledger agree, whoever changed one of them, and wherever a process was killed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from svg_quality.errors import TrackingError
from svg_quality.tracking.ledger import Entry, Ledger
from svg_quality.tracking.production import (
    FOUND,
    NOBODY,
    ledger_path,
    move,
    production,
    registry_name,
    write,
)
from svg_quality.tracking.registry import ALIAS, MODEL, put_in_production
from svg_quality.tracking.store import open_store

MOVE = """
import sys
from svg_quality.tracking.production import move, production
print("ready", flush=True)
sys.stdin.readline()
with production() as now:
    move(now, now.version(int(sys.argv[1])), "promoted", reason="at once")
"""


@pytest.fixture
def versions(project: Path, bare_versions: Callable[[int], None]) -> Path:
    bare_versions(3)
    return project


def promoted(number: int) -> None:
    with production() as now:
        move(now, now.version(number), "promoted", reason="because")


def told() -> list[tuple[str, int | None, int | None]]:
    with production() as now:
        assert now.fault == ""
        return [(e.event, _number(e.version), _number(e.instead_of)) for e in now.entries]


def _number(candidate: object) -> int | None:
    return getattr(candidate, "version", None)


def test_a_move_and_its_line(versions: Path) -> None:
    promoted(2)
    promoted(1)
    assert told() == [("promoted", 2, None), ("promoted", 1, 2)]
    with production() as now:
        assert now.champion is not None
        assert (now.champion.version, now.champion.aliases) == (1, (ALIAS,))
        assert [entry.registry for entry in now.entries] == ["mlruns/mlflow.db"] * 2
        with pytest.raises(TrackingError, match="must exist to be promoted, got 7; there is 1, 2"):
            now.version(7)


def test_a_refusal_moves_nobody(versions: Path) -> None:
    promoted(1)
    with production() as now:
        write(now, now.version(3), "refused", reason="too slow", gates=[{"passed": False}])
    assert told() == [("promoted", 1, None), ("refused", 3, 1)]


def test_what_was_promoted_elsewhere_is_found_once(versions: Path) -> None:
    promoted(1)
    put_in_production(open_store(), 3)  # as MLflow's own UI does, without our lock and ledger
    assert told() == [("promoted", 1, None), ("found", 3, 1)]
    with production() as now:
        assert now.entries[-1].reason == FOUND
    with pytest.warns(FutureWarning, match="transition_model_version_stage"):
        open_store().client.transition_model_version_stage(MODEL, "3", "Archived")
    assert told()[2:] == [("found", None, 3)]
    with production() as now:
        assert now.entries[-1].reason == NOBODY
    assert len(told()) == 3


def test_a_project_without_a_store_gets_none(empty_project: Path) -> None:
    with production() as now:
        assert (now.champion, now.entries, now.fault) == (None, (), "")
    assert not (empty_project / "mlruns" / "mlflow.db").exists()
    assert not ledger_path().exists()


def test_the_registry_remembers_where_the_ledger_ended(versions: Path) -> None:
    promoted(1)
    promoted(2)
    lines = ledger_path().read_text().splitlines(keepends=True)
    ledger_path().write_text(lines[0])
    for _ in range(2):  # the first finds version 2 without a line, and adds one
        with production() as now:
            assert "line 2 is not the one that was written: the registry remembers" in now.fault
    promoted(3)  # in an emergency it must work
    with production() as now:
        assert "line 2 is not the one that was written: the registry remembers" in now.fault
        assert [entry.event for entry in now.entries] == ["promoted", "found", "promoted"]


def test_another_registry_has_a_history_of_its_own(
    versions: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    promoted(1)
    elsewhere = f"sqlite:///{tmp_path}/elsewhere/mlflow.db"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    client = open_store().client
    client.create_registered_model(MODEL)
    client.create_model_version(MODEL, "/nowhere")
    assert told() == []
    promoted(1)
    assert told() == [("promoted", 1, None)]
    assert len(Ledger(ledger_path()).read().entries) == 2
    with production() as now:
        assert now.registry == elsewhere


def test_a_password_is_not_written_down(versions: Path) -> None:
    for password in ("secret", "sec@ret"):
        name = registry_name(f"postgresql://ann:{password}@db/mlflow")
        assert name == "postgresql://db/mlflow"
    assert registry_name("https://db/of@ann") == "https://db/of@ann"
    assert registry_name(f"sqlite:///{versions}/mlruns/mlflow.db") == "mlruns/mlflow.db"


@pytest.mark.slow
def test_moves_at_the_same_time_leave_exactly_one_and_every_line(
    versions: Path, all_at_once: Callable[[str, Iterable[int]], None]
) -> None:
    all_at_once(MOVE, (1, 2, 3))
    lines = told()
    assert sorted(number for _, number, _ in lines if number) == [1, 2, 3]
    assert [before for *_, before in lines] == [None, *(number for _, number, _ in lines[:2])]
    with production() as now:
        assert [one.version for one in now.versions if one.stage == "Production"] == [lines[-1][1]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dies", "event"),
    [
        ("ledger.Ledger.append = die", "found"),  # after the registry, before the line
        ("production.tracking_errors = die", "promoted"),
    ],
)
def test_a_kill_at_any_moment_leaves_a_whole_ledger(versions: Path, dies: str, event: str) -> None:
    program = (
        "import os, signal\n"
        "from svg_quality.tracking import ledger, production, store\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "with production.production() as now:\n"
        f"    {dies}\n"
        "    production.move(now, now.version(1), 'promoted', reason='killed')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=os.environ)
    assert done.returncode == -9, done.stderr
    assert told() == [(event, 1, None)]


def test_an_entry_holds_no_more_than_it_says(versions: Path) -> None:
    promoted(1)
    with production() as now:
        (entry,) = now.entries
    assert isinstance(entry, Entry)
    assert (entry.reason, entry.gates, entry.rules, entry.run) == ("because", [], "", "")
