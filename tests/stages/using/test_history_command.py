"""`svg-quality history`: the table, what it costs, and what it says of a changed ledger."""

import subprocess
import sys
from pathlib import Path

import pytest

from svg_quality.cli import main
from svg_quality.stages.using.history import table
from svg_quality.tracking.ledger import Candidate, Entry
from svg_quality.tracking.production import ledger_path, move, production, write
from svg_quality.tracking.registry import MODEL
from svg_quality.tracking.store import open_store


def entry(event: str, number: int | None, at: str, reason: str = "why") -> Entry:
    told = Candidate(number, "r", "b") if number else None
    return Entry(event, "mlruns/mlflow.db", told, None, reason, who="ann@host", at=at)  # type: ignore[arg-type]


def test_newest_first_with_from_when_to_when() -> None:
    lines = list(
        table(
            [
                entry("promoted", 1, "2026-11-20T08:00:01.000+00:00", "the first"),
                entry("refused", 2, "2026-11-20T09:30:00.000+00:00", "it errs more"),
                entry("forced", 3, "2026-11-20T10:00:00.000+00:00"),
                entry("found", None, "2026-11-20T11:00:00.000+00:00"),
                entry("rolled back", 1, "2026-11-20T12:00:00.000+00:00"),
            ]
        )
    )
    assert lines[::2] == [
        "2026-11-20 12:00  1        rolled back  now                  ann@host",
        "2026-11-20 11:00  nobody   found                             ann@host",
        "2026-11-20 10:00  3        forced       2026-11-20 11:00     ann@host",
        "2026-11-20 09:30  2        refused                           ann@host",
        "2026-11-20 08:00  1        promoted     2026-11-20 10:00     ann@host",
    ]
    assert lines[-1] == "    the first"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "MLproject").write_text("name: svg-quality\n")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "demo.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    return tmp_path


def test_before_anything_happened(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history"]) == 0
    assert "nobody was ever in Production: `svg-quality promote`" in capsys.readouterr().out
    assert not (project / "mlruns" / "mlflow.db").exists()


@pytest.mark.slow
def test_it_reads_without_mlflow_and_exits_1_on_a_changed_ledger(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = open_store().client
    client.create_registered_model(MODEL)
    for _ in range(2):
        client.create_model_version(MODEL, "/nowhere")
    with production() as now:
        move(now, now.version(1), "promoted", reason="the first in Production")
    with production() as now:
        write(now, now.version(2), "refused", reason="it errs more: " + "much " * 40)
    program = (
        "import sys; from svg_quality.cli import main; code = main(['history'])\n"
        "assert not {'mlflow', 'pandas', 'torch'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split("  ")[0] == "when (UTC)"
    assert lines[1].split()[2:4] == ["2", "refused"]
    assert all(len(line) <= 100 for line in lines[1:-1])
    assert lines[-1].endswith("mlruns/promotions.jsonl: 2 lines, none changed, put in or taken out")
    text = ledger_path().read_text()
    ledger_path().write_text(text.replace("the first in Production", "because I say so"))
    assert main(["history"]) == 1
    said = capsys.readouterr()
    assert "because I say so" in said.out
    assert "promotions.jsonl is not: line 2 does not follow the line before it" in said.err
