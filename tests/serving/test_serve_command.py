"""`svg-quality serve` as a process: how it starts, what it refuses, how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = pytest.mark.slow
COMMAND = Path(sys.executable).parent / "svg-quality"


@pytest.fixture(autouse=True)
def own_store(in_project: Path) -> None:
    """In place of the store that other tests get: the project's."""


@contextmanager
def started(*options: str) -> Iterator[tuple["subprocess.Popen[str]", str, list[str]]]:
    """The process, its address, and the lines it said by then."""
    with subprocess.Popen(
        [COMMAND, "serve", "--port", "0", *options], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        lines = []
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if line.startswith("Ctrl-C"):
                    break
            assert lines, (process.stderr or sys.stdin).read()
            address = next(re.findall(r"http://\S+", line)[0] for line in lines if "Page" in line)
            yield process, address, lines
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def refused(*options: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [COMMAND, "serve", *options], capture_output=True, text=True, timeout=60,
        env=os.environ | environment,
    )  # fmt: skip
    return done.returncode, done.stderr.strip()


def test_it_says_where_it_is_and_which_model_answers() -> None:
    with started() as (_, address, lines):
        assert lines[0] == "Model:     svg-quality version 1"
        assert lines[1] == f"Page:      {address}"
        assert lines[2] == f"API:       {address}docs   {address}openapi.json"
        assert httpx.get(f"{address}ready").status_code == 200
        assert address.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_when_the_work_is_done_and_its_workers_are_gone(
    number: signal.Signals, draw: Callable[..., bytes]
) -> None:
    with started("--max-concurrent", "1") as (process, address, _):
        files = {"image": draw(1, side=400)}
        fields = {"method": "search", "budget": "12", "min_ssim": "0.5"}
        answers: list[httpx.Response] = []

        def optimize() -> None:
            answers.append(
                httpx.post(f"{address}v1/optimize", files=files, data=fields, timeout=60)
            )

        thread = threading.Thread(target=optimize)
        thread.start()
        while not _in_flight(address):
            time.sleep(0.02)
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        os.kill(process.pid, number)
        thread.join()
        assert process.wait(60) == 0
        assert [answer.status_code for answer in answers] == [200]
        assert answers[0].json()["n_conversions"] == 12
        assert (process.stdout or sys.stdin).read().strip() == (
            "serve      stopped: every request was answered"
        )
        assert (process.stderr or sys.stdin).read() == ""
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}health")


def test_a_second_interrupt_ends_it_at_once_and_it_does_not_claim_more(
    draw: Callable[..., bytes],
) -> None:
    with started("--max-concurrent", "1") as (process, address, _):
        fields = {"method": "search", "budget": "64", "min_ssim": "0.5"}
        codes: list[int] = []

        def optimize() -> None:
            files = {"image": draw(4, side=400)}
            answer = httpx.post(f"{address}v1/optimize", files=files, data=fields, timeout=60)
            codes.append(answer.status_code)

        thread = threading.Thread(target=optimize)
        thread.start()
        while not _in_flight(address):
            time.sleep(0.02)
        family = psutil.Process(process.pid).children(recursive=True)
        for _ in range(2):
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.3)
        thread.join()
        process.wait(20)
        assert codes == [500]
        assert (process.stdout or sys.stdin).read().strip() == (
            "serve      stopped: at once, what was under way was given up"
        )
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []


def _in_flight(address: str) -> bool:
    text = httpx.get(f"{address}metrics").text
    found = re.search(r"^svg_quality_requests_in_flight (\S+)", text, re.MULTILINE)
    return found is not None and float(found[1]) >= 2  # this request is one


def test_a_taken_port_is_refused_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = refused("--port", port)
    assert (code, len(said.splitlines())) == (2, 1)
    assert said.startswith(f"svg-quality: a port must be free, {port} of 127.0.0.1 is not")


def test_an_open_address_is_refused_without_a_key_and_served_with_one(tmp_path: Path) -> None:
    code, said = refused("--host", "0.0.0.0", SVG_QUALITY_API_KEY="")
    assert (code, len(said.splitlines())) == (2, 1)
    assert "an address that others can reach needs an API key, 0.0.0.0 has none" in said
    (tmp_path / "key").write_text("correct-horse-battery\n")
    with started("--host", "0.0.0.0", "--api-key-file", str(tmp_path / "key")) as (
        _,
        address,
        said_,
    ):
        assert "Access:    with the API key" in said_
        assert httpx.get(f"{address}v1/model").status_code == 401
        key = {"Authorization": "Bearer correct-horse-battery"}
        assert httpx.get(f"{address}v1/model", headers=key).status_code == 200


def test_without_a_model_it_serves_what_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: Callable[..., bytes]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with started() as (_, address, lines):
        assert lines[0].startswith("Model:     none, predictions are unavailable: models:/svg-q")
        assert httpx.get(f"{address}health").status_code == 200
        assert httpx.get(f"{address}ready").status_code == 503
        said = httpx.post(f"{address}v1/predict", files={"image": draw(1)}).json()
        assert (said["status"], said["predictions"]) == ("unavailable", None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "no.such.host.invalid"), "host must be an address of this machine"),
        (("--host", "192.0.2.1"), "an address must be one to listen on, 192.0.2.1 port 0: Cannot"),
        (("--api-key-file", "none"), "the API key must be in a readable file, none"),
        (("--port", "70000"), "serve.port: input should be less than or equal to 65535"),
        (("--challenger", "models:/svg-quality/99"), "a challenger must be there from the start"),
        (("--challenger", "models:/svg-quality/1"), "must be different versions"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(options: tuple[str, str], words: str) -> None:
    port = () if "--port" in options else ("--port", "0")
    key = "correct-horse-battery" if "--host" in options else ""
    code, said = refused(*port, *options, SVG_QUALITY_API_KEY=key)
    assert (code, len(said.splitlines())) == (2, 1)
    assert words in said
