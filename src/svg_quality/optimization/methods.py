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
from svg_quality.errors import SettingsError
from svg_quality.optimization.adaptive import Adaptive
from svg_quality.optimization.base import DEFAULT, Answer, Optimizer, conclude
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.feature_mapping import FeatureMapping
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.predictive import Predictive
from svg_quality.optimization.search import TpeSearch
from svg_quality.optimization.use_log import UseLog

if TYPE_CHECKING:
    from svg_quality.prediction.predictor import ImageLike, Picture, QualityPredictor

METHODS: Final[dict[str, Callable[[], Optimizer]]] = {
    "feature_mapping": FeatureMapping,
    "search": TpeSearch,
    "adaptive": Adaptive,
    "predictive": Predictive,
}
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
    predictor: QualityPredictor | None,
    pool: WorkerPool,
    log: UseLog | None,
    budget: int = 0,
    deadline: float = math.inf,
) -> tuple[Answer, str | None]:
    """Choose a logo's parameters, and convert it with them.

    VTracer's defaults are always converted, as the first of the budget: they fix the floor where
    the objective has none of its own, and stand where nothing better is found.

    Args:
        logo: of `read_logo`.
        objective: what is wanted.
        method: one of ``METHODS``.
        predictor: the model to ask; None for methods that need none.
        pool: where conversions run.
        log: keeps logo and conversions to learn from; None keeps none.
        budget: conversions in all; 0 for the method's own number.
        deadline: of `time.monotonic`; no conversion is begun after it.

    Returns:
        The answer, and the SVG of the chosen set as it was measured; None where there is none.

    Raises:
        SettingsError: there is no such method, or the budget is negative.
        ModelError: the model went away while it was asked.
        ConversionError: the deadline is over, or VTracer panicked on a reduced copy of the logo;
            no such logo is known.
        StorageError: the log cannot be written.
    """
    began = perf_counter()
    if method not in METHODS:
        raise SettingsError(f"a method must be one of {', '.join(METHODS)}, got {method!r}")
    if budget < 0:
        raise SettingsError(f"a budget must be at least 0, got {budget}")
    picture, missing = _picture(logo, method, predictor)
    logo = logo.described(picture.descriptors) if picture else logo
    optimizer = METHODS[method]()
    conversions = Conversions(
        logo, pool, log, LOGGED_AS[method], budget or optimizer.default_budget, deadline
    )
    default = conversions.measure([(Parameters(), DEFAULT, None)])[0]
    if default.figures is None and objective.needs_default:
        answer = conclude(
            method, logo, objective, conversions, began=began, status="not_reached",
            confidence="none: nothing is measured",
            reason=f"The default's SSIM is the floor, and it failed: {default.error}.",
        )  # fmt: skip
        return answer, None
    resolved = objective.resolved(default.figures[0] if default.figures else None)
    if missing:
        answer = conclude(
            method, logo, resolved, conversions, began=began, status="unavailable",
            confidence="VTracer's defaults, measured", reason=f"No model was asked: {missing}.",
        )  # fmt: skip
    else:
        answer = optimizer.optimize(logo, resolved, conversions, picture=picture)
    chosen = answer.chosen
    svg = conversions.svg(chosen.parameters) if chosen and chosen.figures else None
    return replace(answer, seconds=perf_counter() - began), svg


def _picture(
    logo: Logo, method: str, predictor: QualityPredictor | None
) -> tuple[Picture | None, str | None]:
    """The logo as the model sees it, or the reason why a method that needs it has none."""
    if method not in NEED_A_MODEL:
        return None, None
    if predictor is None:
        return None, "there is no predictor"
    state = predictor.availability()
    if not state.available:
        return None, state.reason or "the model is unavailable"
    return predictor.picture(logo.data), None
