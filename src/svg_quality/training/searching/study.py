"""What a search is told and what it tells: a plan, a watcher, and the study as it is.

Nothing here knows of Optuna; that is `search` and `storage`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from sqlalchemy.engine import make_url

State = Literal["COMPLETE", "PRUNED", "FAIL", "KILLED"]
Report = Callable[[int, dict[str, float]], None]
Evaluate = Callable[[Mapping[str, Any], Report], Mapping[str, float]]

OBJECTIVE: Final = "everyday_ssim_mae"  # the figure that is a trial's value
PRUNED_BY: Final = "val_ssim_mae"  # the metric of an epoch


class TrialWatcher(Protocol):
    """What the outside hears of a trial, in the process that runs it."""

    def began(self, number: int, chosen: Mapping[str, Any]) -> Mapping[str, str]:
        """A trial began; what is returned is kept with it as user attributes."""

    def epoch(self, number: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """An epoch ended."""

    def ended(self, number: int, state: State, figures: Mapping[str, float], reason: str) -> None:
        """The trial ends; Optuna is told afterwards."""

    def is_lost(self, attributes: Mapping[str, Any]) -> bool:
        """Whether the process of a running trial with these attributes is known to be gone."""

    def lost(self, attributes: Mapping[str, Any]) -> None:
        """A trial was given up, since its process is gone."""

    def end_if_asked(self) -> None:
        """Called between trials and after each epoch: the only places to end this worker from."""


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A study and what is asked of it."""

    name: str
    storage: str  # URL of the database
    n_trials: int
    n_epochs: int  # of a trial, at most
    seed: int = 0
    timeout_s: float = 0.0  # 0: none
    first: Mapping[str, Any] | None = None  # what the first trial chooses
    about: Mapping[str, Any] | None = None  # what results must share to be comparable

    @property
    def address(self) -> str:
        """The URL as it may be shown: without a password."""
        return make_url(self.storage).render_as_string(hide_password=True)


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial, as a page shows it."""

    number: int
    state: str
    value: float | None  # None but for finished ones
    chosen: Mapping[str, Any]
    figures: Mapping[str, float]
    n_epochs: int
    last: float | None  # reported last
    seconds: float | None
    attributes: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class StudyResult:
    """A study as it is now."""

    trials: tuple[TrialRow, ...]
    best: TrialRow
    importance: Mapping[str, float]  # of each choice for the value, in [0, 1]; empty if unknown
