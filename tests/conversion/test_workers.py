"""Workers: a task that hangs, dies, panics or eats memory costs its own row only."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest

from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import (
    ConversionTask,
    PixelsTask,
    WorkerPool,
    convert_all,
    convert_pixels,
    run_isolated,
)
from svg_quality.errors import ConversionError

pytestmark = pytest.mark.slow


def misbehave(task: str) -> str:
    match task:
        case "hang":
            time.sleep(60)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "eat":
            np.ones(2**30)
        case "surprise":
            cv2.resize(np.zeros((2, 2), np.uint8), (0, 0))
        case "fail":
            raise ConversionError("VTracer must not panic, got: something")
    return task.upper()


def pid_of(task: int) -> int:
    time.sleep(0.2)  # so that every worker gets one
    return os.getpid()


def test_each_kind_of_failure_costs_one_row_and_says_why() -> None:
    tasks = ["a", "hang", "b", "die", "c", "eat", "d", "fail", "surprise", "e"]
    outcomes = {x.task: x for x in run_isolated(misbehave, tasks, n_workers=2, timeout_s=2)}
    assert set(outcomes) == set(tasks)
    for good in "abcde":
        assert (outcomes[good].result, outcomes[good].error) == (good.upper(), None)
    assert "within 2 s" in str(outcomes["hang"].error)
    assert "died" in str(outcomes["die"].error)
    assert "fit in" in str(outcomes["eat"].error)
    assert "must not panic" in str(outcomes["fail"].error)
    assert "must not fail, this one did: error: " in str(outcomes["surprise"].error)
    assert all(outcomes[bad].result is None for bad in ("hang", "die", "eat", "fail", "surprise"))


def test_a_real_panic_of_vtracer_is_a_row_with_its_message() -> None:
    """visioncortex 0.8.10, color.rs:279, divides by zero on this logo and these parameters."""
    files = metadata.distribution("diagrams").files or []
    found = next(file for file in files if str(file).endswith("onprem/iac/awx.png"))
    logo = Path(str(found.locate()))
    panics = Parameters(
        color_precision=5, layer_difference=0, corner_threshold=151, length_threshold=5.64,
        splice_threshold=117,
    )  # fmt: skip
    tasks = [
        ConversionTask("panics", logo, 512, panics),
        ConversionTask("works", logo, 512, Parameters()),
    ]
    outcomes = {x.task.conversion_id: x for x in convert_all(tasks, n_workers=1, timeout_s=20)}
    assert outcomes["panics"].result is None
    assert "must not panic, got: attempt to divide by zero" in str(outcomes["panics"].error)
    assert outcomes["works"].result is not None
    assert 0.5 < outcomes["works"].result["ssim"] <= 1
    assert "svg" not in outcomes["works"].result


def test_a_pool_answers_in_order_and_outlives_every_kind_of_failure() -> None:
    tasks = ["a", "hang", "b", "die", "c", "eat", "d", "fail", "surprise", "e"]
    with WorkerPool(2, timeout_s=2) as pool:
        for _ in range(2):
            outcomes = pool.run(misbehave, tasks)
            assert [outcome.task for outcome in outcomes] == tasks
            said = {outcome.task: str(outcome.error) for outcome in outcomes}
            for outcome in outcomes:
                good = outcome.task in "abcde"
                assert outcome.result == (outcome.task.upper() if good else None)
                assert (outcome.error is None) == good
            assert "within 2 s" in said["hang"]
            assert "died" in said["die"]
            assert "fit in" in said["eat"]
            assert "must not panic" in said["fail"]
            assert "must not fail" in said["surprise"]
        assert pool.run(misbehave, []) == []


def test_workers_stay_and_a_pool_whose_idle_workers_were_killed_starts_others() -> None:
    """Pebble itself gives a pool up where a worker dies without a task."""
    with WorkerPool(2, timeout_s=20) as pool:
        first = {outcome.result for outcome in pool.run(pid_of, range(6))}
        assert {outcome.result for outcome in pool.run(pid_of, range(6))} == first
        for pid in first:
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        for wait in (0.0, 1.0):  # before and after it is noticed
            time.sleep(wait)
            again = pool.run(pid_of, range(6))
            assert [outcome.error for outcome in again] == [None] * 6
            assert not first & {outcome.result for outcome in again}


def test_threads_share_a_pool_and_each_gets_its_own_answers() -> None:
    with WorkerPool(2, timeout_s=20) as pool, ThreadPoolExecutor(8) as threads:
        words = [[f"{thread}{letter}" for letter in "xyz"] for thread in range(8)]
        answers = threads.map(lambda tasks: pool.run(misbehave, tasks), words)
        for tasks, outcomes in zip(words, answers, strict=True):
            assert [outcome.result for outcome in outcomes] == [x.upper() for x in tasks]


def test_closing_a_pool_releases_whoever_waits_for_it() -> None:
    with ThreadPoolExecutor(1) as thread:
        with WorkerPool(1, timeout_s=60) as pool:
            waiting = thread.submit(pool.run, misbehave, ["hang", "hang"])
            time.sleep(1)
        with pytest.raises(RuntimeError, match="must stay open until its tasks are done"):
            waiting.result(timeout=20)
    with pytest.raises(RuntimeError, match="a pool must be open to run tasks, this one is closed"):
        pool.run(misbehave, ["a"])


def test_a_pool_measures_pixels_as_the_caller_would() -> None:
    rgb = np.full((40, 30, 3), 255, np.uint8)
    rgb[8:30, 5:20] = (200, 30, 90)
    polygon = Parameters(mode="polygon")
    with WorkerPool(1, timeout_s=20) as pool:
        [outcome] = pool.run(convert_pixels, [PixelsTask(rgb, polygon)])
    here = measure(rgb, polygon)
    assert outcome.result is not None
    assert (outcome.result.svg, outcome.result.ssim) == (here.svg, here.ssim)
