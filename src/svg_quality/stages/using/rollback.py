"""`rollback`: undo the last change of Production; asked again, the one before it."""

from __future__ import annotations

from svg_quality.errors import ModelError, TrackingError
from svg_quality.prediction.bundle import Bundle
from svg_quality.settings import RollbackSettings
from svg_quality.stages.console import say
from svg_quality.stages.learning.train import VERSION_TAG
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.stages.using.promote import CHAMPION_TAG, warn_of_tampering
from svg_quality.tracking.production import Production, candidate, move, production
from svg_quality.tracking.registry import MODEL
from svg_quality.tracking.resolve import ModelVersion, resolve


def _rollback(context: StageContext) -> None:
    settings: RollbackSettings = context.settings
    with production() as now:
        warn_of_tampering(now)
        target = _before(now)
        gone = str(now.champion.version) if now.champion else ""
        reason = settings.reason or "no reason given"
        moved = move(now, target, "rolled back", reason=reason, run=context.run.run_id)
    context.run.set_tags({VERSION_TAG: str(moved.version), CHAMPION_TAG: gone})
    context.run.set_output(f"{moved.name}/{moved.version}")
    instead = f", instead of version {gone}" if gone else ""
    say(f"rollback   {moved.name} version {moved.version} is in stage Production again{instead}")


def _before(now: Production) -> ModelVersion:
    """The version that was there before and still works.

    Raises:
        TrackingError: there is none.
    """
    champion = candidate(now.champion) if now.champion else None
    for entry in reversed(now.line[:-1]):
        if entry.version is None or entry.version.is_same(champion):
            continue
        number = entry.version.version
        found = next((v for v in now.versions if entry.version.is_same(candidate(v))), None)
        if found is None:
            say(f"rollback   version {number} was there before, but is registered no more")
            continue
        try:
            Bundle(resolve(f"models:/{MODEL}/{number}").path)
        except (ModelError, TrackingError) as error:
            say(f"rollback   version {number} was there before, but cannot be loaded: {error}")
            continue
        return found
    there = f"version {champion.version}" if champion else "now"
    raise TrackingError(
        f"a rollback needs a version that was in Production before {there}, and the history names"
        " none: `svg-quality promote --version NUMBER` chooses one"
    )


ROLLBACK = Stage(
    name="rollback",
    after=(),
    code=("tracking/ledger.py", "tracking/production.py", "tracking/registry.py",
          "stages/using/rollback.py"),
    act=_rollback,
)  # fmt: skip
