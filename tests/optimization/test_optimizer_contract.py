"""What every optimizer keeps to, whatever its method; with real conversions in real processes."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from svg_quality.conversion.measure import Measurement, measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import PixelsTask, WorkerPool, convert_pixels
from svg_quality.errors import SettingsError
from svg_quality.optimization import conversions
from svg_quality.optimization.base import Answer, best_of
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.methods import LOGGED_AS, METHODS, optimize_logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.use_log import UseLog
from svg_quality.prediction.predictor import QualityPredictor

BUDGET = 10
OBJECTIVES = {
    "smallest": Objective.smallest(),
    "floor": Objective.smallest(min_ssim=0.9),
    "floor and ceiling": Objective.smallest(min_ssim=0.5, max_bytes=3000),
    "best": Objective.best_ssim(),
    "within": Objective.best_ssim_within(2500),
}
TIMES = {"trace_ms", "render_ms"}

Optimize = Callable[..., tuple[Answer, str | None]]

pytestmark = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def optimize(logo: Logo, pool: WorkerPool, predictor: QualityPredictor) -> Optimize:
    """Choose parameters for the badge, within 10 conversions."""

    def run(method: str, objective: Objective = OBJECTIVES["smallest"], **changes: Any) -> Any:
        given = {"logo": logo, "pool": pool, "log": None, "budget": BUDGET, **changes}
        return optimize_logo(objective=objective, method=method, ask=lambda: predictor, **given)

    return run


def only_the_default(task: PixelsTask) -> Measurement:
    """A conversion that takes its worker with it, but for the default's."""
    if task.parameters != Parameters():
        os.kill(os.getpid(), signal.SIGKILL)
    return convert_pixels(task)


def all_but_the_default(task: PixelsTask) -> Measurement:
    if task.parameters == Parameters():
        os.kill(os.getpid(), signal.SIGKILL)
    return convert_pixels(task)


class FaultyPool(WorkerPool):
    """Real workers, given something else to do."""

    function: Callable[[PixelsTask], Measurement]

    def run(self, function: Any, tasks: Sequence[Any]) -> Any:
        return super().run(self.function, tasks)


@pytest.fixture(scope="module")
def faulty_pool() -> Iterator[FaultyPool]:
    """One for all tests: starting workers takes seconds."""
    with FaultyPool(2, timeout_s=60) as pool:
        yield pool


class Ticking:
    """The pool, by a clock of its own: every call takes a second."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool, self.n_workers, self.now = pool, pool.n_workers, 0.0

    def run(self, function: Any, tasks: Sequence[Any]) -> Any:
        self.now += 1
        return self.pool.run(function, tasks)


def figures(answer: Answer) -> list[Any]:
    """What was tried and measured, without times."""
    return [
        (x.parameters, x.origin, x.error, x.measured and {**x.measured, **dict.fromkeys(TIMES)})
        for x in answer.attempts
    ]


@pytest.mark.parametrize("wanted", OBJECTIVES)
def test_is_honest_and_never_worse_than_the_default(
    optimize: Optimize, logo: Logo, method: str, wanted: str
) -> None:
    answer, svg = optimize(method, OBJECTIVES[wanted])
    objective, chosen, default = answer.objective, answer.chosen, answer.default
    assert (answer.method, answer.image, answer.image_id) == (
        method, "badge.png", logo.image.image_id,
    )  # fmt: skip
    assert not objective.needs_default
    assert default is not None
    assert default.figures is not None
    assert default.origin == "default"
    assert chosen is not None
    assert chosen.figures is not None
    assert chosen == best_of(answer.attempts, objective)
    assert objective.key(*chosen.figures) <= objective.key(*default.figures)
    assert answer.status == ("found" if objective.meets(*chosen.figures) else "not_reached")
    assert chosen.parameters.is_everyday
    assert chosen.parameters.max_iterations == 10
    # What is said to be measured is what anybody measures, and the SVG is that one.
    fresh = measure(logo.image.rgb, chosen.parameters)
    assert svg == fresh.svg
    assert chosen.measured is not None
    for name, value in chosen.measured.items():
        assert name in TIMES or value == getattr(fresh, name), name
    json.dumps(answer.as_dict(), allow_nan=False)


@pytest.mark.parametrize("budget", [1, 2, 5, 9])
def test_keeps_its_budget_and_repeats_nothing(optimize: Optimize, method: str, budget: int) -> None:
    answer, svg = optimize(method, budget=budget)
    assert answer.n_conversions == len(answer.attempts) <= budget
    assert max(Counter(x.parameters for x in answer.attempts).values()) == 1
    assert answer.attempts[0] == answer.default
    assert svg is not None
    if budget == 1:
        assert answer.chosen == answer.default


@pytest.mark.parametrize("deadline", [2.0, 4.0])
def test_gives_the_best_of_what_the_time_allowed(
    optimize: Optimize, pool: WorkerPool, method: str, deadline: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """None is begun that would end after the deadline if it took twice as long as the longest."""
    ticking = Ticking(pool)
    monkeypatch.setattr(conversions, "monotonic", lambda: ticking.now)
    answer, svg = optimize(method, pool=ticking, deadline=deadline)
    assert ticking.now == min(deadline - 1, METHODS[method]().default_budget)
    assert svg is not None
    assert answer.chosen == best_of(answer.attempts, answer.objective)
    said = f"The time was over after {answer.n_conversions} of {BUDGET} conversions."
    wanted_more = deadline == 2.0 or method != "feature_mapping"  # which converts one set by rule
    assert (said in answer.reason) == wanted_more
    assert "budget was spent" not in answer.reason
    if deadline == 2.0:
        assert answer.chosen == answer.default


def test_gains_something_on_a_plain_logo(optimize: Optimize, method: str) -> None:
    answer, svg = optimize(method)
    assert answer.status == "found"
    assert answer.default is not None
    assert answer.default.figures is not None
    assert svg is not None
    assert len(svg.encode()) < 0.7 * answer.default.figures[1]


def test_answers_the_same_question_alike_and_logs_every_conversion_once(
    optimize: Optimize, logo: Logo, tmp_path: Path, method: str
) -> None:
    log = UseLog(tmp_path)
    answer, _ = optimize(method, log=log)
    again, _ = optimize(method, log=UseLog(tmp_path))  # the same rows: none is added
    assert figures(answer) == figures(again)
    assert answer.chosen is not None
    assert again.chosen is not None
    assert answer.chosen.parameters == again.chosen.parameters
    rows = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert len(rows) == answer.n_conversions
    for row, attempt in zip(rows, answer.attempts, strict=True):
        assert attempt.measured is not None
        assert {name: row[name] for name in Parameters.__slots__} == attempt.parameters.as_dict()
        assert {name: row[name] for name in attempt.measured} == attempt.measured
        assert (row["method"], row["error"]) == (LOGGED_AS[method], None)
        assert (log.library / row["image_path"]).read_bytes() == logo.data


@pytest.mark.slow
def test_goes_on_where_workers_die(
    optimize: Optimize, faulty_pool: FaultyPool, tmp_path: Path, method: str, logo: Logo
) -> None:
    faulty_pool.function = only_the_default
    answer, svg = optimize(method, pool=faulty_pool, log=UseLog(tmp_path), budget=3)
    assert (answer.status, answer.chosen) == ("found", answer.default)
    assert svg == measure(logo.image.rgb, Parameters()).svg
    assert len(answer.attempts) > 1
    for attempt in answer.attempts[1:]:
        assert attempt.measured is None
        assert "this one died" in str(attempt.error)
    rows = [json.loads(x) for x in UseLog(tmp_path).path.read_text().splitlines()]
    assert [row["error"] for row in rows] == [x.error for x in answer.attempts]
    assert [row["ssim"] for row in rows[1:]] == [None] * len(rows[1:])


@pytest.mark.slow
def test_says_so_where_even_the_default_fails(
    optimize: Optimize, faulty_pool: FaultyPool, method: str
) -> None:
    faulty_pool.function = all_but_the_default
    answer, svg = optimize(method, pool=faulty_pool, budget=3)
    assert (answer.status, answer.chosen, svg) == ("not_reached", None, None)
    assert "The default's SSIM is the floor, and it failed" in answer.reason
    floor = Objective.smallest(min_ssim=0.2)
    answer, svg = optimize(method, floor, pool=faulty_pool, budget=4)
    assert answer.default is not None
    assert answer.default.measured is None
    assert "better than VTracer's default" not in answer.reason
    assert answer.chosen is None or answer.chosen.figures is not None
    assert (svg is None) == (answer.chosen is None)
    assert answer.status == ("not_reached" if svg is None else "found")


def test_an_objective_out_of_reach_gets_the_nearest(optimize: Optimize, method: str) -> None:
    answer, svg = optimize(method, Objective.smallest(min_ssim=1.0, max_bytes=20), budget=5)
    assert answer.chosen is not None
    assert answer.chosen == best_of(answer.attempts, answer.objective)
    assert svg is not None
    assert answer.status == "do_not_vectorise"  # also a model that knows nothing sees so much
    assert "none reaches SSIM 1 within 20 bytes" in answer.reason
    assert "best converted for real: SSIM" in answer.reason
    answer, _ = optimize(method, Objective.best_ssim_within(20), budget=2)
    assert answer.status == "not_reached"  # without a floor nothing is out of reach
    assert "of at most 20 bytes; the nearest has SSIM" in answer.reason


def test_says_that_a_large_picture_was_reduced(
    optimize: Optimize, draw_logo: Callable[..., bytes], method: str
) -> None:
    large = Logo.read(draw_logo((1600, 800)))
    answer, svg = optimize(method, logo=large, budget=2)
    assert answer.traced_size == (512, 256)
    assert answer.reduced_from == (1600, 800)
    assert svg is not None
    assert 'width="512" height="256"' in svg


def test_refuses_a_method_or_budget_that_is_none(optimize: Optimize, method: str) -> None:
    with pytest.raises(SettingsError, match="a budget must be at least 0, got -1"):
        optimize(method, budget=-1)
    with pytest.raises(SettingsError, match=f"a method must be one of .*{method}.*, got 'luck'"):
        optimize("luck")
