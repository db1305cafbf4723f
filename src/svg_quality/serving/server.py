"""A server process: its socket, its signals, its end."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from svg_quality.errors import SettingsError

_BACKLOG: Final = 256
_KEEP_ALIVE_S: Final = 15


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket; nobody can connect before the server runs.

    Args:
        host: address or name.
        port: 0 for any free one.

    Raises:
        SettingsError: the address is not of this machine, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SettingsError(f"host must be an address of this machine, {host}: {error}") from None
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"a port must be free, {port} of {host} is not: choose another, or --port 0"
            ) from None
        raise SettingsError(
            f"an address must be one to listen on, {host} port {port}: {error.strerror}"
        ) from None
    return made


def url_of(bound: socket.socket) -> str:
    """Where to reach a bound socket."""
    host, port = bound.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


def serve(
    app: FastAPI, bound: socket.socket, timeout_s: float, on_ready: Callable[[], None]
) -> bool:
    """Answer requests until SIGTERM or SIGINT; what was begun is finished first.

    A second SIGINT ends it at once. Gives whether every request was answered.

    Args:
        app: what answers.
        bound: of `listening_socket`.
        timeout_s: that a request may take to arrive, and as long to be worked on, s.
        on_ready: called when connections are taken.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(2 * timeout_s) + 1,
        lifespan="on",
    )
    before = {kind: signal.signal(kind, _ignore) for kind in (signal.SIGINT, signal.SIGTERM)}
    server = _Server(config, on_ready)
    try:  # uvicorn passes a signal on, to what stood here before, when it is done
        server.run(sockets=[bound])
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    return not server.force_exit


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def _ignore(number: int, frame: FrameType | None) -> None:
    """A signal that has been obeyed."""
