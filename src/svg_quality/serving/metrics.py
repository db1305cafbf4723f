"""What the server did, for Prometheus."""

from __future__ import annotations

import time
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
UNMATCHED: Final = "unmatched"  # in place of a path that callers can make up
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "svg_quality_requests", "Requests answered", ["route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "svg_quality_request_seconds", "From request to answer", ["route"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.in_flight = Gauge(
            "svg_quality_requests_in_flight", "Requests being answered", registry=self.registry
        )
        self.predictions = Counter(
            "svg_quality_predictions", "Parameter sets predicted", ["model_version"],
            registry=self.registry,
        )  # fmt: skip
        self.conversions = Counter(
            "svg_quality_conversions", "Conversions made", ["result"], registry=self.registry
        )
        self._model = Info("svg_quality_model", "The model that answers", registry=self.registry)

    def show_model(self, name: str, version: str | None) -> None:
        """Say which model answers now."""
        self._model.info({"name": name, "version": version or ""})

    def converted(self, n_made: int, n_failed: int) -> None:
        """Count conversions."""
        self.conversions.labels("ok").inc(n_made)
        self.conversions.labels("error").inc(n_failed)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self.registry)


class Measured:
    """Counts and times the requests of an application.

    Args:
        app: what answers.
        metrics: where to.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of the ASGI interface."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start = time.perf_counter()
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, watch)
        finally:
            self._metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", UNMATCHED) or "/"
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - start)
