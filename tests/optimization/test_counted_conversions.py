"""Conversions: counted, never repeated, held to the budget; failures count too."""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import DeadlineError
from svg_quality.optimization.base import Predicted
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.use_log import UseLog

ONE, TWO, THREE = (Parameters(mode="polygon", color_precision=bits) for bits in (4, 5, 6))


def test_a_set_is_converted_once_and_the_budget_is_hard(
    logo: Logo, pool: WorkerPool, tmp_path: Path
) -> None:
    said = Predicted(0.9, 0.8, 0.95, 900.0, 700.0, 1200.0)
    log = UseLog(tmp_path)
    counted = Conversions(logo, pool, log, "predictive", 2)
    first = counted.measure([(ONE, "front", said), (ONE, "neighbour", None)])
    assert first[0] is first[1]
    assert (first[0].origin, first[0].predicted) == ("front", said)
    assert counted.measure([(ONE, "tpe", None)])[0] is first[0]
    assert (counted.spent, counted.left) == (1, 1)
    again = counted.measure([(TWO, "front", None), (ONE, "tpe", None), (THREE, "front", None)])
    assert [one.parameters for one in again] == [TWO, ONE]  # no budget for the third
    assert again[1] is first[0]
    assert (counted.spent, counted.left) == (2, 0)
    assert counted.measure([(THREE, "front", None)]) == []
    assert [one.parameters for one in counted.attempts] == [ONE, TWO]
    assert len(log.path.read_text().splitlines()) == 2


def test_gives_the_svg_of_what_was_converted_and_of_nothing_else(
    logo: Logo, pool: WorkerPool
) -> None:
    counted = Conversions(logo, pool, None, "method-2", 3)
    counted.measure([(ONE, "tpe", None)])
    assert counted.svg(ONE) == measure(logo.image.rgb, ONE).svg
    with pytest.raises(KeyError):
        counted.svg(TWO)


def test_without_a_budget_nothing_is_converted(logo: Logo, pool: WorkerPool) -> None:
    counted = Conversions(logo, pool, None, "method-2", 0)
    assert counted.measure([(ONE, "tpe", None)]) == []
    assert (counted.spent, counted.attempts) == (0, ())


def test_after_the_deadline_nothing_is_begun(logo: Logo, pool: WorkerPool) -> None:
    counted = Conversions(logo, pool, None, "method-2", 3, monotonic() + 60)
    counted.measure([(ONE, "tpe", None)])
    assert (counted.left, counted.ended_by) == (2, None)
    counted.deadline = monotonic()
    assert counted.measure([(ONE, "tpe", None)])[0].parameters == ONE
    assert counted.ended_by is None  # nobody wanted another
    assert (counted.left, counted.ended_by) == (0, "time")
    assert [one.parameters for one in counted.measure([(TWO, "tpe", None), (ONE, "", None)])] == [
        ONE
    ]


def test_a_deadline_that_nothing_was_converted_before_is_an_error(
    logo: Logo, pool: WorkerPool
) -> None:
    late = Conversions(logo, pool, None, "method-2", 3, monotonic())
    with pytest.raises(DeadlineError, match="must begin before their deadline, and it is over"):
        late.measure([(ONE, "tpe", None)])
    assert late.attempts == ()


def test_the_deadline_is_looked_at_between_as_many_as_there_are_workers(
    logo: Logo, tmp_path: Path
) -> None:
    class Slow(WorkerPool):
        def run(self, function: Any, tasks: Sequence[Any]) -> Any:
            counted.deadline = monotonic()  # it is over while these are converted
            return super().run(function, tasks)

    log = UseLog(tmp_path)
    with Slow(1, timeout_s=60) as slow:
        counted = Conversions(logo, slow, log, "method-3", 3, monotonic() + 60)
        made = counted.measure([(one, "coarse", None) for one in (ONE, TWO, THREE)])
    assert len(made) == 1
    assert [one.parameters for one in counted.attempts] == [ONE]
    assert len(log.path.read_text().splitlines()) == 1
