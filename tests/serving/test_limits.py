"""Work at once, work that waits, and bytes that are held: on real threads and a real socket."""

import asyncio
import contextlib
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
ENDS = ("done", "fails", "too long", "given up")  # of requests


def finish(gate: Gate, works: list[Callable[[float], int]]) -> list[int | Refused]:
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

    def work(_: float) -> int:
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

    def long(_: float) -> int:
        ended.wait(5)
        return 1

    async def both() -> tuple[str, str, int]:
        codes = []
        for law in (r"work must end within 0\.2 s", r"a slot must come free within 0\.2 s"):
            with pytest.raises(Refused, match=law) as refused:
                await gate.run(long)
            codes.append(refused.value.code)
        ended.set()
        for _ in range(100):  # the thread needs a moment to end, a long one on a busy machine
            with contextlib.suppress(Refused):
                return codes[0], codes[1], await gate.run(lambda _: 7)
        return codes[0], codes[1], 0

    assert asyncio.run(both()) == ("timeout", "busy", 7)
    gate.close()


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3), st.integers(0, 3), st.lists(st.sampled_from(ENDS), max_size=8))
def test_whatever_becomes_of_requests_every_slot_comes_back(
    n_slots: int, max_waiting: int, ends: list[str]
) -> None:
    """Done, failed, answered with a 504, given up while it waits or works: none costs a slot."""
    gate, answered = Gate("test", n_slots, max_waiting, 0.2), threading.Event()

    def fail(_: float) -> None:
        raise ValueError("no")

    def nothing(_: float) -> int:
        return 0

    works = {"done": nothing, "fails": fail}  # the others last until all requests are answered

    async def rounds_until_all_are_served() -> None:
        asked = []
        for end in ends:
            asked.append(asyncio.create_task(gate.run(works.get(end, lambda _: answered.wait()))))
            await asyncio.sleep(0.002)
            if end == "given up":
                asked[-1].cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        answered.set()
        for _ in range(50):
            taken = [gate.run(nothing) for _ in range(n_slots + max_waiting)]
            if not any(await asyncio.gather(*taken, return_exceptions=True)):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("a slot is lost")

    asyncio.run(rounds_until_all_are_served())
    gate.close()


def test_work_that_fails_frees_its_slot_and_says_why() -> None:
    gate = Gate("test", 1, 0, 5.0)

    def fail(_: float) -> int:
        raise ValueError("no")

    async def both() -> int:
        with pytest.raises(ValueError, match="no"):
            await gate.run(fail)
        return await gate.run(lambda _: 3)

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
    form = {"image": draw(1, side=64, kind="BMP")}

    def post_until(status: int) -> httpx.Response:
        for _ in range(1000):
            answer = client.post("/v1/predict", files=form)
            if answer.status_code == status:
                break
            time.sleep(0.01)
        return answer

    with bare(max_request_bytes=20_000, timeout_s=3.0) as client, contextlib.ExitStack() as open_:
        address = client.base_url.host, client.base_url.port
        for _ in range(8):
            slow = open_.enter_context(socket.create_connection(address, timeout=10))
            slow.sendall(HEAD.format(20_000).encode() + b"a" * 19_000)
        busy = post_until(429)
        assert (busy.status_code, busy.json()["code"]) == (429, "busy")
        assert int(busy.headers["Retry-After"]) >= 1
        assert post_until(200).status_code == 200  # once they were given up


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


def test_refusals_need_no_thread(bare: Bare) -> None:
    """They come in floods, and each thread takes memory of its own."""
    with bare(max_request_bytes=1000) as client:
        before = set(threading.enumerate())
        for body in (b"x" * 2000, b"{", b'{"images": 1}'):
            answer = client.post(
                "/v1/predict", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code in (400, 413, 422)
        assert client.get("/v1/none").status_code == 404
        names = [thread.name for thread in set(threading.enumerate()) - before]
        assert [name for name in names if not name.startswith("svg-quality-predictions")] == []


@pytest.mark.slow
def test_a_request_whose_time_runs_out_gets_the_best_of_what_was_converted(
    bare: Bare, draw: Callable[..., bytes], tmp_path: Path
) -> None:
    wish = {"method": "search", "budget": "64", "min_ssim": "0.5"}
    with bare(timeout_s=3.0, data=tmp_path) as client:
        client.post("/v1/convert", files={"image": draw(1)}, timeout=30)  # workers are up
        files = {"image": draw(2, side=1000)}
        answer = client.post("/v1/optimize", files=files, data=wish, timeout=30)
        assert answer.status_code == 200, answer.text
        again = client.post("/v1/convert", files={"image": draw(3)}, timeout=30)
        assert again.status_code == 200  # the slot is free, long before 64 are converted
    said = answer.json()
    n = said["n_conversions"]
    assert 1 <= n < 64
    assert f"The time was over after {n} of 64 conversions." in said["reason"]
    assert said["svg"]
    rows = (tmp_path / "conversions" / "use.jsonl").read_text().splitlines()
    assert len(rows) == n + 2  # those of before and after, too
