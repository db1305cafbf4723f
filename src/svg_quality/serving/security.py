"""Who may ask, and what a browser may do with the answers.

With a key, whoever sends it may ask. Without one the server listens on this machine only, and
takes requests that name it as such and that no other site's page has sent: a page from elsewhere
can make a browser send requests to 127.0.0.1, but not under that name, or not without its origin.
Health, readiness, the page and the documentation are open: they hold nothing of anybody's.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from svg_quality.errors import SettingsError
from svg_quality.serving.problems import Refused, problem

API_KEY_VARIABLE: Final = "SVG_QUALITY_API_KEY"
GUARDED: Final = ("/v1/", "/metrics")  # what begins so needs the key
_SHORTEST_KEY: Final = 16
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # of two versions' scripts a browser would make one page
}


def read_api_key(file: str) -> str | None:
    """The key callers must send: from a file, else from ``SVG_QUALITY_API_KEY``, else none.

    Raises:
        SettingsError: the file cannot be read, or the key is short or not plain ASCII.
    """
    source, key = API_KEY_VARIABLE, os.environ.get(API_KEY_VARIABLE, "").strip()
    if file:
        source = file
        try:
            key = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"the API key must be in a readable file, {file}: {error}"
            ) from None
    elif not key:
        return None
    if len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable():
        raise SettingsError(
            f"an API key must be at least {_SHORTEST_KEY} ASCII characters, that of {source} is not"
        )
    return key


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, api_key: str | None) -> None:
    """Refuse to be open to everybody.

    Raises:
        SettingsError: others can reach the address, and there is no key.
    """
    if api_key is None and not is_loopback(host):
        raise SettingsError(
            f"an address that others can reach needs an API key, {host} has none: put one into"
            f" {API_KEY_VARIABLE} or --api-key-file, or leave --host at 127.0.0.1"
        )


class Guard:
    """Lets requests through to the application, or answers why not; adds `HEADERS` to answers.

    Args:
        app: what is guarded.
        api_key: None for this machine's own programs and pages alone.
        model_version: for the answers.
    """

    def __init__(
        self, app: ASGIApp, api_key: str | None, model_version: Callable[[], str | None]
    ) -> None:
        self._app = app
        self._key = api_key.encode() if api_key else None
        self._model_version = model_version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of the ASGI interface."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refusal(scope)
        if refused is None:
            await self._app(scope, receive, send_with_headers)
            return
        answer = problem(refused, Request(scope).url.path, self._model_version())
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Refused | None:
        headers = Headers(scope=scope)
        if self._key is None:
            return _foreign(headers)
        if not scope["path"].startswith(GUARDED):
            return None
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        sent = headers.get("X-API-Key") or (token if scheme.lower() == "bearer" else "")
        if hmac.compare_digest(sent.strip().encode(), self._key):
            return None
        return Refused(
            "unauthorized",
            "an API key must be sent as X-API-Key or Authorization: Bearer, and be the right one",
            {"WWW-Authenticate": "Bearer"},
        )


def _foreign(headers: Headers) -> Refused | None:
    host = headers.get("Host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # an open bracket
        name = ""
    if not is_loopback(name):
        return Refused(
            "foreign_origin", "without an API key this server answers to 127.0.0.1 and localhost"
        )
    origin = headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        return Refused(
            "foreign_origin", "without an API key this server answers to its own page only"
        )
    return None
