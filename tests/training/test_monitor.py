"""The monitor: its thread ends, its log survives, its warnings are told once."""

import gc
import json
import math
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from svg_quality.errors import SettingsError
from svg_quality.training.monitoring.load import Load, LoadMeter
from svg_quality.training.monitoring.log import read_log
from svg_quality.training.monitoring.monitor import THREAD, TrainingMonitor
from svg_quality.training.monitoring.watch import Limits

IDLE = Load(cpu_percent=5, process_cpu_percent=5, memory_percent=10, process_mb=100)
SECONDS = {"data": 1e-4, "forward": 3e-4, "backward": 5e-4, "optimizer": 1e-4}


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def quiet(folder: Path, **changes: object) -> TrainingMonitor:
    return TrainingMonitor(folder, **{"interval": 0.01, "meter": lambda: IDLE, **changes})  # type: ignore[arg-type]


def fed(monitor: TrainingMonitor, losses: list[float], first: int = 1, slow: float = 1.0) -> None:
    for step, loss in enumerate(losses, first):
        monitor.record_step(step, {k: slow * v for k, v in SECONDS.items()}, loss, 1.0)


def causes(monitor: TrainingMonitor) -> list[str]:
    return [told["cause"] for told in monitor.get_training_summary()["warnings"]]


def test_the_thread_ends_with_the_block_and_every_step_is_kept(tmp_path: Path) -> None:
    with quiet(tmp_path) as monitor:
        assert len(threads()) == 1
        fed(monitor, [1.0] * 500)
        monitor.record_epoch(1, {"val_loss": 0.5, "train_loss": 0.4})
        monitor.record_epoch(2, {"val_loss": 0.6, "train_loss": 0.3})
    assert threads() == []
    said = monitor.get_training_summary()
    assert said["n_steps"] == 500
    assert said["complete"]
    assert said["best_epoch"] == {"epoch": 1, "val_loss": 0.5, "train_loss": 0.4}
    assert said["peak"]["process_mb"] == 100
    assert said["warnings"] == []
    assert said["steps_per_second"] == pytest.approx(1000)
    assert said["time_ms"]["backward"]["p50"] == pytest.approx(0.5, rel=0.012)
    assert said["time_ms"]["backward"]["share"] == pytest.approx(0.5)


def test_the_thread_ends_after_an_exception_and_says_so(tmp_path: Path) -> None:
    monitor = quiet(tmp_path)
    with pytest.raises(ZeroDivisionError), monitor:
        fed(monitor, [1.0, 1 / 0])
    assert threads() == []
    assert monitor.get_training_summary()["warnings"][0]["text"].startswith("ZeroDivisionError")
    assert list(read_log(tmp_path))[-1]["kind"] == "stop"


def test_starting_and_stopping_twice_is_once(tmp_path: Path) -> None:
    monitor = quiet(tmp_path)
    monitor.stop_monitoring()  # never started
    monitor.start_monitoring()
    monitor.start_monitoring()
    assert len(threads()) == 1
    monitor.stop_monitoring()
    monitor.stop_monitoring()
    assert threads() == []
    assert [r["kind"] for r in read_log(tmp_path)].count("stop") == 1
    monitor.start_monitoring()  # a second stretch
    assert len(threads()) == 1
    monitor.stop_monitoring()
    assert monitor.get_training_summary()["n_starts"] == 2


def test_the_thread_ends_when_nobody_holds_the_monitor(tmp_path: Path) -> None:
    monitor = quiet(tmp_path)
    monitor.start_monitoring()
    fed(monitor, [1.0])
    del monitor
    gc.collect()
    assert threads() == []
    records = list(read_log(tmp_path))
    assert records[-1]["kind"] == "stop"
    assert sum(r["n_steps"] for r in records if r["kind"] == "steps") == 1


SCRIPT = """
import sys, time
from pathlib import Path
from svg_quality.training.monitoring.monitor import TrainingMonitor
monitor = TrainingMonitor(Path(sys.argv[1]), interval=0.02)
monitor.start_monitoring()
step = 0
while sys.argv[2] == "ever" or step < 50:
    step += 1
    monitor.record_step(step, {"forward": 1e-3}, 1.0, 1.0)
    time.sleep(0.001)
"""


@pytest.mark.slow
def test_an_interpreter_that_exits_writes_what_is_left(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), "50"], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    records = list(read_log(tmp_path))
    assert records[-1]["kind"] == "stop"
    assert sum(r["n_steps"] for r in records if r["kind"] == "steps") == 50


@pytest.mark.slow
def test_after_a_kill_the_log_is_whole_and_a_new_session_goes_on(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), "ever"])
    log = tmp_path / "monitor.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not log.exists() or log.read_bytes().count(b"\n") < 9):
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    records = list(read_log(tmp_path))
    assert len(records) >= 9
    n_before = sum(r["n_steps"] for r in records if r["kind"] == "steps")
    with log.open("ab") as file:  # as if the kill had come in the middle of a line
        file.write(b'{"kind":"steps","t":')
    with quiet(tmp_path) as monitor:
        fed(monitor, [1.0] * 7)
    after = list(read_log(tmp_path))
    assert after[: len(records)] == records
    assert sum(r["n_steps"] for r in after if r["kind"] == "steps") == n_before + 7
    for line in log.read_bytes().splitlines():
        json.loads(line)


def test_a_loss_explosion_is_told_once_with_its_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = quiet(tmp_path)
    fed(monitor, [1.0, 1.1, 0.9, 1.2] * 10)
    assert causes(monitor) == []
    fed(monitor, [40.0, 1.0, 50.0], first=41)
    told = monitor.get_training_summary()["warnings"]
    assert [x["cause"] for x in told] == ["loss explosion"]
    assert told[0]["n_times"] == 2
    assert told[0]["step"] == 41
    assert "loss 40 at step 41" in told[0]["text"]
    assert "is 1.05" in told[0]["text"]
    assert len([r for r in caplog.records if "loss explosion" in r.message]) == 1


def test_a_loss_that_falls_through_zero_is_no_explosion(tmp_path: Path) -> None:
    """The loss of the expected error has a logarithm in it: its median can be 0."""
    monitor = quiet(tmp_path)
    fed(monitor, [0.5 - 0.01 * k + 0.05 * math.sin(k) for k in range(200)])
    assert causes(monitor) == []


def test_odd_rows_near_a_loss_of_zero_are_no_explosion(tmp_path: Path) -> None:
    """Step 1,344 of a real training: 0.2525 where the median was 0.0003."""
    monitor = quiet(tmp_path)
    fed(monitor, [1.6 * 0.97**k + 0.02 * math.sin(k) for k in range(400)])
    fed(monitor, [0.2525, 0.0003], first=401)
    assert causes(monitor) == []
    fed(monitor, [2.0], first=403)
    assert causes(monitor) == ["loss explosion"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_told_and_counted(tmp_path: Path, value: float) -> None:
    monitor = quiet(tmp_path)
    fed(monitor, [1.0, value, 1.0])
    monitor.record_step(4, SECONDS, 1.0, value)
    monitor.record_step(5, SECONDS, value, math.nan)  # no gradient was taken
    said = monitor.get_training_summary()
    assert [x["cause"] for x in said["warnings"]] == ["not finite loss", "not finite gradient norm"]
    assert f"loss {value} at step 2" in said["warnings"][0]["text"]
    assert [x["n_times"] for x in said["warnings"]] == [2, 1]
    assert said["n_not_finite"] == 3
    monitor.record_epoch(1, {"val_loss": value})
    assert list(read_log(tmp_path))[-1]["metrics"] == {"val_loss": None}


def test_a_slow_down_names_the_part_that_grew(tmp_path: Path) -> None:
    monitor = quiet(tmp_path)
    fed(monitor, [1.0] * 100)
    fed(monitor, [1.0] * 7, first=101, slow=9.0)  # a few: could be chance
    assert causes(monitor) == []
    for step in range(108, 140):
        monitor.record_step(step, {**SECONDS, "data": 0.009}, 1.0, 1.0)
    told = monitor.get_training_summary()["warnings"]
    assert [x["cause"] for x in told] == ["slow-down"]
    assert "times the 1 ms" in told[0]["text"]
    assert "most of it in 'data'" in told[0]["text"]


def test_high_load_is_told_after_readings_in_a_row(tmp_path: Path) -> None:
    high = Load(cpu_percent=99, process_cpu_percent=90, memory_percent=95, process_mb=1,
                gpu_mb=5, gpu_percent=99)  # fmt: skip
    readings = iter([high, IDLE, high, high, IDLE] + [high] * 3 + [IDLE] * 100_000)
    with quiet(tmp_path, meter=lambda: next(readings), limits=Limits(n_readings=3)) as monitor:
        deadline = time.monotonic() + 30
        while len(causes(monitor)) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert causes(monitor) == ["high processor load", "high memory load", "high GPU memory load"]
    text = monitor.get_training_summary()["warnings"][0]["text"]
    assert text == "99% of the machine in use, over 97% in 3 readings in a row"
    n_readings = [r["kind"] for r in read_log(tmp_path)].index("warning") - 1
    assert n_readings == 8


def test_notes_of_the_trainer_are_warnings_told_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = quiet(tmp_path)
    fed(monitor, [1.0])
    for rate in (0.005, 0.0025):
        monitor.note("restored", f"went back to epoch 3, rate {rate}")
    told = monitor.get_training_summary()["warnings"]
    assert told == [
        {"cause": "restored", "text": "went back to epoch 3, rate 0.005", "step": 1, "n_times": 2}
    ]
    assert [r.message[-4:] for r in caplog.records] == [".005", "0025"]
    texts = [r["text"] for r in read_log(tmp_path) if r["kind"] == "note"]
    assert texts == ["went back to epoch 3, rate 0.005", "went back to epoch 3, rate 0.0025"]


def test_a_log_that_cannot_be_written_does_not_end_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with quiet(tmp_path / "file") as monitor:
        fed(monitor, [1.0] * 3)
    said = monitor.get_training_summary()
    assert said["n_steps"] == 3
    assert said["warnings"][0]["cause"] == "log"
    assert "cannot be written" in said["warnings"][0]["text"]


def test_steps_from_many_threads_are_all_counted(tmp_path: Path) -> None:
    with quiet(tmp_path) as monitor:
        workers = [threading.Thread(target=fed, args=(monitor, [1.0] * 2000)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert monitor.get_training_summary()["n_steps"] == 8000


def test_what_is_waiting_is_bounded_without_the_thread(tmp_path: Path) -> None:
    monitor = quiet(tmp_path)
    fed(monitor, [1.0] * 50_001)
    assert sum(r.get("n_steps", 0) for r in read_log(tmp_path)) == 50_001


def test_recording_a_step_costs_little(tmp_path: Path) -> None:
    """A few microseconds; the best of some rounds, since the machine may be busy."""
    with quiet(tmp_path, interval=30.0) as monitor:
        best = math.inf
        for _ in range(20):
            start = time.perf_counter()
            fed(monitor, [1.0] * 200)
            best = min(best, (time.perf_counter() - start) / 200)
    assert best < 50e-6


def test_the_machine_is_read() -> None:
    meter = LoadMeter()
    sum(k * k for k in range(300_000))
    load = meter()
    assert load.process_mb > 10
    assert 0 < load.memory_percent < 100
    assert load.process_cpu_percent > 0


@pytest.mark.parametrize("wrong", [{"interval": 0.0}, {"max_bytes": 0}, {"n_files": 0}])
def test_refuses_bounds(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="must be"):
        quiet(tmp_path, **wrong)


def test_refuses_limits() -> None:
    with pytest.raises(SettingsError, match="slow_down must be positive, got 0"):
        Limits(slow_down=0)
