"""One thing that was looked at, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """A check that ran to its end."""

    area: str  # "dimensions", "gradients", "memory", "time", "inputs", "determinism"
    name: str
    outcome: Outcome
    fact: str  # with its numbers
    law: str  # what was asked for


def check(area: str, name: str, kept: bool, fact: str, law: str, miss: Outcome = "fail") -> Check:
    """A check whose law is kept or not; ``miss`` is the outcome where it is not."""
    return Check(area, name, "pass" if kept else miss, fact, law)
