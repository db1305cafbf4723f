"""What the REST API does, without HTTP: pictures and options in, plain values out.

Every method may be called by many threads at once. Each gives the answer and, where something
is to be kept to learn from, what to do once the answer is on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Final

from svg_quality import __version__
from svg_quality.conversion.images import WORKING_SIZE, LogoImage, load_image
from svg_quality.conversion.parameters import PRESETS, Parameters
from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import ConversionError, SvgQualityError
from svg_quality.optimization.base import Predicted
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.explain import sensitivity
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.methods import optimize_logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.use_log import UseLog
from svg_quality.prediction.predictor import Availability, Picture, QualityPredictor
from svg_quality.serving import answers
from svg_quality.serving.challenger import ChallengerRouter
from svg_quality.serving.config import ServeConfig
from svg_quality.serving.drawing import difference, picture_url
from svg_quality.serving.front import predicted_front
from svg_quality.serving.metrics import Metrics
from svg_quality.serving.prediction_log import Role
from svg_quality.serving.problems import Refused, code_of
from svg_quality.serving.schemas import ConvertOptions, OptimizeOptions
from svg_quality.serving.uploads import Drawings, Upload

_TO_ANSWER: Final = 0.1  # of a request's time: to judge, compare and write what was found
BY_HAND: Final = "by-hand"  # in the conversions table's `method`: no optimizer chose the set


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and what is to be done after it is sent."""

    content: dict[str, Any]
    after: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A picture as the model sees it that answers for it."""

    role: Role
    predictor: QualityPredictor
    picture: Picture


class Service:
    """Predictions and conversions of one server.

    Args:
        config: its limits.
        predictor: the champion.
        router: says which model answers for a picture, and logs what it said.
        pool: where conversions run and SVGs are drawn.
        log: keeps conversions to learn from; None keeps none.
        metrics: counts what is done.
    """

    def __init__(
        self,
        config: ServeConfig,
        predictor: QualityPredictor,
        router: ChallengerRouter,
        pool: WorkerPool,
        log: UseLog | None,
        metrics: Metrics,
    ) -> None:
        self.config = config
        self.predictor = predictor
        self.metrics = metrics
        self._router = router
        self._pool = pool
        self._log = log
        self._drawings = Drawings(pool, config.max_pixels)
        self._version: str | None = None

    @property
    def model_version(self) -> str | None:
        """That answered, or was looked up, last."""
        return self._version

    def availability(self) -> Availability:
        """Whether a model answers now."""
        state = self.predictor.availability()
        self._version = state.model_version
        self.metrics.show_model(state.model_name, state.model_version)
        return state

    def model(self) -> dict[str, Any]:
        """`GET /v1/model`."""
        state, rival = self.availability(), self._router.challenger
        return {
            **answers.head(state.model_name, state.model_version),
            "available": state.available,
            "reason": state.reason,
            "challenger_version": rival.availability().model_version if rival else None,
            "challenger_share": self._router.share if rival else 0.0,
            "version": __version__,
            "working_size": self._working_size(),
            "parameters": answers.parameter_ranges(),
            "presets": answers.presets(PRESETS),
            "limits": self.config.limits.model_dump(),
        }

    def predict(self, upload: Upload, sets: Sequence[Parameters]) -> Answered:
        """`POST /v1/predict`: one picture, any number of sets.

        Raises:
            ImageError: the picture cannot be used.
        """
        state = self.availability()
        safe = self._checked(upload)
        common = {"n_sets": len(sets), "default_parameters": Parameters().as_dict()}
        if not state.available:
            image = load_image(safe.data, WORKING_SIZE)
            return Answered({
                **answers.head(state.model_name, None), **common,
                "status": "unavailable", "reason": state.reason, "interval": None,
                "image": answers.image_facts(safe, image, None), "predictions": None,
            })  # fmt: skip
        seen = self._seen(safe)
        picture = seen.picture
        scores = picture.score(sets)
        self.metrics.predictions.labels(picture.model_version).inc(len(sets))
        content = {
            **self._about(safe, picture.image, picture), **common,
            "status": "ok", "reason": None, "interval": picture.interval,
            "predictions": answers.columns(scores),
        }  # fmt: skip
        return Answered(content, partial(self._router.record, seen.role, safe.data, picture, sets))

    def predict_batch(
        self, uploads: Sequence[Upload], chosen: Parameters, deadline: float
    ) -> Answered:
        """`POST /v1/predict/batch`: several pictures, one set; a bad picture is its own error.

        Raises:
            Refused: the time is up; the caller was told so, and the rest is left undone.
        """
        state = self.availability()
        items, after = [], []
        interval = None
        for upload in uploads:
            if monotonic() > deadline:
                raise Refused("timeout", f"a batch must end within {self.config.timeout_s:g} s")
            try:
                said = self.predict(upload, [chosen])
            except SvgQualityError as error:
                items.append(answers.failed_item(upload.name, code_of(error), str(error)))
                continue
            interval = interval or said.content["interval"]
            items.append(answers.batch_item(upload.name, said.content))
            if said.after:
                after.append(said.after)
        content = {
            **answers.head(state.model_name, state.model_version),
            "interval": interval, "parameters": chosen.as_dict(), "predictions": items,
        }  # fmt: skip
        return Answered(content, partial(_all, after))

    def front(self, upload: Upload) -> Answered:
        """`POST /v1/front`: the predicted Pareto front.

        Raises:
            ImageError: the picture cannot be used.
            ModelError: no model answers.
        """
        safe = self._checked(upload)
        picture = self._seen(safe).picture
        sets, scores, n_scored = predicted_front(picture)
        self.metrics.predictions.labels(picture.model_version).inc(n_scored)
        return Answered({
            **self._about(safe, picture.image, picture), "interval": picture.interval,
            "n_candidates": n_scored, "parameters": [chosen.as_dict() for chosen in sets],
            "predictions": answers.columns(scores),
        })  # fmt: skip

    def explain(self, upload: Upload, at: Parameters) -> Answered:
        """`POST /v1/explain`: what each parameter does, with the others fixed.

        Raises:
            ImageError: the picture cannot be used.
            ModelError: no model answers.
        """
        safe = self._checked(upload)
        picture = self._seen(safe).picture
        curves = sensitivity(picture, at)
        self.metrics.predictions.labels(picture.model_version).inc(
            sum(len(curve.values) for curve in curves)
        )
        return Answered({
            **self._about(safe, picture.image, picture), "interval": picture.interval,
            "at": at.as_dict(), "curves": [answers.curve(curve) for curve in curves],
        })  # fmt: skip

    def convert(self, upload: Upload, chosen: Parameters, options: ConvertOptions) -> Answered:
        """`POST /v1/convert`: one real conversion.

        Raises:
            ImageError: the picture cannot be used.
            ConversionError: it cannot be converted so.
        """
        safe, logo, seen = self._read(upload)
        picture = seen.picture if seen else None
        predicted = answers.figures_at(picture.score([chosen]), 0) if picture else None
        conversions = Conversions(logo, self._pool, self._log, BY_HAND, budget=1)
        said = Predicted(**predicted) if predicted else None
        attempt = conversions.measure([(chosen, "chosen", said)])[0]
        self.metrics.converted(attempt.measured is not None, attempt.measured is None)
        if attempt.measured is None:
            raise ConversionError(attempt.error or "a conversion must succeed, this one did not")
        svg = conversions.svg(chosen)
        content = {
            **self._about(safe, logo.image, picture), "parameters": chosen.as_dict(),
            "measured": attempt.measured, "predicted": predicted, "svg": svg,
            "difference": difference(self._pool, logo.image.rgb, svg)
            if options.difference else None,
            "picture": picture_url(logo.image.rgb) if options.picture else None,
        }  # fmt: skip
        return Answered(content, self._record(safe, seen, [chosen]))

    def optimize(self, upload: Upload, options: OptimizeOptions, deadline: float) -> Answered:
        """`POST /v1/optimize`: the best set, measured; of those made by then, where time is short.

        Raises:
            ImageError: the picture cannot be used.
            SettingsError: the objective is not possible.
            DeadlineError: not even the first conversion could begin.
        """
        safe, logo, seen = self._read(upload)
        objective = Objective.from_words(options.objective, options.min_ssim, options.max_bytes)
        answer, svg = optimize_logo(
            logo, objective, options.method, lambda: seen.predictor if seen else self.predictor,
            self._pool, self._log, options.budget, deadline - _TO_ANSWER * self.config.timeout_s,
        )  # fmt: skip
        measured = [a.parameters for a in answer.attempts if a.measured is not None]
        self.metrics.converted(len(measured), len(answer.attempts) - len(measured))
        wanted = svg is not None and options.difference
        content = {
            **self._about(safe, logo.image, seen.picture if seen else None),
            **answers.optimized(answer), "svg": svg,
            "difference": difference(self._pool, logo.image.rgb, svg or "") if wanted else None,
        }  # fmt: skip
        return Answered(content, self._record(safe, seen, measured))

    def _working_size(self) -> int:
        return self.predictor.working_size if self.availability().available else WORKING_SIZE

    def _checked(self, upload: Upload) -> Upload:
        return self._drawings.checked(upload, self._working_size())

    def _seen(self, safe: Upload) -> _Seen:
        """By whose answer it gets; where there is no choice, it is not decoded for it."""
        if self._router.challenger is None:
            return _Seen("only", self.predictor, self.predictor.picture(safe.data))
        image = load_image(safe.data, self._working_size())
        role, predictor = self._router.predictor_for(image.image_id)
        return _Seen(role, predictor, predictor.picture(safe.data))

    def _read(self, upload: Upload) -> tuple[Upload, Logo, _Seen | None]:
        """A picture to be converted, at the size at which its model knows it."""
        safe = self._checked(upload)
        if not self.availability().available:
            return safe, Logo.read(safe.data, WORKING_SIZE, safe.name), None
        seen = self._seen(safe)
        logo = Logo.read(safe.data, seen.picture.bundle.working_size, safe.name)
        return safe, logo.described(seen.picture.descriptors), seen

    def _about(self, safe: Upload, image: LogoImage, picture: Picture | None) -> dict[str, Any]:
        if picture is None:
            head = answers.head(self.predictor.model_name, None)
        else:
            head = answers.head(picture.model_name, picture.model_version)
        similarity = picture.similarity if picture else None
        return {**head, "image": answers.image_facts(safe, image, similarity)}

    def _record(
        self, safe: Upload, seen: _Seen | None, sets: Sequence[Parameters]
    ) -> Callable[[], None] | None:
        if seen is None or not sets:
            return None
        return partial(
            self._router.record, seen.role, safe.data, seen.picture, sets, converted=True
        )


def _all(calls: Sequence[Callable[[], None]]) -> None:
    for call in calls:
        call()
