"""`promote`: one registered version becomes the one that predictions load."""

from __future__ import annotations

from svg_quality.errors import TrackingError
from svg_quality.prediction.predictor import PRODUCTION
from svg_quality.settings import LATEST, PromoteSettings
from svg_quality.stages.console import say
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.stages.train import TRAIN, VERSION_TAG
from svg_quality.tracking.lookup import FinishedRun
from svg_quality.tracking.registry import promote
from svg_quality.tracking.resolve import resolve


def _promote(context: StageContext) -> None:
    settings: PromoteSettings = context.settings
    asked = context.source.tags[VERSION_TAG] if settings.version == LATEST else settings.version
    if not asked.isdigit():
        raise TrackingError(f"a version must be a number or {LATEST}, got {asked!r}")
    promoted = promote(int(asked))
    context.run.set_tags({VERSION_TAG: str(promoted.version)})
    context.run.set_output(f"{promoted.name}/{promoted.version}")
    say(f"promote    {promoted.name} version {promoted.version} is in stage Production")


def _is_in_production(run: FinishedRun) -> bool:
    """Nobody promoted another version since."""
    try:
        return str(resolve(PRODUCTION).version) == run.tags[VERSION_TAG]
    except TrackingError:
        return False


PROMOTE = Stage(
    name="promote",
    after=(TRAIN,),
    code=("tracking/registry.py", "stages/promote.py"),
    act=_promote,
    still_holds=_is_in_production,
)
