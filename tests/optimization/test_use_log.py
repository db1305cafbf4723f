"""Use makes data: whole rows, each once, from any number of writers; and `collect` reads all."""

import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from svg_quality.cli import main
from svg_quality.conversion.images import load_image
from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.conversion.workers import PixelsTask, WorkerPool
from svg_quality.dataset.tables import FIGURES, check_conversions, conversions_table
from svg_quality.errors import StorageError
from svg_quality.optimization.base import Attempt
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.methods import optimize_logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.use_log import UseLog
from svg_quality.tracking.lookup import newest_finished

ROOT = Path(__file__).parents[2]
MEASURED = {
    "ssim": 0.9, "ssim_worst_tile": 0.5, "mse": 40.0, "psnr": 32.1, "svg_bytes": 1000,
    "path_count": 3, "trace_ms": 1.0, "render_ms": 1.0,
}  # fmt: skip


class HangingPool(WorkerPool):
    """Real workers, whose conversions never end."""

    def run(self, function: Any, tasks: Sequence[Any]) -> Any:
        return super().run(hang, tasks)


def hang(task: PixelsTask) -> None:
    time.sleep(60)


def attempt(angle: int, error: str | None = None) -> Attempt:
    measured = None if error else MEASURED
    return Attempt(Parameters(splice_threshold=angle), "tpe", None, measured, error)


def rows_of(log: UseLog) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.path.read_text().splitlines()]


def append_many(data: Path, file: bytes, low: int, high: int) -> None:
    """What one process of several does: a row at a time, as fast as it can."""
    log, logo = UseLog(data), Logo.read(file)
    for angle in range(low, high):
        log.append(logo, [attempt(angle)], "method-2")


def test_rows_keep_the_schema_and_say_what_was_measured(logo: Logo, tmp_path: Path) -> None:
    log = UseLog(tmp_path)
    named = replace(logo, name="/home/jane/secret/badge.png")
    log.append(named, [attempt(1), attempt(2, "a conversion must end")], "predictive")
    table = conversions_table(rows_of(log))
    assert table["splice_threshold"].tolist() == [1, 2]
    assert table["method"].tolist() == ["predictive"] * 2
    assert table["error"].tolist()[1] == "a conversion must end"
    assert table["source"].unique().tolist() == ["use/badge.png"]  # nobody's folders
    assert table["ssim"].isna().tolist() == [False, True]
    [place] = table["image_path"].unique()
    assert (log.library / place).read_bytes() == logo.data
    assert load_image(log.library / place).image_id == table["image_id"][0]
    log.append(logo, [], "predictive")
    assert len(rows_of(log)) == 2


def test_a_conversion_has_one_row_whoever_makes_it_again(logo: Logo, tmp_path: Path) -> None:
    one, other = UseLog(tmp_path), UseLog(tmp_path)
    one.append(logo, [attempt(1), attempt(2)], "method-2")
    other.append(logo, [attempt(2), attempt(3), attempt(3)], "method-3")
    one.append(logo, [attempt(3)], "method-2")
    assert [row["splice_threshold"] for row in rows_of(one)] == [1, 2, 3]
    # That it failed once and not another time are two things to know.
    one.append(logo, [attempt(1, "died"), attempt(4, "died"), attempt(4)], "method-2")
    one.append(logo, [attempt(4, "died"), attempt(4)], "method-2")
    assert [row["splice_threshold"] for row in rows_of(one)][3:] == [1, 4, 4]


def test_a_log_begun_anew_gets_every_row_again(logo: Logo, tmp_path: Path) -> None:
    log = UseLog(tmp_path)
    log.append(logo, [attempt(1), attempt(2)], "method-2")
    log.append(logo, [attempt(3)], "method-2")
    log.path.unlink()
    log.append(logo, [attempt(2)], "method-2")
    assert [row["splice_threshold"] for row in rows_of(log)] == [2]


def test_another_log_in_its_place_is_read_from_its_beginning(logo: Logo, tmp_path: Path) -> None:
    log, other = UseLog(tmp_path), UseLog(tmp_path / "other")
    for angle in (1, 2):  # the second time it knows of the first
        log.append(logo, [attempt(angle)], "method-2")
    other.append(logo, [attempt(angle) for angle in (7, 8, 9)], "method-3")
    other.path.replace(log.path)  # a longer one
    log.append(logo, [attempt(1), attempt(7)], "method-2")
    assert [row["splice_threshold"] for row in rows_of(log)] == [7, 8, 9, 1]


def test_a_damaged_line_stays_for_collect_and_stops_nobody(logo: Logo, tmp_path: Path) -> None:
    log = UseLog(tmp_path)
    log.append(logo, [attempt(1)], "method-2")
    damaged = log.path.read_bytes() + b'{"conversion_id": \n[1]\n{}\n\xff\n'
    log.path.write_bytes(damaged)
    for writer in (log, UseLog(tmp_path)):
        writer.append(logo, [attempt(1), attempt(2)], "method-2")
    assert log.path.read_bytes().startswith(damaged)
    assert len(log.path.read_bytes().splitlines()) == 6


@pytest.mark.parametrize("keep", [1, 700, 70_000])
def test_a_line_that_was_cut_short_is_dropped_and_nothing_else(
    logo: Logo, tmp_path: Path, keep: int
) -> None:
    log = UseLog(tmp_path)
    log.append(logo, [attempt(1)], "method-2")
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + (whole[:-1] * 60)[:keep])
    for writer in (log, UseLog(tmp_path)):
        writer.append(logo, [attempt(2)], "method-2")
    assert log.path.read_bytes().startswith(whole)
    assert [row["splice_threshold"] for row in rows_of(log)] == [1, 2]
    log.path.write_bytes(whole[:50])  # not even one line
    UseLog(tmp_path).append(logo, [attempt(3)], "method-2")
    assert [row["splice_threshold"] for row in rows_of(log)] == [3]


def test_threads_append_at_once(draw_logo: Callable[..., bytes], tmp_path: Path) -> None:
    log = UseLog(tmp_path)
    logos = [Logo.read(draw_logo(seed=number % 2)) for number in range(8)]

    def append(number: int) -> None:
        for angle in range(5):
            log.append(logos[number], [attempt(5 * number + angle)], "method-2")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(append, range(8)))
    assert sorted(row["splice_threshold"] for row in rows_of(log)) == list(range(40))
    assert len(list(log.library.rglob("*.png"))) == 2


@pytest.mark.slow
def test_processes_append_at_once_and_one_is_killed(logo: Logo, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log = UseLog(tmp_path)

    def start(low: int, high: int) -> Any:
        process = context.Process(target=append_many, args=(tmp_path, logo.data, low, high))
        process.start()
        return process

    killed, *others = [start(0, 181), start(60, 110), start(90, 140)]
    while not log.path.exists() or len(log.path.read_bytes()) < 20_000:
        time.sleep(0.01)
    killed.kill()
    for process in (killed, *others):
        process.join()
    assert [process.exitcode for process in others] == [0, 0]
    log.append(logo, [attempt(180)], "method-2")
    rows = conversions_table(rows_of(log))  # whole lines only, and no conversion twice
    angles = set(rows["splice_threshold"])
    assert angles >= {*range(60, 140), 180}
    assert angles & set(range(60)) == set(range(len(angles & set(range(60)))))


def test_says_so_where_the_disk_refuses(logo: Logo, tmp_path: Path) -> None:
    (tmp_path / "conversions").write_text("a file stands where the folder should be")
    with pytest.raises(StorageError, match=r"a log must be writable, .*use\.jsonl is not"):
        UseLog(tmp_path).append(logo, [attempt(1)], "method-2")


@pytest.mark.slow
def test_collect_reads_every_row_of_every_method(
    pool: WorkerPool,
    draw_logo: Callable[..., bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a person does it: optimise, then `svg-quality collect`."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "MLproject").write_text((ROOT / "MLproject").read_text())
    (tmp_path / "experiments/demo.yaml").write_text("{}")
    monkeypatch.chdir(tmp_path)
    log, answers = UseLog(Path("data")), []
    for seed, method in enumerate(("feature_mapping", "search", "adaptive")):
        logo = Logo.read(draw_logo(seed=seed), name=f"{seed}.png")
        answers.append(
            optimize_logo(logo, Objective.smallest(), method, lambda: None, pool, log, budget=6)[0]
        )
    with HangingPool(1, timeout_s=0.3) as hasty:
        slow = Conversions(Logo.read(draw_logo(seed=9)), hasty, log, "predictive", 2)
        failed = slow.measure(
            [(Parameters(color_precision=bits), "front", None) for bits in (7, 8)]
        )
    assert all("must end within" in str(one.error) for one in failed)

    capsys.readouterr()
    command = ["collect", "data/conversions/use.jsonl", "--images", "data/logos"]
    assert main([*command, "--n-workers", "1"]) == 0
    said = capsys.readouterr().out
    made = [one for answer in answers for one in answer.attempts] + failed
    assert f"{len(made)} records: {len(made)} in the table (2 of them failed" in said
    assert "0 in quarantine" in said
    table = check_conversions(
        pd.read_parquet(newest_finished("collect").artifact("conversions.parquet"))
    )
    assert Counter(table["method"]) == {
        "method-1": 2, "method-2": 6, "method-3": 6, "predictive": 2,
    }  # fmt: skip
    for one, row in zip(made, table.to_dict(orient="records"), strict=True):
        assert {name: row[name] for name in NAMES} == one.parameters.as_dict()
        for name in FIGURES:
            figure = None if one.measured is None else one.measured[name]
            assert row[name] == figure if figure is not None else pd.isna(row[name])
        assert row["error"] == one.error if one.error else pd.isna(row["error"])
