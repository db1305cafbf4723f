"""The contact sheet on loopback: shows the page, and saves each mark as it is set.

Only this machine can reach it, and only a page it served can post to it: the address holds a
random token, `Host` must be the server's own (a foreign name that resolves to 127.0.0.1 is
none), and `Origin` must be too, so that another site open in the same browser sets no marks.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from svg_quality.dataset.inspection.marks import Mark, change_mark, read_marks
from svg_quality.errors import DatasetError, SettingsError

_MAX_BODY: Final = 10_000  # bytes; a mark has about 150
_SECONDS: Final = 30  # that a browser may take to send a request
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest is in the page
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """A request that is not served; becomes an answer with a status."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class InspectionServer(ThreadingHTTPServer):
    """Serves one contact sheet until it is stopped.

    Args:
        page: the HTML, given the marks as they are now.
        originals: the image_ids that may be marked, each with that of its original or None.
        marks_path: file of the marks.
        port: 0 for any free one.

    Raises:
        SettingsError: the port is taken.
    """

    daemon_threads = True

    def __init__(
        self,
        page: Callable[[Mapping[str, Mark]], str],
        originals: Mapping[str, str | None],
        marks_path: Path,
        port: int,
    ) -> None:
        self.page = page
        self.originals = originals
        self.marks_path = marks_path
        self.token = secrets.token_urlsafe(16)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise SettingsError(f"port must be free, {port} is not: {error.strerror}") from error
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no news; all else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def save(self, wish: Any) -> dict[str, Any]:
        """Set or take away the mark that a page asks for; gives what the file holds then.

        Raises:
            Refused: it is no mark, or of a picture that the page does not show.
            DatasetError: the mark is impossible, or the file cannot be written.
        """
        if not isinstance(wish, dict) or wish.keys() != {"image_id", "verdict", "logo_type"}:
            raise Refused(HTTPStatus.BAD_REQUEST, "a mark has image_id, verdict and logo_type")
        image_id, verdict = wish["image_id"], wish["verdict"]
        if not isinstance(image_id, str) or image_id not in self.originals:
            raise Refused(HTTPStatus.NOT_FOUND, "a mark must be of a picture on this page")
        derived_from = self.originals[image_id]
        mark = None if verdict is None else Mark(verdict, wish["logo_type"], derived_from)
        marks = change_mark(self.marks_path, image_id, mark)
        held = marks.get(image_id)
        return {"n_marks": len(marks), "mark": held.as_dict() if held else None}


class _Handler(BaseHTTPRequestHandler):
    server: InspectionServer
    server_version = "svg-quality"
    sys_version = ""
    timeout = _SECONDS

    def do_GET(self) -> None:
        """The page."""
        self._serve(self._show)

    def do_POST(self) -> None:
        """A mark."""
        self._serve(self._mark)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for what a person has to read."""

    def _serve(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Refused as error:
            self._answer_json(error.status, {"error": str(error)})
        except DatasetError as error:
            self._answer_json(HTTPStatus.UNPROCESSABLE_ENTITY, {"error": str(error)})

    def _show(self) -> None:
        self._check("")
        page = self.server.page(read_marks(self.server.marks_path))
        self._answer(HTTPStatus.OK, "text/html; charset=utf-8", page.encode())

    def _mark(self) -> None:
        self._check("marks")
        if self.headers.get("Origin") not in {f"http://{host}" for host in self.server.hosts}:
            raise Refused(HTTPStatus.FORBIDDEN, "marks are taken from the page itself only")
        if self.headers.get_content_type() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a mark is sent as JSON")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a mark has at most {_MAX_BODY} bytes"
            )
        try:
            wish = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "a mark is sent as JSON") from None
        self._answer_json(HTTPStatus.OK, self.server.save(wish))

    def _check(self, name: str) -> None:
        """Who asks, before what."""
        if self.headers.get("Host") not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 only")
        _, token, *rest = [*self.path.split("/", 2), ""]
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "the address must be the one that was printed")
        if rest[0] != name:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such page here")

    def _answer_json(self, status: HTTPStatus, value: Mapping[str, Any]) -> None:
        self._answer(status, "application/json", json.dumps(value).encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {
            **_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))
        }.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
