"""Transfers to real servers over HTTP on loopback (moto for S3, an emulator for Google's), with a
proxy between that cuts connections, answers 503 and flips bytes."""

import hashlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from svg_quality.dataset.manifest import MANIFEST, differences, write_manifest
from svg_quality.dataset.transfers.storage import opened
from svg_quality.dataset.transfers.transfer import (
    download_folder,
    publish,
    remote_differences,
    upload_folder,
)
from svg_quality.errors import StorageError

pytestmark = pytest.mark.slow

Fault = Callable[[int, bytes], bytes | int | None]
"""Number of the upload (from 1) and its body: what to pass on, a status, or None for a cut."""


@dataclass
class Proxy:
    """Passes requests on to a server; ``fault`` meddles with those that carry a file."""

    target: str
    fault: Fault | None = None
    n_uploads: int = 0
    delay_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if handler.command in ("PUT", "POST") and body:
            with self.lock:
                self.n_uploads += 1
                number = self.n_uploads
            time.sleep(self.delay_s)
            said = self.fault(number, body) if self.fault else body
            if said is None:
                self.pass_half(handler, body)
                return
            if isinstance(said, int):
                handler.send_response(said)
                handler.send_header("Content-Length", "0")
                handler.send_header("Connection", "close")
                handler.end_headers()
                handler.close_connection = True
                return
            body = said
        self.pass_on(handler, body)

    def connect(self, handler: BaseHTTPRequestHandler, n_bytes: int) -> http.client.HTTPConnection:
        place = urlsplit(self.target)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
        connection.putrequest(handler.command, handler.path, skip_host=True,
                              skip_accept_encoding=True)  # fmt: skip
        dropped = ("expect", "connection", "content-length", "transfer-encoding")
        for name, value in handler.headers.items():
            if name.lower() not in dropped:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(n_bytes))
        connection.putheader("Connection", "close")
        connection.endheaders()
        return connection

    def pass_half(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        connection = self.connect(handler, len(body))
        connection.send(body[: len(body) // 2])
        connection.close()
        handler.close_connection = True

    def pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        connection = self.connect(handler, len(body))
        connection.send(body)
        answer = connection.getresponse()
        content = answer.read()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                handler.send_header(name, value)
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else len(content)
        handler.send_header("Content-Length", str(length))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True
        connection.close()


@pytest.fixture
def proxy_before() -> Iterator[Callable[[str], Proxy]]:
    servers = []

    def start(target: str) -> Proxy:
        proxy = Proxy(target)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:  # the other side is gone: the tests' own doing
                    self.close_connection = True

            def do_PUT(self) -> None:
                proxy.handle(self)

            do_GET = do_HEAD = do_POST = do_DELETE = do_PUT

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        return proxy

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    import botocore.session
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=url, aws_access_key_id="k", aws_secret_access_key="s",
        region_name="us-east-1",
    )  # fmt: skip
    client.create_bucket(Bucket="bucket")
    client.close()
    yield url
    server.stop()


@pytest.fixture(scope="session")
def gs_server() -> Iterator[str]:
    from gcp_storage_emulator.server import create_server

    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    yield f"http://127.0.0.1:{server._api._httpd.server_address[1]}"
    server.stop()


@dataclass
class Storage:
    url: str
    proxy: Proxy


@pytest.fixture(params=["s3", "gs"])
def storage(
    request: pytest.FixtureRequest,
    proxy_before: Callable[[str], Proxy],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Storage:
    """A bucket behind a proxy, and an environment that leads there."""
    proxy = proxy_before(request.getfixturevalue(f"{request.param}_server"))
    environment = {
        "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": proxy.url,
        "AWS_DEFAULT_REGION": "us-east-1", "STORAGE_EMULATOR_HOST": proxy.url,
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Storage(f"{request.param}://bucket/{tmp_path.name}", proxy)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small and empty files, and one of more than two pieces."""
    rng = np.random.default_rng(0)
    made = tmp_path / "made"
    (made / "pictures").mkdir(parents=True)
    for number in range(6):
        (made / "pictures" / f"{number}.png").write_bytes(rng.bytes(3000 + number))
    (made / "table.parquet").write_bytes(rng.bytes(18_000_001))
    (made / "notes über.md").write_text("line\r\nline\n")
    (made / "empty.jsonl").write_bytes(b"")
    write_manifest(made, {"name": "logos"})
    return made


def test_there_and_back(storage: Storage, folder: Path, tmp_path: Path) -> None:
    place = publish(folder, "releases", "logos", "1.0.0", storage.url)
    assert place == f"{storage.url}/releases/logos/1.0.0"
    assert remote_differences(place) == []
    n_uploads = storage.proxy.n_uploads
    assert upload_folder(folder, place).n_sent == 0
    assert storage.proxy.n_uploads == n_uploads
    back = download_folder(place, tmp_path / "back")
    assert differences(back) == []
    assert (back / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes()
    (folder / "empty.jsonl").write_text("{}\n")
    write_manifest(folder, {"name": "logos"})
    with pytest.raises(StorageError, match="must not change"):
        upload_folder(folder, place)


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """A folder with one file."""
    made = tmp_path / "single"
    made.mkdir()
    (made / "table.parquet").write_bytes(b"small")
    write_manifest(made, {})
    return made


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(storage: Storage, single: Path, status: int) -> None:
    storage.proxy.fault = lambda number, body: status if number in (1, 2, 4) else body
    assert upload_folder(single, storage.url).n_sent == 2
    assert storage.proxy.n_uploads == 3 + 2  # two refused and one taken; the manifest: one and one
    assert remote_differences(storage.url) == []


def test_a_server_that_stays_busy_is_given_up(storage: Storage, folder: Path) -> None:
    storage.proxy.fault = lambda number, body: 503
    with pytest.raises(StorageError, match=f"{storage.url} must take .*, 5 attempts failed"):
        upload_folder(folder, storage.url)
    with pytest.raises(StorageError, match="must have a manifest"):
        remote_differences(storage.url)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_not_asked_again(storage: Storage, single: Path, status: int) -> None:
    storage.proxy.fault = lambda number, body: status
    with pytest.raises(StorageError, match="must be open to the credentials") as refused:
        upload_folder(single, storage.url)
    assert "\n" not in str(refused.value)
    assert storage.proxy.n_uploads == 1


def test_cut_connections_are_healed(storage: Storage, folder: Path) -> None:
    storage.proxy.fault = lambda number, body: None if number in (2, 5, 9) else body
    upload_folder(folder, storage.url)
    assert remote_differences(storage.url) == []


def test_a_transfer_cut_for_good_is_refused_and_can_be_completed(
    storage: Storage, folder: Path, tmp_path: Path
) -> None:
    storage.proxy.fault = lambda number, body: body if number <= 4 else None
    with pytest.raises(StorageError, match="5 attempts failed"):
        upload_folder(folder, storage.url)
    with pytest.raises(StorageError, match="must have a manifest"):
        remote_differences(storage.url)
    with pytest.raises(StorageError, match="must have a manifest"):
        download_folder(storage.url, tmp_path / "back")
    storage.proxy.fault = None
    assert upload_folder(folder, storage.url).n_sent < 10
    assert remote_differences(storage.url) == []


def flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def test_a_byte_altered_on_the_way_is_found_by_reading_back(storage: Storage, folder: Path) -> None:
    storage.proxy.fault = lambda number, body: flipped(body) if len(body) > 2**20 else body
    with pytest.raises(StorageError, match=r"table\.parquet is read back other than it must be"):
        upload_folder(folder, storage.url)
    with pytest.raises(StorageError, match="must have a manifest"):
        remote_differences(storage.url)
    storage.proxy.fault = None
    upload_folder(folder, storage.url)
    assert remote_differences(storage.url) == []


def test_a_killed_upload_is_refused_and_completed(storage: Storage, folder: Path) -> None:
    storage.proxy.delay_s = 0.2
    program = (
        "import sys; from pathlib import Path;"
        "from svg_quality.dataset.transfers.transfer import upload_folder;"
        "upload_folder(Path(sys.argv[1]), sys.argv[2])"
    )
    sender = subprocess.Popen([sys.executable, "-c", program, str(folder), storage.url])
    deadline = time.monotonic() + 60
    while storage.proxy.n_uploads < 5:
        assert time.monotonic() < deadline
        assert sender.poll() is None
        time.sleep(0.01)
    os.kill(sender.pid, signal.SIGKILL)
    sender.wait()
    time.sleep(0.5)  # what the proxy holds arrives
    with pytest.raises(StorageError, match="must have a manifest"):
        remote_differences(storage.url)
    storage.proxy.delay_s = 0
    assert 0 < upload_folder(folder, storage.url).n_sent <= 10
    assert remote_differences(storage.url) == []


def test_a_bucket_that_is_not_there_is_named(storage: Storage, folder: Path) -> None:
    scheme = storage.url.partition(":")[0]
    with pytest.raises(StorageError, match="must be in a storage that exists"):
        upload_folder(folder, f"{scheme}://no-such-bucket/a")
    with pytest.raises(StorageError, match=r"must have a manifest|storage that exists"):
        remote_differences(f"{scheme}://no-such-bucket/a")


def test_a_server_that_is_not_there_is_said(
    storage: Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match=r"5 attempts failed: .*127.0.0.1:9"):
        upload_folder(folder, storage.url)


def test_verify_reads_a_url(
    storage: Storage, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from svg_quality.cli import main

    place = publish(folder, "releases", "logos", "1.0.0", storage.url)
    assert main(["verify", place]) == 0
    assert f"OK: {place} is as its manifest says, 9 files, 18.0 MB" in capsys.readouterr().out
    (folder / "pictures" / "0.png").write_bytes(b"x" * 3000)
    with opened(place) as there:
        entry = {"bytes": 3000, "sha256": hashlib.sha256(b"x" * 3000).hexdigest()}
        there.deliver(folder / "pictures" / "0.png", "pictures/0.png", entry, -1)
    assert main(["verify", place]) == 1
    assert "verify     pictures/0.png has changed" in capsys.readouterr().out
    assert main(["verify", f"{storage.url}/nothing"]) == 2
    assert "must have a manifest" in capsys.readouterr().err
