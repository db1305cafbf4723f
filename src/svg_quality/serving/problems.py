"""Why a request failed, as ``application/problem+json`` (RFC 9457), one code for each kind.

The code is the part to program against: it stays when words change.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from svg_quality.errors import (
    ConversionError,
    DeadlineError,
    ImageError,
    ImageFault,
    ModelError,
    ParameterError,
    SettingsError,
    SvgQualityError,
    TrackingError,
)
from svg_quality.serving.schemas import API_VERSION

_log = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
_MOST_CHARACTERS: Final = 500  # of a detail: it may quote what was sent


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem."""

    status: int
    title: str
    remedy: str


KINDS: Final[dict[str, Kind]] = {
    "malformed_request": Kind(400, "Request cannot be read", "send valid JSON or multipart"),
    "unauthorized": Kind(401, "API key is missing or wrong", "send it as X-API-Key"),
    "foreign_origin": Kind(403, "Request of a foreign page", "ask from this server's own page"),
    "not_found": Kind(404, "No such address", "see /docs"),
    "method_not_allowed": Kind(405, "Method is not allowed here", "see the header Allow"),
    "slow_request": Kind(408, "Request came too slowly", "send it again"),
    "request_too_large": Kind(413, "Request is too large", "see limits of /v1/model"),
    "image_too_large": Kind(413, "Image has too many pixels", "reduce it first"),
    "unsupported_media_type": Kind(415, "Request is of another type", "send JSON or multipart"),
    "invalid_request": Kind(422, "Request has invalid fields", "see errors"),
    "invalid_parameters": Kind(422, "VTracer parameters are invalid", "see /v1/model for ranges"),
    "unreadable_image": Kind(422, "Image cannot be read", "send PNG, JPEG, WebP or SVG"),
    "unsupported_image": Kind(422, "Image cannot be used", "see detail"),
    "image_too_small": Kind(422, "Image is too small to be scored", "send a larger one"),
    "conversion_failed": Kind(422, "Image cannot be converted so", "choose other parameters"),
    "busy": Kind(429, "Too much work at once", "try again after the seconds in Retry-After"),
    "internal_error": Kind(500, "Something is wrong here", "see the server's log"),
    "model_unavailable": Kind(503, "No model answers", "promote one, or see /ready"),
    "timeout": Kind(504, "Work took too long", "ask for less, or raise --timeout-s"),
}  # fmt: skip
_BY_STATUS: Final = {kind.status: code for code, kind in reversed(KINDS.items())}
_IMAGE_CODES: Final[dict[ImageFault, str]] = {
    "unreadable": "unreadable_image",
    "too_large": "image_too_large",
    "too_small": "image_too_small",
    "unsupported": "unsupported_image",
}
_CODES: Final = (
    (ParameterError, "invalid_parameters"),
    (SettingsError, "invalid_request"),
    (DeadlineError, "timeout"),
    (ConversionError, "conversion_failed"),
    (ModelError, "model_unavailable"),
    (TrackingError, "model_unavailable"),
)


@dataclass
class Refused(SvgQualityError):
    """A request that is answered with a problem.

    Args:
        code: one of `KINDS`.
        detail: the law, then the fact.
        headers: that the answer carries.
        errors: pairs of field and message.
    """

    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[tuple[str, str]] = ()

    def __str__(self) -> str:
        return self.detail


def code_of(error: SvgQualityError) -> str:
    """The code of an error of this package."""
    if isinstance(error, Refused):
        return error.code
    if isinstance(error, ImageError):
        return _IMAGE_CODES[error.fault]
    return next((code for kind, code in _CODES if isinstance(error, kind)), "internal_error")


def problem(refused: Refused, path: str, model_version: str | None) -> Response:
    """The answer that says so."""
    kind = KINDS[refused.code]
    content: dict[str, Any] = {
        "type": f"/docs#{refused.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": refused.detail[:_MOST_CHARACTERS],
        "instance": path,
        "code": refused.code,
        "api_version": API_VERSION,
        "model_version": model_version,
    }
    if refused.errors:
        content["errors"] = [
            {"field": name, "message": message[:_MOST_CHARACTERS]}
            for name, message in refused.errors
        ]
    return Response(
        orjson.dumps(content), kind.status, dict(refused.headers), media_type=MEDIA_TYPE
    )


def answer_with_problems(app: FastAPI) -> None:
    """Make every failure of an application a problem, those of the framework too.

    The handlers are coroutines: others would each be called in a thread, and refusals come in
    floods (forty threads, each with its own share of the allocator's memory).
    """
    app.add_exception_handler(SvgQualityError, _of_this_package)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _unforeseen)


def _respond(request: Request, refused: Refused) -> Response:
    return problem(refused, request.url.path, request.app.state.model_version())


async def _of_this_package(request: Request, error: Exception) -> Response:
    if isinstance(error, Refused):
        return _respond(request, error)
    code = code_of(error) if isinstance(error, SvgQualityError) else "internal_error"
    if code == "internal_error":  # of the disk, say: its words are for whoever runs the server
        _log.error("%s failed: %s", request.url.path, error)
        return await _unforeseen(request, error)
    return _respond(request, Refused(code, str(error)))


async def _of_the_framework(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return await _unforeseen(request, error)
    code = _BY_STATUS.get(error.status_code, "internal_error")
    if code == "not_found":
        detail = f"an address must be one of those in /docs, {request.url.path} is not"
    elif code == "method_not_allowed":
        detail = f"{request.url.path} must be asked by another method, got {request.method}"
    else:
        detail = str(error.detail or HTTPStatus(error.status_code).phrase)
    return _respond(request, Refused(code, detail, dict(error.headers or {})))


async def _of_validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        return await _unforeseen(request, error)
    faults = [
        (".".join(filter(_is_ours, map(str, fault["loc"]))) or "request", str(fault["msg"]).lower())
        for fault in error.errors()
    ]
    name, message = faults[0]
    return _respond(request, Refused("invalid_request", f"{name}: {message}", errors=faults))


def _is_ours(part: str) -> bool:
    """Whether it names a field or a place in a list, not an alternative within a type."""
    return part.isidentifier() or part.isdecimal()


async def _unforeseen(request: Request, error: Exception) -> Response:
    """The framework logs the error with its traceback, and closes the connection."""
    return _respond(
        request,
        Refused("internal_error", "a request must not fail, this one did", {"Connection": "close"}),
    )
