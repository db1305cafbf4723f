"""All optimizers by name, and the one way to call them: what the command line and the API share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Final

from svg_quality.conversion.images import WORKING_SIZE
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import ModelError, SettingsError, TrackingError
from svg_quality.optimization.adaptive import Adaptive
from svg_quality.optimization.base import DEFAULT, Answer, Optimizer, conclude
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.feature_mapping import FeatureMapping
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.predictive import Predictive
from svg_quality.optimization.search import TpeSearch
from svg_quality.optimization.use_log import UseLog
from svg_quality.optimization.worth import settled, worth_vectorising

if TYPE_CHECKING:
    from svg_quality.prediction.predictor import ImageLike, Picture, QualityPredictor

METHODS: Final[dict[str, Callable[[], Optimizer]]] = {
    "feature_mapping": FeatureMapping,
    "search": TpeSearch,
    "adaptive": Adaptive,
    "predictive": Predictive,
}
Ask = Callable[[], "QualityPredictor | None"]  # the model, loaded only where it is asked

NEED_A_MODEL: Final = frozenset({"predictive"})
LOGGED_AS: Final = {  # in the conversions table's `method`
    "feature_mapping": "method-1", "search": "method-2", "adaptive": "method-3",
    "predictive": "predictive",
}  # fmt: skip


def read_logo(source: ImageLike, predictor: QualityPredictor | None, name: str = "") -> Logo:
    """A logo at the size at which the model knows pictures; 512 px where there is no model.

    Raises:
        ImageError: as `Logo.read`.
    """
    return Logo.read(source, predictor.working_size if predictor else WORKING_SIZE, name)


def optimize_logo(
    logo: Logo,
    objective: Objective,
    method: str,
    ask: Ask,
    pool: WorkerPool,
    log: UseLog | None,
    budget: int = 0,
    deadline: float = math.inf,
) -> tuple[Answer, str | None]:
    """Choose a logo's parameters, and convert it with them.

    VTracer's defaults are always converted, as the first of the budget: they fix the floor where
    the objective has none of its own, and stand where nothing better is found. Where nothing
    that was converted meets the objective a model says whether anything could, whatever the method.

    Args:
        logo: of `read_logo`.
        objective: what is wanted.
        method: one of ``METHODS``.
        ask: gives the model; not called where the method needs none and the objective is met.
        pool: where conversions run.
        log: keeps logo and conversions to learn from; None keeps none.
        budget: conversions in all; 0 for the method's own number.
        deadline: of `time.monotonic`; conversions that might end after it are not begun, and the
            answer is the best of those made.

    Returns:
        The answer, and the SVG of the chosen set as it was measured; None where there is none.

    Raises:
        SettingsError: there is no such method, or the budget is negative.
        ModelError: the method's model cannot be used, or went away while it was asked.
        DeadlineError: the deadline was over before the first conversion.
        ConversionError: VTracer panicked on a reduced copy of the logo; no such logo is known.
        StorageError: the log cannot be written.
    """
    began = perf_counter()
    if method not in METHODS:
        raise SettingsError(f"a method must be one of {', '.join(METHODS)}, got {method!r}")
    if budget < 0:
        raise SettingsError(f"a budget must be at least 0, got {budget}")
    optimizer = METHODS[method]()
    picture, missing = _picture(logo, ask) if method in NEED_A_MODEL else (None, None)
    logo = logo.described(picture.descriptors) if picture else logo
    conversions = Conversions(
        logo, pool, log, LOGGED_AS[method], budget or optimizer.default_budget, deadline
    )
    answer = _answer(optimizer, objective, conversions, picture, missing)
    if answer.status == "not_reached":
        answer = _judged(answer, logo, ask)
    if conversions.out_of_time:
        late = f"The time was over after {conversions.spent} of {conversions.budget} conversions."
        answer = replace(answer, reason=f"{answer.reason} {late}")
    chosen = answer.chosen
    svg = conversions.svg(chosen.parameters) if chosen and chosen.figures else None
    return replace(answer, seconds=perf_counter() - began), svg


def _answer(
    optimizer: Optimizer,
    objective: Objective,
    conversions: Conversions,
    picture: Picture | None,
    missing: str | None,
) -> Answer:
    """The default converted, and then what the optimizer makes of it."""
    began, name, logo = perf_counter(), optimizer.name, conversions.logo
    default = conversions.measure([(Parameters(), DEFAULT, None)])[0]
    if default.figures is None and objective.needs_default:
        return conclude(
            name, logo, objective, conversions, began=began, status="not_reached",
            confidence="none: nothing is measured",
            reason=f"The default's SSIM is the floor, and it failed: {default.error}.",
        )  # fmt: skip
    resolved = objective.resolved(default.figures[0] if default.figures else None)
    if missing:
        return conclude(
            name, logo, resolved, conversions, began=began, status="unavailable",
            confidence="VTracer's defaults, measured", reason=f"No model was asked: {missing}.",
        )  # fmt: skip
    return optimizer.optimize(logo, resolved, conversions, picture=picture)


def _picture(logo: Logo, ask: Ask) -> tuple[Picture | None, str | None]:
    """The logo as the model sees it, or the reason why a method that needs it has none."""
    predictor = ask()
    if predictor is None:
        return None, "there is no predictor"
    state = predictor.availability()
    if not state.available:
        return None, state.reason or "the model is unavailable"
    return predictor.picture(logo.data), None


def _judged(answer: Answer, logo: Logo, ask: Ask) -> Answer:
    """The answer, as "do not vectorise" where the model sees no setting that would do.

    The ceiling is the objective's, or else the size of the logo's own file. Without a floor nothing
    is out of reach. Where no model can be asked the answer stays as it was measured.
    """
    floor, ceiling = answer.objective.min_ssim, answer.objective.max_bytes or len(logo.data)
    if floor is None or not any(attempt.figures for attempt in answer.attempts):
        return answer
    try:
        picture, _ = _picture(logo, ask)
    except (ModelError, TrackingError):
        return answer
    if picture is None:
        return answer
    worth = settled(worth_vectorising(picture, floor, ceiling), answer.attempts)
    if worth.verdict != "do_not_vectorise":
        return answer
    return replace(answer, status="do_not_vectorise", reason=worth.sentence)
