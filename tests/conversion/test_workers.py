"""Workers: a task that hangs, dies, panics or eats memory costs its own row only."""

import os
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import ConversionTask, convert_all, run_isolated
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
        case "fail":
            raise ConversionError("VTracer must not panic, got: something")
    return task.upper()


def test_each_kind_of_failure_costs_one_row_and_says_why() -> None:
    tasks = ["a", "hang", "b", "die", "c", "eat", "d", "fail", "e"]
    outcomes = {x.task: x for x in run_isolated(misbehave, tasks, n_workers=2, timeout_s=2)}
    assert set(outcomes) == set(tasks)
    for good in "abcde":
        assert (outcomes[good].result, outcomes[good].error) == (good.upper(), None)
    assert "within 2 s" in str(outcomes["hang"].error)
    assert "died" in str(outcomes["die"].error)
    assert "fit in" in str(outcomes["eat"].error)
    assert "must not panic" in str(outcomes["fail"].error)
    assert all(outcomes[bad].result is None for bad in ("hang", "die", "eat", "fail"))


def test_a_real_panic_of_vtracer_is_a_row_with_its_message(tmp_path: Path) -> None:
    """layer_difference 0 with two colours divides by zero inside visioncortex 0.8.10."""
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[:32] = (200, 30, 30)
    cv2.imwrite(str(tmp_path / "logo.png"), picture)
    tasks = [
        ConversionTask(str(level), tmp_path / "logo.png", 512, Parameters(layer_difference=level))
        for level in (0, 16)
    ]
    outcomes = {x.task.conversion_id: x for x in convert_all(tasks, n_workers=1, timeout_s=20)}
    assert outcomes["16"].result is not None
    assert 0.5 < outcomes["16"].result["ssim"] <= 1
    assert outcomes["0"].error is None
