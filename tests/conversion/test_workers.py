"""Workers: a task that hangs, dies, panics or eats memory costs its own row only."""

import os
import signal
import time
from importlib import metadata
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
        case "surprise":
            cv2.resize(np.zeros((2, 2), np.uint8), (0, 0))
        case "fail":
            raise ConversionError("VTracer must not panic, got: something")
    return task.upper()


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
