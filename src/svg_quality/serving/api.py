"""The REST API: its routes, and how a request gets to its work and back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig

from svg_quality import __version__
from svg_quality.conversion.workers import WorkerPool
from svg_quality.optimization.use_log import UseLog
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.serving import answer_schemas as gives
from svg_quality.serving import answers, metrics
from svg_quality.serving import schemas as takes
from svg_quality.serving.challenger import ChallengerRouter
from svg_quality.serving.config import ServeConfig
from svg_quality.serving.content import Content, one_set, parameter_sets, read_content
from svg_quality.serving.limits import Bodies, Gate
from svg_quality.serving.metrics import Measured, Metrics
from svg_quality.serving.openapi import Takes, describe, problem_responses
from svg_quality.serving.prediction_log import PredictionLog
from svg_quality.serving.problems import Refused, answer_with_problems
from svg_quality.serving.security import Guard
from svg_quality.serving.service import Answered, Service

PLAYGROUND: Final = Path(__file__).parent / "playground"
_ABOUT: Final = (
    "Predicts SSIM and size of a vectorised logo before it is converted, and chooses VTracer's"
    " parameters. Pictures come as multipart files or as base64 in JSON. Every failure is a"
    " problem (RFC 9457) with a stable code; every answer names the model version."
)
_NO_TELEMETRY: Final = TelemetryConfig(  # MLflow configures OpenTelemetry where it is imported
    tracing=False, metrics=False, logs=False, operation_spans=False, auto_configure=False
)
_PREDICT: Final = Takes(
    takes.PredictRequest, takes.PredictOptions, example={"parameters": [{}, {"color_precision": 4}]}
)
_BATCH: Final = Takes(
    takes.BatchRequest,
    takes.BatchOptions,
    several=True,
    example={"parameters": {"mode": "polygon"}},
)
_FRONT: Final = Takes(takes.FrontRequest, takes.NoOptions, problems=("model_unavailable",))
_EXPLAIN: Final = Takes(
    takes.ExplainRequest, takes.ExplainOptions, example={"at": {"color_precision": 6}},
    problems=("model_unavailable",),
)  # fmt: skip
_CONVERT: Final = Takes(
    takes.ConvertRequest, takes.ConvertOptions, example={"parameters": {"color_precision": 4}},
    problems=("conversion_failed",),
)  # fmt: skip
_OPTIMIZE: Final = Takes(
    takes.OptimizeRequest, takes.OptimizeOptions, example={"objective": "smallest", "min_ssim": 0.9}
)
_TAKES: Final = (_PREDICT, _BATCH, _FRONT, _EXPLAIN, _CONVERT, _OPTIMIZE)

Work = Callable[[Content, float], Answered]  # the number: its deadline, of `time.monotonic`


def create_app(
    config: ServeConfig,
    predictor: QualityPredictor,
    challenger: QualityPredictor | None = None,
    share: float = 0.0,
) -> FastAPI:
    """The application, to be run by an ASGI server.

    Args:
        config: limits and switches.
        predictor: the model in Production.
        challenger: answers for a share of the pictures.
        share: which, in [0, 1].

    Raises:
        SettingsError: the challenger is the champion, or the share is out of range.
        ModelError: the challenger is missing or damaged.
    """
    counted = Metrics()
    pool = WorkerPool(config.n_slots, config.timeout_s)
    router = ChallengerRouter(
        predictor, challenger, share, PredictionLog(config.data) if config.data else None
    )
    log = UseLog(config.data) if config.data else None
    service = Service(config, predictor, router, pool, log, counted)
    desk = _Desk(config)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with pool:
            yield
            desk.close()

    app = FastAPI(
        title="svg-quality", version=__version__, description=_ABOUT, lifespan=lifespan,
        docs_url=None, redoc_url=None, telemetry=_NO_TELEMETRY,
    )  # fmt: skip
    app.state.model_version = lambda: service.model_version
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    answer_with_problems(app)
    _add_predictions(app, service, desk)
    _add_conversions(app, service, desk)
    _add_state(app, service, counted)
    _add_page(app)
    app.add_middleware(Guard, api_key=config.api_key, model_version=lambda: service.model_version)
    app.add_middleware(Measured, metrics=counted)
    return app


class _Desk:
    """Takes requests in: reads them, and passes them on to a gate.

    Conversions have a gate of their own, so that predictions need not wait behind them.
    """

    def __init__(self, config: ServeConfig) -> None:
        self.bodies = Bodies(config.max_request_bytes, config.max_held_bytes, config.timeout_s)
        self.predictions, self.conversions = (
            Gate(name, config.n_slots, config.max_waiting, config.timeout_s)
            for name in ("predictions", "conversions")
        )
        self._max_batch = config.max_batch

    async def predict(self, request: Request, work: Work, n_images: int = 1) -> Response:
        return await self._answer(self.predictions, request, work, n_images)

    async def predict_several(self, request: Request, work: Work) -> Response:
        return await self.predict(request, work, self._max_batch)

    async def convert(self, request: Request, work: Work) -> Response:
        return await self._answer(self.conversions, request, work, 1)

    def close(self) -> None:
        self.predictions.close()
        self.conversions.close()

    async def _answer(self, gate: Gate, request: Request, work: Work, n_images: int) -> Response:
        media_type = request.headers.get("Content-Type", "")

        def act(deadline: float) -> tuple[bytes, Callable[[], None] | None]:
            answered = work(read_content(body, media_type, n_images), deadline)
            return _json(answered.content), answered.after

        async with self.bodies.body(request) as body:
            content, after = await gate.run(act)
        if after is not None:
            gate.afterwards(after)
        return Response(content, media_type="application/json")


def _add_state(app: FastAPI, service: Service, counted: Metrics) -> None:
    problems = problem_responses("foreign_origin", "internal_error")
    guarded = problem_responses("unauthorized", "foreign_origin", "internal_error")

    @app.get("/health", response_model=gives.HealthAnswer, responses=problems, tags=["state"])
    async def health() -> Response:
        """The process answers. It needs no key, and says nothing of the model."""
        version = service.model_version
        return _answer({**answers.head(service.predictor.model_name, version), "status": "ok"})

    @app.get(
        "/ready", response_model=gives.ReadyAnswer, tags=["state"],
        responses={**problems, **problem_responses("model_unavailable")},
    )  # fmt: skip
    def ready() -> Response:
        """A model answers; a 503 says why none does. It needs no key."""
        state = service.availability()
        if not state.available:
            raise Refused("model_unavailable", state.reason or "a model must be loaded, none is")
        return _answer({**answers.head(state.model_name, state.model_version), "status": "ready"})

    @app.get("/v1/model", response_model=gives.ModelAnswer, responses=guarded, tags=["state"])
    def model() -> Response:
        """The loaded model, VTracer's parameters with their ranges, and the limits."""
        return _answer(service.model())

    @app.get("/metrics", responses=guarded, response_class=Response, tags=["state"])
    def show_metrics() -> Response:
        """Counters in Prometheus's text format."""
        service.availability()
        return Response(counted.text(), media_type=metrics.MEDIA_TYPE)


def _add_predictions(app: FastAPI, service: Service, desk: _Desk) -> None:
    @app.post("/v1/predict", response_model=gives.PredictAnswer, responses=_PREDICT.responses(),
              openapi_extra=_PREDICT.extra(), tags=["predictions"])  # fmt: skip
    async def predict(request: Request) -> Response:
        """Predict SSIM and size of one picture with one parameter set, or with thousands."""

        def work(content: Content, _: float) -> Answered:
            options = content.options(takes.PredictOptions)
            return service.predict(content.only_upload(), parameter_sets(options.parameters))

        return await desk.predict(request, work)

    @app.post("/v1/predict/batch", response_model=gives.BatchAnswer, responses=_BATCH.responses(),
              openapi_extra=_BATCH.extra(), tags=["predictions"])  # fmt: skip
    async def predict_batch(request: Request) -> Response:
        """Predict several pictures with one parameter set; a bad picture fails alone."""

        def work(content: Content, deadline: float) -> Answered:
            chosen = one_set(content.options(takes.BatchOptions).parameters)
            return service.predict_batch(content.some_uploads(), chosen, deadline)

        return await desk.predict_several(request, work)

    @app.post("/v1/front", response_model=gives.FrontAnswer, responses=_FRONT.responses(),
              openapi_extra=_FRONT.extra(), tags=["predictions"])  # fmt: skip
    async def front(request: Request) -> Response:
        """Sets that no other is predicted to beat in both quality and size."""

        def work(content: Content, _: float) -> Answered:
            content.options(takes.NoOptions)
            return service.front(content.only_upload())

        return await desk.predict(request, work)

    @app.post("/v1/explain", response_model=gives.ExplainAnswer, responses=_EXPLAIN.responses(),
              openapi_extra=_EXPLAIN.extra(), tags=["predictions"])  # fmt: skip
    async def explain(request: Request) -> Response:
        """What each parameter does to one picture while the others stay, the strongest first."""

        def work(content: Content, _: float) -> Answered:
            at = one_set(content.options(takes.ExplainOptions).at)
            return service.explain(content.only_upload(), at)

        return await desk.predict(request, work)


def _add_conversions(app: FastAPI, service: Service, desk: _Desk) -> None:
    @app.post("/v1/convert", response_model=gives.ConvertAnswer, responses=_CONVERT.responses(),
              openapi_extra=_CONVERT.extra(), tags=["conversions"])  # fmt: skip
    async def convert(request: Request) -> Response:
        """Convert one picture for real, and measure it."""

        def work(content: Content, _: float) -> Answered:
            options = content.options(takes.ConvertOptions)
            chosen = one_set(options.parameters)
            return service.convert(content.only_upload(), chosen, options)

        return await desk.convert(request, work)

    @app.post("/v1/optimize", response_model=gives.OptimizeAnswer, responses=_OPTIMIZE.responses(),
              openapi_extra=_OPTIMIZE.extra(), tags=["conversions"])  # fmt: skip
    async def optimize(request: Request) -> Response:
        """Choose a picture's parameters, proven by real conversions.

        Where a request's time is too short for them all, the best of those made is the answer.
        """

        def work(content: Content, deadline: float) -> Answered:
            options = content.options(takes.OptimizeOptions)
            return service.optimize(content.only_upload(), options, deadline)

        return await desk.convert(request, work)


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PLAYGROUND / "index.html")

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> Response:
        from svg_quality.serving.docs import POLICY, docs_page  # Jinja is not needed to start

        text = docs_page(app.openapi(), str(request.base_url))
        return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})

    app.mount("/playground", StaticFiles(directory=PLAYGROUND), name="playground")


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = describe(app, _TAKES)
    return app.openapi_schema


def _answer(content: dict[str, Any]) -> Response:
    return Response(_json(content), media_type="application/json")


def _json(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
