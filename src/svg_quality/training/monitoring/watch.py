"""What of a training is worth a warning. Each cause is told once, and counted."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final, NamedTuple

from svg_quality.errors import SettingsError
from svg_quality.training.monitoring.load import Load

NOT_FINITE: Final = "not finite"
EXPLOSION: Final = "loss explosion"
SLOW_DOWN: Final = "slow-down"
_MIN_LOSSES: Final = 10  # a median of fewer says little
_SHARE_OF_FIRST: Final = 0.05
_RECENT: Final = 16  # steps that must be slow together: one alone is chance
_REFRESH: Final = 16  # steps for which a median is used again: 20 us of the interpreter each


class Step(NamedTuple):
    """What the trainer recorded of a step."""

    step: int
    seconds: Mapping[str, float]  # by part
    loss: float
    gradient_norm: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond what a warning is given.

    Raises:
        SettingsError: a limit is not positive.
    """

    cpu_percent: float = 97.0  # of the machine, for `n_readings` in a row
    memory_percent: float = 92.0
    gpu_percent: float = 95.0
    n_readings: int = 10
    slow_down: float = 3.0  # median step time of late, over that of the session before
    explosion: float = 10.0  # see `Watch`
    n_losses: int = 200  # of the running medians

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be positive, got {getattr(self, name)}")


class Warned(NamedTuple):
    """A cause and its numbers."""

    cause: str
    text: str
    step: int | None


@dataclass(slots=True)
class Watch:
    """Looks at every step and reading, in order.

    A loss explodes where it lies more than ``explosion * max(|median|, MAD, |first| / 20)`` above
    the median of the losses before it; MAD is their median absolute deviation, ``first`` the
    median of the first ten. Losses may be negative (that of the expected error is), so a ratio of
    the two would mean nothing, and near 0 a batch of odd rows is no explosion.
    """

    limits: Limits = field(default_factory=Limits)
    _losses: deque[float] = field(init=False)
    _times: deque[Step] = field(init=False)
    _high: dict[str, int] = field(default_factory=dict)
    _usual: tuple[float, float] = (0.0, 0.0)  # median of losses, and their spread
    _first: float = 0.0  # median of the first losses
    _age: int = 0  # losses since it was taken

    def __post_init__(self) -> None:
        self._losses = deque(maxlen=self.limits.n_losses)
        self._times = deque(maxlen=self.limits.n_losses + _RECENT)

    def steps(self, steps: list[Step]) -> Iterator[Warned]:
        """What is wrong with steps just made."""
        for step in steps:
            yield from self._numbers(step)
            self._times.append(step)
        yield from self._pace()

    def load(self, load: Load) -> Iterator[Warned]:
        """What is wrong with a reading and those before it."""
        for cause, value, limit in (
            ("high processor load", load.cpu_percent, self.limits.cpu_percent),
            ("high memory load", load.memory_percent, self.limits.memory_percent),
            ("high GPU memory load", load.gpu_percent, self.limits.gpu_percent),
        ):
            self._high[cause] = self._high.get(cause, 0) + 1 if (value or 0.0) > limit else 0
            if self._high[cause] >= self.limits.n_readings:
                yield Warned(
                    cause,
                    f"{value:.0f}% of the machine in use, over {limit:g}% in"
                    f" {self._high[cause]} readings in a row",
                    None,
                )

    def _numbers(self, step: Step) -> Iterator[Warned]:
        # A trainer takes no gradient of a loss that is not finite: one of the two is the cause.
        name = "gradient norm" if math.isfinite(step.loss) else "loss"
        value = step.gradient_norm if math.isfinite(step.loss) else step.loss
        if not math.isfinite(value):
            yield Warned(f"{NOT_FINITE} {name}", f"{name} {value} at step {step.step}", step.step)
        if not math.isfinite(step.loss):
            return
        if len(self._losses) >= _MIN_LOSSES:
            middle, spread = self._usual_loss()
            scale = max(abs(middle), spread, abs(self._first) * _SHARE_OF_FIRST)
            if step.loss - middle > self.limits.explosion * scale:
                yield Warned(
                    EXPLOSION,
                    f"loss {step.loss:.4g} at step {step.step}, the median of the"
                    f" {len(self._losses)} before it is {middle:.4g}",
                    step.step,
                )
        self._losses.append(step.loss)
        self._age += 1

    def _usual_loss(self) -> tuple[float, float]:
        if self._age >= _REFRESH or len(self._losses) == _MIN_LOSSES:
            middle = median(self._losses)
            self._usual = middle, median(abs(loss - middle) for loss in self._losses)
            self._age = 0
            self._first = self._first or middle
        return self._usual

    def _pace(self) -> Iterator[Warned]:
        if len(self._times) < 3 * _RECENT:
            return
        before, late = list(self._times)[:-_RECENT], list(self._times)[-_RECENT:]
        usual, now = (
            median(sum(step.seconds.values()) for step in part) for part in (before, late)
        )
        if now > self.limits.slow_down * usual:
            grown = {
                name: median(s.seconds.get(name, 0.0) for s in late)
                - median(s.seconds.get(name, 0.0) for s in before)
                for name in late[-1].seconds
            }
            part = max(grown, key=lambda name: grown[name])
            yield Warned(
                SLOW_DOWN,
                f"a step takes {1e3 * now:.3g} ms, {now / usual:.1f} times the"
                f" {1e3 * usual:.3g} ms before step {late[0].step}; most of it in {part!r}",
                late[-1].step,
            )
