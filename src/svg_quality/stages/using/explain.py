"""`explain`: what each parameter does to one logo, as a page, and whether to vectorise it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from svg_quality.conversion.parameters import NAMES, Parameters, parameters_from
from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import ModelError
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.explain import Curve, sensitivity, telling_sets, with_measured
from svg_quality.optimization.explain_page import render_explain
from svg_quality.optimization.gallery import shown
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.use_log import UseLog
from svg_quality.optimization.worth import Worth, settled, worth_vectorising
from svg_quality.prediction.predictor import Picture, QualityPredictor
from svg_quality.settings import ExplainSettings, Settings
from svg_quality.stages.console import say
from svg_quality.stages.using.answer_lines import UNLIKE
from svg_quality.stages.using.assignments import assigned
from svg_quality.stages.using.svg_files import write_whole
from svg_quality.tracking.store import project_root

_LOGGED_AS: Final = "by-hand"  # in the conversions table's `method`: no optimizer chose the sets
_BUDGET: Final = 64  # more than is ever converted here


def run(settings: Settings) -> int:
    """Explain one logo; gives the exit code.

    Raises:
        SvgQualityError: there is no model, or anything else the user can put right.
    """
    wanted = settings.explain
    at = parameters_from(assigned([wanted.at]))
    with WorkerPool(wanted.n_workers, wanted.timeout_s) as pool:  # starts while the model loads
        predictor = QualityPredictor(settings.predictor.model, enabled=settings.predictor.enabled)
        state = predictor.availability()
        if not state.available:
            raise ModelError(f"an explanation must have a model: {state.reason}")
        logo = Logo.read(wanted.logo, predictor.working_size)
        picture = predictor.picture(logo.data)
        logo = logo.described(picture.descriptors)
        log = UseLog(project_root() / "data") if wanted.log else None
        conversions = Conversions(logo, pool, log, _LOGGED_AS, _BUDGET)
        curves, worth = _explained(picture, at, wanted, logo, conversions)
    page = _page_path(logo)
    svg = next((conversions.svg(x.parameters) for x in conversions.attempts
                if x.parameters == at and x.figures), None)  # fmt: skip
    html = render_explain(
        curves, worth, shown(logo.image, svg), name=Path(wanted.logo).name, at=at,
        model=f"{picture.model_name} version {picture.model_version}",
        unlike_training=picture.similarity.unlike,
    )  # fmt: skip
    write_whole(page, html)
    for line in _lines(curves, worth, picture, wanted):
        say(line)
    say(f"written    {page}")
    return 0


def _explained(
    picture: Picture, at: Parameters, wanted: ExplainSettings, logo: Logo, conversions: Conversions
) -> tuple[list[Curve], Worth]:
    """Curves and verdict, both checked by real conversions."""
    curves = sensitivity(picture, at)
    worth = worth_vectorising(picture, wanted.min_ssim, wanted.max_bytes or len(logo.data))
    conversions.measure(
        [(parameters, "explain", said) for parameters, said in worth.evidence]
        + [(parameters, "explain", None) for parameters in telling_sets(curves, at)]
    )
    attempts = conversions.attempts
    return with_measured(curves, at, attempts), settled(worth, attempts)


def _lines(
    curves: list[Curve], worth: Worth, picture: Picture, wanted: ExplainSettings
) -> Iterator[str]:
    yield f"logo       {wanted.logo}, by {picture.model_name} version {picture.model_version}"
    whose = "" if wanted.max_bytes else ", the logo file's own size"
    yield f"asked      SSIM of at least {worth.floor:g} within {worth.ceiling:,} bytes{whose}"
    yield f"advice     {worth.sentence}"
    if picture.similarity.unlike:
        yield UNLIKE
    width = max(map(len, NAMES))
    yield f"{'parameter':<{width}}  SSIM moves  bytes by factor  what it does here"
    for curve in curves:
        moves = f"{0:>10}  {1:>15}"
        if not curve.is_dead:
            moves = f"{curve.ssim_range:>10.4f}  {curve.bytes_factor:>15.2f}"
        yield f"{curve.name:<{width}}  {moves}  {curve.brief}"


def _page_path(logo: Logo) -> Path:
    """In reports/, named after the logo; two pictures never share a page."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(logo.name).stem)
    return project_root() / "reports" / f"explain_{stem}_{logo.image.image_id[:8]}.html"
