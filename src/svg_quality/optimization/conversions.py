"""The real conversions of one logo: counted, never repeated, and each one logged.

The only way by which optimizers convert, so that every one is held to its budget and everything
measured can be learned from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import monotonic
from typing import Final, Literal

from svg_quality.conversion.measure import Measurement
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import PixelsTask, WorkerPool, convert_pixels, figures_of
from svg_quality.errors import DeadlineError
from svg_quality.optimization.base import Attempt, Predicted
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.use_log import UseLog

_SAFETY: Final = 2.0  # times the longest: so long may the next ones take
Chosen = tuple[Parameters, str, Predicted | None]  # a set, its origin, what was predicted of it


class Conversions:
    """Conversions of one logo.

    Args:
        logo: what to trace.
        pool: where to.
        log: keeps every conversion; None keeps none.
        method: as the conversions table calls it, one of `tables.METHODS`.
        budget: conversions that may be made in all.
        deadline: of `time.monotonic`; none is begun that might end after it, judged by those made.
    """

    def __init__(
        self,
        logo: Logo,
        pool: WorkerPool,
        log: UseLog | None,
        method: str,
        budget: int,
        deadline: float = math.inf,
    ) -> None:
        self.logo, self.pool, self.log, self.method = logo, pool, log, method
        self.budget, self.deadline = budget, deadline
        self.out_of_time = False  # more were wanted than it allowed
        self._longest_s = 0.0  # of those made side by side
        self._attempts: dict[Parameters, Attempt] = {}
        self._svg: dict[Parameters, str] = {}

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Everything converted so far, failures too, in the order it was asked for."""
        return tuple(self._attempts.values())

    @property
    def spent(self) -> int:
        """Conversions made, failures too."""
        return len(self._attempts)

    @property
    def left(self) -> int:
        """Conversions that may still be made.

        Where the time is over, none: whoever asks wanted more, and `out_of_time` is true from then.
        """
        left = self.budget - self.spent
        if left > 0 and monotonic() + _SAFETY * self._longest_s > self.deadline:
            self.out_of_time = True
            return 0
        return left

    @property
    def ended_by(self) -> Literal["time", "budget"] | None:
        """What allowed no more of them; None where nobody wanted more than there were."""
        if self.out_of_time:
            return "time"
        return "budget" if self.spent >= self.budget else None

    def measure(self, chosen: Sequence[Chosen]) -> list[Attempt]:
        """Convert parameter sets, side by side.

        Args:
            chosen: each with its origin and what was predicted of it.

        Returns:
            An attempt for each, in order; a failed conversion is one with ``error``. A set that
            was converted before gives the attempt of then and costs nothing. Sets for which
            budget or time are too short are left out.

        Raises:
            DeadlineError: the deadline was over before anything was converted.
            StorageError: the log cannot be written.
        """
        fresh: dict[Parameters, Chosen] = {}
        for one in chosen:
            if one[0] not in self._attempts:
                fresh.setdefault(one[0], one)
        asked = list(fresh.values())[: self.budget - self.spent]
        # With a deadline only as many at once as there are workers, to look at it in between.
        at_once = len(asked) if self.deadline == math.inf else self.pool.n_workers
        while asked and self.left:
            self._convert(asked[:at_once])
            asked = asked[at_once:]
        if self.out_of_time and not self._attempts:
            raise DeadlineError("conversions must begin before their deadline, and it is over")
        return [self._attempts[one[0]] for one in chosen if one[0] in self._attempts]

    def svg(self, parameters: Parameters) -> str:
        """The SVG of a set that was converted.

        Raises:
            KeyError: it was not, or the conversion failed.
        """
        return self._svg[parameters]

    def _convert(self, fresh: Sequence[Chosen]) -> None:
        """Convert sets that were not yet, side by side, and log what came of them."""
        tasks = [PixelsTask(self.logo.image.rgb, parameters) for parameters, _, _ in fresh]
        began = monotonic()
        outcomes = self.pool.run(convert_pixels, tasks)
        self._longest_s = max(self._longest_s, monotonic() - began)
        made = [
            self._attempt(one, outcome.result, outcome.error)
            for one, outcome in zip(fresh, outcomes, strict=True)
        ]
        self._attempts |= {attempt.parameters: attempt for attempt in made}
        if self.log is not None:
            self.log.append(self.logo, made, self.method)

    def _attempt(self, one: Chosen, measured: Measurement | None, error: str | None) -> Attempt:
        parameters, origin, predicted = one
        if measured is None:
            return Attempt(parameters, origin, predicted, None, error)
        self._svg[parameters] = measured.svg
        return Attempt(parameters, origin, predicted, figures_of(measured), None)
