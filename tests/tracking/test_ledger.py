"""Lines are only added; whatever else was done to the file shows."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.errors import TrackingError
from svg_quality.tracking.ledger import Candidate, Entry, Ledger, Seal, line_of_production


def version(number: int) -> Candidate:
    return Candidate(number, f"run-{number}", "b" * 64)


def moved(number: int | None, event: str = "promoted") -> Entry:
    told = version(number) if number else None
    return Entry(event, "mlruns/mlflow.db", told, None, f"why {number}")  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "deep" / "promotions.jsonl")
    for number in (1, 2, 3, 4):
        made.append(moved(number))
    return made


def test_what_was_written_is_read_and_says_who_and_when(ledger: Ledger) -> None:
    reading = ledger.read()
    assert [entry.version for entry in reading.entries] == [version(n) for n in (1, 2, 3, 4)]
    assert reading.fault == ""
    assert all(entry.at.endswith("+00:00") and "@" in entry.who for entry in reading.entries)
    assert ledger.path.stat().st_size == len(ledger.path.read_bytes().rstrip()) + 1


def test_each_line_holds_the_digest_of_the_line_before(ledger: Ledger) -> None:
    """By hashlib and json alone, as an auditor would."""
    before = "0" * 64
    for number, line in enumerate(ledger.path.read_bytes().splitlines(), 1):
        record = json.loads(line)
        assert (record["n"], record["before"]) == (number, before)
        before = hashlib.sha256(line).hexdigest()
    seal = ledger.append(moved(5))
    assert (seal.n, seal.digest) == (5, hashlib.sha256(ledger.path.read_bytes().splitlines()[-1])
                                     .hexdigest())  # fmt: skip


def tampered(ledger: Ledger, change: str) -> str:
    """The fault that shows after a change of the file; the seal is that of the whole ledger."""
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    seal = str(ledger.read().seal)
    changes = {
        "edited": [lines[0], lines[1].replace(b"why 2", b"why 9"), *lines[2:]],
        "taken out": lines[:1] + lines[2:],
        "put in": [*lines[:2], lines[1], *lines[2:]],
        "swapped": [lines[0], lines[2], lines[1], lines[3]],
        "first taken off": lines[1:],
        "last taken off": lines[:3],
        "last edited": [*lines[:3], lines[3].replace(b"why 4", b"why 9")],
        "all gone": [],
        "no JSON": [*lines[:2], b"{}\n", lines[3]],
        "a list": [*lines[:2], b"[1]\n", lines[3]],
    }
    ledger.path.write_bytes(b"".join(changes[change]))
    return ledger.read(seal).fault


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("edited", "line 3 does not follow the line before it: one of them was changed, taken"),
        ("taken out", "line 2 does not follow the line before it"),
        ("put in", "line 3 does not follow"),
        ("swapped", "line 2 does not follow"),
        ("first taken off", "line 1 does not follow"),
        ("last taken off", "after line 3 lines were taken off: 1 of 4 are gone"),
        ("last edited", "line 4 is not the one that was written: the registry remembers another"),
        ("all gone", "after line 0 lines were taken off: 4 of 4 are gone"),
        ("no JSON", "line 3 is not one that this program wrote"),
        ("a list", "line 3 is not one that this program wrote"),
    ],
)
def test_every_kind_of_tampering_shows(ledger: Ledger, change: str, fault: str) -> None:
    assert tampered(ledger, change).startswith(fault)


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_no_byte_can_be_changed_unseen(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    made = Ledger(tmp_path_factory.mktemp("ledger") / "promotions.jsonl")
    for number in (1, 2, 3):
        made.append(moved(number))
    content = bytearray(made.path.read_bytes())
    seal, place = str(made.read().seal), place % len(content)
    if content[place] == byte:
        return
    content[place] = byte
    made.path.write_bytes(bytes(content))
    assert made.read(seal).fault


def test_a_seal_that_is_one_line_behind_is_none_the_worse(ledger: Ledger) -> None:
    """A process may be killed after the line and before the seal."""
    seal = str(ledger.read().seal)
    ledger.append(moved(5))
    assert ledger.read(seal).fault == ""
    assert "its seal in the registry was changed" in ledger.read("nonsense").fault
    assert str(Seal(3, "a")) == "3 a"


def test_a_line_that_was_cut_short_never_was_one(ledger: Ledger) -> None:
    with ledger.path.open("ab") as file:
        file.write(b'{"n": 5, "event": "prom')
    assert ledger.read().fault == "what follows line 4 is cut short"
    ledger.append(moved(5))
    reading = ledger.read()
    assert reading.fault == ""
    assert len(reading.entries) == 5


def test_a_broken_ledger_can_be_added_to_and_stays_broken(ledger: Ledger) -> None:
    fault = tampered(ledger, "edited")
    ledger.append(moved(5))
    assert ledger.read().fault == fault


def test_a_ledger_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "promotions.jsonl"):
        with pytest.raises(TrackingError, match=r"the ledger .* must be readable"):
            Ledger(path).read()
    closed = Ledger(Path("/proc/promotions.jsonl"))  # not even root may
    with pytest.raises(TrackingError, match=r"the ledger .* must be writable"):
        closed.append(moved(1))


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, ("rolled back", 2)], [1, 2]),
        ([1, 2, 3, ("rolled back", 2), ("rolled back", 1)], [1]),
        ([1, 2, ("rolled back", 1), 3], [1, 3]),
        ([1, 2, ("refused", 3)], [1, 2]),
        ([1, 2, ("found", 1)], [1, 2, 1]),
        ([1, ("found", None), ("rolled back", 1)], [1]),
        ([2, ("rolled back", 1)], [1]),  # of a history that began elsewhere
        ([1, ("forced", 2), ("rolled back", 1), ("forced", 2)], [1, 2]),
    ],
)
def test_a_rollback_takes_off_what_it_rolled_back(events: list[object], line: list[int]) -> None:
    entries = [
        moved(one[1], one[0]) if isinstance(one, tuple) else moved(one)  # type: ignore[arg-type]
        for one in events
    ]
    found = line_of_production(entries)
    assert [entry.version and entry.version.version for entry in found] == line


def test_numbers_that_began_anew_are_other_versions() -> None:
    old, new = version(1), Candidate(1, "another run", "b" * 64)
    assert not old.is_same(new)
    assert not old.is_same(None)
    assert old.is_same(Candidate(1, "run-1", None))
