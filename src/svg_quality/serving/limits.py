"""How much a request may bring, how much work is done at once, and for how long.

Work runs in as many threads as the gate has slots; a few requests more wait for one, and those
beyond are told at once to come back later. A thread cannot be stopped: a request that takes too
long is answered, but its slot is free only when its work is done.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from svg_quality.serving.problems import Refused

Result = TypeVar("Result")
_log = logging.getLogger(__name__)

_MEMORY: Final = 0.8  # weight of the past in the mean time of a piece of work
_LONGEST_RETRY_S: Final = 30
_DRAINED: Final = 4  # times the limit: so much of a refused request is read to its end


class Gate:
    """A few pieces of work at once, a few that wait, and a refusal for the rest.

    Args:
        name: of its threads.
        n_slots: pieces of work at once.
        max_waiting: requests that may wait for a slot.
        timeout_s: for waiting and work together.
    """

    def __init__(self, name: str, n_slots: int, max_waiting: int, timeout_s: float) -> None:
        self._threads = ThreadPoolExecutor(n_slots, thread_name_prefix=f"svg-quality-{name}")
        self._slots = asyncio.Semaphore(n_slots)
        self._n_slots = n_slots
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._n_inside = 0  # working or waiting
        self._seconds = 0.1  # a piece of work takes, of late

    async def run(self, work: Callable[[float], Result]) -> Result:
        """Do it in a thread, when a slot is free; it is told when it must have ended.

        Raises:
            Refused: too many wait already (``busy``), or it took too long (``timeout``).
        """
        if self._n_inside >= self._n_slots + self._max_waiting:
            raise self._busy(f"at most {self._max_waiting} requests may wait, so many do already")
        deadline = time.monotonic() + self._timeout_s
        self._n_inside += 1
        try:
            await asyncio.wait_for(self._slots.acquire(), self._timeout_s)
        except BaseException as error:  # a request that is given up, too
            self._n_inside -= 1
            if isinstance(error, TimeoutError):
                raise self._busy(
                    f"a slot must come free within {self._timeout_s:g} s, none did"
                ) from None
            raise
        start = time.monotonic()
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, deadline)
        future.add_done_callback(lambda done: self._finish(done, start))
        try:
            return await asyncio.wait_for(asyncio.shield(future), max(deadline - start, 0))
        except TimeoutError:
            raise Refused(
                "timeout", f"work must end within {self._timeout_s:g} s, this one did not"
            ) from None

    def afterwards(self, work: Callable[[], None]) -> None:
        """Do it in a thread, when one is free; nobody waits for it."""
        self._threads.submit(work).add_done_callback(_complain)

    def close(self) -> None:
        """Let what was begun, or is to be done afterwards, end."""
        self._threads.shutdown()

    def _finish(self, done: asyncio.Future[Any], start: float) -> None:
        self._slots.release()
        self._n_inside -= 1
        if not done.cancelled():
            done.exception()  # seen, also where nobody waits for it any more
        self._seconds += (1 - _MEMORY) * (time.monotonic() - start - self._seconds)

    def _busy(self, detail: str) -> Refused:
        seconds = math.ceil(self._seconds * self._n_inside / self._n_slots)
        return Refused(
            "busy",
            detail,
            {"Retry-After": str(min(max(seconds, 1), _LONGEST_RETRY_S))},
        )


def _complain(done: Future[None]) -> None:
    error = done.exception()
    if error is not None:
        _log.warning("nothing was kept of a request: %s", error)


class Bodies:
    """Reads requests, each up to a limit, and all that are held at once up to another.

    Args:
        max_bytes: of one request.
        max_held: bytes of all requests that are being read or worked on.
        timeout_s: for a request to arrive whole.
    """

    def __init__(self, max_bytes: int, max_held: int, timeout_s: float) -> None:
        self.max_bytes = max_bytes
        self._max_held = max_held
        self._timeout_s = timeout_s
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """A request's content, counted as held until the context ends.

        Raises:
            Refused: it is too large, too slow, cut short, or too much is held already.
        """
        content = bytearray()
        try:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._fill(content, request)
            except TimeoutError:
                raise Refused(
                    "slow_request",
                    f"a request must arrive within {self._timeout_s:g} s, this one did not",
                    {"Connection": "close"},
                ) from None
            except ClientDisconnect:
                raise Refused("malformed_request", "a request must arrive whole") from None
            yield content
        finally:
            self._held -= len(content)

    async def _fill(self, content: bytearray, request: Request) -> None:
        told = request.headers.get("Content-Length", "")
        stream = request.stream()
        if told.isdecimal() and int(told) > self.max_bytes:
            await self._refuse(stream, 0)
        async for chunk in stream:
            if len(content) + len(chunk) > self.max_bytes:
                await self._refuse(stream, len(content) + len(chunk))
            if self._held + len(chunk) > self._max_held:
                raise Refused(
                    "busy",
                    f"requests may hold {self._max_held} bytes together, and they do",
                    {"Retry-After": "1", "Connection": "close"},
                )
            content += chunk
            self._held += len(chunk)

    async def _refuse(self, stream: AsyncIterator[bytes], n_read: int) -> None:
        """Read the rest and drop it: a client that still sends does not see an early answer."""
        async for chunk in stream:
            n_read += len(chunk)
            if n_read > _DRAINED * self.max_bytes:
                break
        raise Refused(
            "request_too_large",
            f"a request must have at most {self.max_bytes} bytes, this one has more",
            {"Connection": "close"},
        )
