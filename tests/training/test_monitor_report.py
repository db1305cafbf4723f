"""The log's bounds, the percentiles against numpy, and the pages of sessions."""

import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.errors import DatasetError
from svg_quality.training.monitoring.load import Load
from svg_quality.training.monitoring.log import RotatingLog, read_log
from svg_quality.training.monitoring.monitor import TrainingMonitor
from svg_quality.training.monitoring.report import (
    session_charts,
    write_comparison_page,
    write_session_page,
)
from svg_quality.training.monitoring.summary import (
    compare_sessions,
    comparison_text,
    percentile,
    summarise,
    time_bins,
)

IDLE = Load(cpu_percent=5, process_cpu_percent=5, memory_percent=10, process_mb=100)


def session(folder: Path, rate: float, n_epochs: int = 3) -> Path:
    rng = random.Random(0)
    with TrainingMonitor(folder, interval=0.01, meter=lambda: IDLE) as monitor:
        for epoch in range(1, n_epochs + 1):
            for step in range(10):
                seconds = {"forward": rng.uniform(1, 2) * 1e-3, "backward": 1e-3}
                monitor.record_step(10 * epoch + step, seconds, rate / epoch, 1.0)
            metrics = {"train_loss": rate / epoch, "val_loss": rate / epoch + 0.1,
                       "learning_rate": rate}  # fmt: skip
            monitor.record_epoch(epoch, metrics)
    return folder


@given(st.lists(st.floats(1e-7, 1e3), min_size=1, max_size=200), st.sampled_from([50, 95, 99]))
def test_percentiles_are_those_of_numpy_to_the_width_of_a_bin(
    times: list[float], share: int
) -> None:
    said = percentile(time_bins(np.array(times)), share)
    exact = np.percentile(times, share, method="inverted_cdf")
    assert said == pytest.approx(exact, rel=0.0117)


def test_the_log_keeps_its_bounds_and_the_newest_records(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path, max_bytes=200, n_files=3)
    for number in range(200):
        log.append({"kind": "note", "number": number})
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["monitor.1.jsonl", "monitor.2.jsonl", "monitor.jsonl"]
    assert all(path.stat().st_size <= 200 for path in tmp_path.iterdir())
    kept = [record["number"] for record in read_log(tmp_path)]
    assert kept == list(range(kept[0], 200))
    assert len(kept) > 12


def test_one_file_is_a_bound_too(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path, max_bytes=50, n_files=1)
    for number in range(20):
        log.append({"number": number})
    log.append({"text": "x" * 100})  # longer than a file may be: still a line of its own
    assert [path.name for path in tmp_path.iterdir()] == ["monitor.jsonl"]
    assert list(read_log(tmp_path)) == [{"text": "x" * 100}]


def test_more_than_ten_files_are_read_in_order(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path, max_bytes=1, n_files=13)
    for number in range(13):
        log.append({"number": number})
    assert [record["number"] for record in read_log(tmp_path)] == list(range(13))


def test_a_half_last_line_is_passed_over_and_a_damaged_one_named(tmp_path: Path) -> None:
    path = tmp_path / "monitor.jsonl"
    path.write_text('{"a":1}\n{"b":')
    assert list(read_log(tmp_path)) == [{"a": 1}]
    path.write_text('{"a":1}\n{"b":\n{"c":2}\n')
    with pytest.raises(DatasetError, match=r"monitor\.jsonl, line 2 must be JSON"):
        list(read_log(tmp_path))


def test_a_folder_without_a_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"must have a monitor\.jsonl"):
        list(read_log(tmp_path))


def test_what_is_read_sums_up_as_what_was_seen(tmp_path: Path) -> None:
    monitor = TrainingMonitor(tmp_path, interval=0.01, meter=lambda: IDLE)
    with monitor:
        for step in range(100):
            monitor.record_step(step, {"forward": 1e-3}, 1.0 if step < 90 else 99.0, 1.0)
        monitor.note("restored", "once")
        monitor.record_epoch(1, {"val_loss": 1.0})
    assert summarise(read_log(tmp_path)) == monitor.get_training_summary()


def test_a_session_cut_short_and_resumed_adds_up(tmp_path: Path) -> None:
    session(tmp_path, 0.1)
    path = tmp_path / "monitor.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")  # without its stop
    first = summarise(read_log(tmp_path))
    assert not first["complete"]
    session(tmp_path, 0.1)
    both = summarise(read_log(tmp_path))
    assert both["complete"]
    assert both["n_starts"] == 2
    assert both["n_steps"] == 2 * first["n_steps"] == 60
    assert both["duration_s"] > first["duration_s"]


def test_sessions_are_set_side_by_side(tmp_path: Path) -> None:
    folders = [session(tmp_path / "slow", 0.1), session(tmp_path / "fast", 0.4, n_epochs=5)]
    said = compare_sessions(folders)
    assert list(said) == [str(folder) for folder in folders]
    text = comparison_text(said).splitlines()
    assert text[0].split() == ["slow", "fast"]
    cells = [re.split(r"  +", line) for line in text[1:]]
    lines = {name: values for name, *values in cells}
    assert lines["steps"] == ["30", "50"]
    assert lines["best epoch"] == ["3", "5"]
    assert lines["best val_loss"] == ["0.1333", "0.18"]
    page = write_comparison_page(folders, tmp_path / "page.html").read_text()
    assert '<th scope="col">slow</th>' in page
    assert "0.1333" in page
    assert page.count("curve series") == 2


def test_the_page_of_a_session_has_its_curves_and_warnings(tmp_path: Path) -> None:
    session(tmp_path, 0.1)
    with TrainingMonitor(tmp_path, interval=0.01, meter=lambda: IDLE) as monitor:
        monitor.note("restored", "the rate is <halved>")
    titles = [chart.title for chart in session_charts(list(read_log(tmp_path)))]
    assert titles == [
        "Loss by epoch", "Loss by step", "Learning rate", "Gradient norm",
        "Time of a step by part", "Processor", "Memory",
    ]  # fmt: skip
    page = write_session_page(tmp_path, tmp_path / "pages" / "page.html").read_text()
    assert "the rate is &lt;halved&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_an_empty_session_has_a_page(tmp_path: Path) -> None:
    monitor = TrainingMonitor(tmp_path, meter=lambda: IDLE)
    monitor.note("nothing", "was done")
    page = write_session_page(tmp_path, tmp_path / "page.html").read_text()
    assert "No step was recorded" in page
    assert "was done" in page
