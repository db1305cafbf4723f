"""Work at once, work that waits, and bytes that are held: on real threads and a real socket."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.serving.limits import Gate
from svg_quality.serving.problems import Refused

Bare = Callable[..., AbstractContextManager[httpx.Client]]


def finish(gate: Gate, works: list[Callable[[], int]]) -> list[int | Refused]:
    """All at once; an answer or a refusal of each."""

    async def all_of_them() -> list[int | BaseException]:
        return await asyncio.gather(*(gate.run(work) for work in works), return_exceptions=True)

    answers = asyncio.run(all_of_them())
    gate.close()
    assert all(isinstance(answer, int | Refused) for answer in answers), answers
    return answers  # type: ignore[return-value]


@settings(max_examples=25, deadline=None)
@given(n_slots=st.integers(1, 3), max_waiting=st.integers(0, 4), n_works=st.integers(1, 12))
def test_as_many_work_as_there_are_slots_as_many_wait_and_the_rest_is_refused(
    n_slots: int, max_waiting: int, n_works: int
) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def work() -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return 1

    answers = finish(Gate("test", n_slots, max_waiting, 10.0), [work] * n_works)
    done = [answer for answer in answers if answer == 1]
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(done) == min(n_works, n_slots + max_waiting)
    assert {answer.code for answer in refused} <= {"busy"}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 30 for answer in refused)
    assert most <= n_slots


def test_a_slot_is_free_again_only_when_its_work_has_ended() -> None:
    """A thread cannot be stopped: whoever waits for it meanwhile is told to come back."""
    gate = Gate("test", 1, 4, 0.2)
    ended = threading.Event()

    def long() -> int:
        ended.wait(5)
        return 1

    async def both() -> tuple[str, str, int]:
        codes = []
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await gate.run(long)
            codes.append(refused.value.code)
        ended.set()
        await asyncio.sleep(0.1)
        return codes[0], codes[1], await gate.run(lambda: 7)

    assert asyncio.run(both()) == ("timeout", "busy", 7)
    gate.close()


def test_work_that_fails_frees_its_slot_and_says_why() -> None:
    gate = Gate("test", 1, 0, 5.0)

    def fail() -> int:
        raise ValueError("no")

    async def both() -> int:
        with pytest.raises(ValueError, match="no"):
            await gate.run(fail)
        return await gate.run(lambda: 3)

    assert asyncio.run(both()) == 3
    gate.close()


def test_what_is_to_be_done_afterwards_is_done_before_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []
    gate = Gate("test", 1, 0, 5.0)

    def fail() -> None:
        raise OSError("disk is full")

    gate.afterwards(lambda: time.sleep(0.1))
    gate.afterwards(fail)
    gate.afterwards(lambda: done.append(1))
    gate.close()
    assert done == [1]
    assert "nothing was kept of a request: disk is full" in caplog.text


def raw(client: httpx.Client, head: str, parts: list[bytes], pause: float) -> bytes:
    """What a client gets that sends its request in parts."""
    address = client.base_url.host, client.base_url.port
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head.encode())
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        except OSError:
            pass  # it has been told already
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


HEAD = (
    "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Content-Length: {}\r\n\r\n"
)


def test_a_client_that_sends_drop_by_drop_is_given_up(bare: Bare) -> None:
    with bare(timeout_s=0.5) as client:
        answer = raw(client, HEAD.format(1000), [b"a"] * 20, 0.1)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"slow_request"' in answer
        assert client.get("/health").status_code == 200


def test_clients_that_hold_much_make_others_wait(bare: Bare, draw: Callable[..., bytes]) -> None:
    """Eight requests may be held at once; slow ones that fill them leave no room for another."""
    with bare(max_request_bytes=20_000, timeout_s=1.5) as client:
        parts = [b"a" * 19_000, *[b"a"] * 10]
        slow = [
            threading.Thread(target=raw, args=(client, HEAD.format(20_000), parts, 0.1))
            for _ in range(8)
        ]
        for thread in slow:
            thread.start()
        time.sleep(0.5)
        form = {"image": draw(1, side=64, kind="BMP")}
        busy = client.post("/v1/predict", files=form)
        assert (busy.status_code, busy.json()["code"]) == (429, "busy")
        assert int(busy.headers["Retry-After"]) >= 1
        for thread in slow:
            thread.join()
        assert client.post("/v1/predict", files=form).status_code == 200


def test_too_many_at_once_are_told_when_to_come_back_and_then_served(
    bare: Bare, draw: Callable[..., bytes]
) -> None:
    with bare(max_concurrent=1) as client:
        client.post("/v1/convert", files={"image": draw(0)}, timeout=60)
        answers: list[httpx.Response] = []

        def ask(number: int) -> None:
            fields = {"parameters": f'{{"corner_threshold": {number}}}'}
            files = {"image": draw(1, side=256)}
            answers.append(client.post("/v1/convert", files=files, data=fields, timeout=60))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = [answer.status_code for answer in answers]
        assert set(codes) == {200, 429}
        assert codes.count(200) >= 9  # one slot and eight that wait
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["code"] == "busy"
        time.sleep(int(refused.headers["Retry-After"]))
        assert client.post("/v1/convert", files={"image": draw(1)}, timeout=60).status_code == 200


@pytest.mark.slow
def test_a_request_that_took_too_long_converts_no_further(
    bare: Bare, draw: Callable[..., bytes], tmp_path: Path
) -> None:
    wish = {"method": "search", "budget": "64", "min_ssim": "0.5"}
    with bare(timeout_s=2.0, data=tmp_path) as client:
        client.post("/v1/convert", files={"image": draw(1)}, timeout=30)  # workers are up
        files = {"image": draw(2, side=1000)}
        answer = client.post("/v1/optimize", files=files, data=wish, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
        again = client.post("/v1/convert", files={"image": draw(3)}, timeout=30)
        assert again.status_code == 200  # the slot is free, long before 64 are converted
    rows = (tmp_path / "conversions" / "use.jsonl").read_text().splitlines()
    assert 1 < len(rows) < 64
