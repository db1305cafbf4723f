"""The folder of a training: whose it is, when it can be taken over, and when it goes."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from svg_quality.stages.learning.cut_short import training_folder
from svg_quality.tracking.identity import Work

WORK = Work("train", {"epochs": 9, "resume": False}, {}, {"extract": "1" * 64}, "code")


def begin_and_break_off(root: Path, run: str, work: Work) -> None:
    with training_folder(root, run, work, resume=False) as path:
        (path / "state").write_text(run)
        raise KeyboardInterrupt


def cut(root: Path, run: str, work: Work = WORK) -> None:
    with pytest.raises(KeyboardInterrupt):
        begin_and_break_off(root, run, work)


def test_a_training_that_ends_well_leaves_nothing(tmp_path: Path) -> None:
    cut(tmp_path, "before")
    cut(tmp_path, "other", dataclasses.replace(WORK, code="new"))
    with training_folder(tmp_path, "run", WORK, resume=False) as path:
        assert path == tmp_path / "run"
        assert not (path / "state").exists()
    assert {folder.name for folder in tmp_path.iterdir()} == {"other"}  # not the same work


def test_the_newest_of_the_same_work_is_taken_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for age, run in enumerate(["newer", "older"]):
        cut(tmp_path, run)
        os.utime(tmp_path / run / "work.json", (1e9 - age, 1e9 - age))
    asked = dataclasses.replace(WORK, settings={"epochs": 9, "resume": True})
    with training_folder(tmp_path, "run", asked, resume=True) as path:
        assert (path / "state").read_text() == "newer"
        assert not (tmp_path / "newer").exists()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"settings": {"epochs": 3}}, "had other settings (epochs 9, not 3)"),
        ({"code": "new"}, "had other inputs or other code"),
        ({"digests": {"extract": "2" * 64}}, "had other inputs or other code"),
    ],
)
def test_other_work_is_not_taken_over(
    changes: dict[str, object],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cut(tmp_path, "cut")
    asked = dataclasses.replace(WORK, **changes)  # type: ignore[arg-type]
    with training_folder(tmp_path, "run", asked, resume=True) as path:
        assert not (path / "state").exists()
    assert f"begins anew: the newest that was cut short {reason}" in capsys.readouterr().out
    assert (tmp_path / "cut" / "state").exists()


def test_one_that_still_trains_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with training_folder(tmp_path, "first", WORK, resume=False) as first:
        with training_folder(tmp_path, "second", WORK, resume=True) as second:
            assert second != first
        assert first.is_dir()
    assert "begins anew: no training was cut short" in capsys.readouterr().out


def test_what_a_killed_process_held_is_free(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from svg_quality.stages.learning.cut_short import training_folder\n"
        "from svg_quality.tracking.identity import Work\n"
        "work = Work('train', {'epochs': 9}, {}, {'extract': '1' * 64}, 'code')\n"
        "with training_folder(Path(sys.argv[1]), 'killed', work, False) as path:\n"
        "    (path / 'state').write_text('so far')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with training_folder(tmp_path, "run", WORK, resume=True) as path:
        assert (path / "state").read_text() == "so far"
