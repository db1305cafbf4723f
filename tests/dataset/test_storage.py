"""Transfers of whole folders, on this disk: what is half or altered is never taken for whole."""

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svg_quality.dataset.manifest import MANIFEST, differences, write_manifest
from svg_quality.dataset.transfers.storage import is_url, local_folder, opened, storage_url
from svg_quality.dataset.transfers.transfer import (
    download_folder,
    publish,
    remote_differences,
    remote_manifest,
    upload_folder,
)
from svg_quality.errors import DatasetError, StorageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "pictures" / "ab").mkdir(parents=True)
    (made / "table.bin").write_bytes(bytes(range(256)) * 50)
    (made / "empty.txt").write_bytes(b"")
    (made / "pictures" / "ab" / "a.png").write_bytes(b"\r\n\x00\r")
    write_manifest(made, {"name": "logos", "version": "1.0.0"})
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text("abc0-_ .ü", min_size=1, max_size=8).filter(lambda name: name.strip(". ")),
        st.binary(max_size=300),
        max_size=5,
    )
)
def test_any_folder_comes_back_byte_by_byte(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("law")
    (root / "made" / "sub").mkdir(parents=True)
    for name, content in files.items():
        (root / "made" / "sub" / name).write_bytes(content)
    write_manifest(root / "made", {})
    upload_folder(root / "made", str(root / "stored"))
    download_folder(str(root / "stored"), root / "back")
    assert contents(root / "back") == contents(root / "made")
    assert differences(root / "back") == []


def test_a_release_has_its_place_and_is_sent_once(tmp_path: Path, folder: Path) -> None:
    told: list[tuple[str, int]] = []
    place = publish(
        folder, "releases", "logos", "1.0.0", f"{tmp_path}/store/", lambda *x: told.append(x)
    )
    assert place == f"{tmp_path}/store/releases/logos/1.0.0"
    assert sorted(told) == [("empty.txt", 0), ("pictures/ab/a.png", 4), ("table.bin", 12800)]
    assert remote_differences(place) == []
    before = (Path(place) / "table.bin").stat().st_mtime_ns
    again = upload_folder(folder, place)
    assert (again.n_sent, again.n_files, again.n_bytes) == (0, 4, 12804)
    assert (Path(place) / "table.bin").stat().st_mtime_ns == before
    assert upload_folder(folder, f"file://{tmp_path}/other").n_sent == 4


def test_what_is_stored_must_not_change(tmp_path: Path, folder: Path) -> None:
    place = publish(folder, "releases", "logos", "1.0.0", str(tmp_path / "store"))
    (folder / "table.bin").write_bytes(b"another")
    with pytest.raises(DatasetError, match=r"table\.bin has changed"):
        upload_folder(folder, place)
    write_manifest(folder, {"name": "logos", "version": "1.0.0"})
    with pytest.raises(StorageError, match=r"must not change, .* holds something else"):
        upload_folder(folder, place)
    assert (Path(place) / "table.bin").stat().st_size == 12800


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_an_unfinished_transfer_is_refused_and_completed(
    tmp_path: Path, folder: Path, cut: int
) -> None:
    place = tmp_path / "store"
    upload_folder(folder, str(place))
    content = (place / MANIFEST).read_bytes()
    (place / MANIFEST).write_bytes(content[:cut])
    (place / "table.bin").write_bytes(b"half")
    with pytest.raises(StorageError, match="manifest must list files"):
        remote_differences(str(place))
    (place / MANIFEST).unlink()
    with pytest.raises(StorageError, match=r"must have a manifest, .* not to its end"):
        remote_manifest(str(place))
    with pytest.raises(StorageError, match="must have a manifest"):
        download_folder(str(place), tmp_path / "back")
    (place / MANIFEST).write_bytes(content[:cut])
    assert upload_folder(folder, str(place)).n_sent == 2
    assert remote_differences(str(place)) == []


def test_every_changed_missing_and_added_file_is_named(tmp_path: Path, folder: Path) -> None:
    place = tmp_path / "store"
    upload_folder(folder, str(place))
    data = bytearray((place / "table.bin").read_bytes())
    data[7000] ^= 1
    (place / "table.bin").write_bytes(data)
    (place / "empty.txt").unlink()
    (place / "pictures" / "b.png").write_bytes(b"x")
    assert remote_differences(str(place)) == [
        "empty.txt is missing",
        "pictures/b.png is not in the manifest",
        "table.bin has changed",
    ]
    with pytest.raises(StorageError, match=r"empty\.txt is missing \(3 differences\)"):
        upload_folder(folder, str(place))
    with pytest.raises(StorageError, match=r"empty\.txt is missing \(2 differences\)"):
        download_folder(str(place), tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_byte_that_changed_in_the_store_does_not_arrive(tmp_path: Path, folder: Path) -> None:
    place = tmp_path / "store"
    upload_folder(folder, str(place))
    (place / "pictures/ab/a.png").write_bytes(b"\r\n\x01\r")
    with pytest.raises(StorageError, match=r"5 attempts failed: pictures/ab/a\.png comes other"):
        download_folder(str(place), tmp_path / "back")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "store"]


def test_a_place_with_other_files_is_left_alone(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.doc").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"must be empty, .* 1 other files; first: thesis\.doc"):
        upload_folder(folder, str(tmp_path / "store"))
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["thesis.doc"]


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../b", "a//b"])
def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path: Path, folder: Path, name: str) -> None:
    place = tmp_path / "store"
    upload_folder(folder, str(place))
    manifest = json.loads((place / MANIFEST).read_text())
    manifest["files"][name] = {"sha256": "0" * 64, "bytes": 0}
    (place / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(StorageError, match="must name files below it"):
        download_folder(str(place), tmp_path / "back")


def test_a_folder_that_is_there_stays_or_is_refused(tmp_path: Path, folder: Path) -> None:
    upload_folder(folder, str(tmp_path / "store"))
    assert download_folder(str(tmp_path / "store"), folder) == folder
    (folder / "empty.txt").write_text("no longer")
    with pytest.raises(StorageError, match="must not change"):
        download_folder(str(tmp_path / "store"), folder)
    assert (folder / "empty.txt").read_text() == "no longer"


def test_where_a_storage_is_comes_from_the_user_then_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SVG_QUALITY_STORAGE", raising=False)
    assert storage_url("") is None
    monkeypatch.setenv("SVG_QUALITY_STORAGE", "gs://ours")
    assert (storage_url(""), storage_url("s3://mine")) == ("gs://ours", "s3://mine")
    assert [is_url(place) for place in ("s3://a", "gs://a/b", "file:///a", "a/b")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert local_folder("file:///a/b") == Path("/a/b")
    assert local_folder("a") == Path.cwd() / "a"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/a", r"must be a folder, s3://BUCKET or gs://BUCKET, got ftp://host/a"),
        ("s3://", r"must be a folder, s3://BUCKET"),
        ("s3://key:secret@bucket/a", r"without credentials, this one holds some$"),
    ],
)
def test_refuses_what_is_no_storage(url: str, message: str) -> None:
    with pytest.raises(StorageError, match=message), opened(url):
        pass


@pytest.mark.parametrize(("scheme", "module"), [("s3", "s3fs"), ("gs", "gcsfs.core")])
def test_says_how_to_install_a_missing_back_end(
    monkeypatch: pytest.MonkeyPatch, scheme: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StorageError, match=r"not installed: `pip install 'svg-quality\[cloud\]'`"):
        remote_differences(f"{scheme}://bucket/a")


class Unwilling(BaseHTTPRequestHandler):
    """Answers 501 to everything, and counts."""

    n_requests = 0

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        type(self).n_requests += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(501)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST = do_HEAD = do_GET


@pytest.fixture(params=["http", "https"])
def unwilling(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[Unwilling]]:
    """A server that the environment leads to; over TLS it shows a certificate of its own making."""

    class Handler(Unwilling):
        pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: Any) -> None:  # clients that hang up
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if request.param == "https":
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"{request.param}://127.0.0.1:{server.server_address[1]}"
    environment = {
        "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1", "STORAGE_EMULATOR_HOST": url,
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield Handler
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_what_no_attempt_can_heal_is_not_tried_again(
    unwilling: type[Unwilling], scheme: str
) -> None:
    with (
        opened(f"{scheme}://bucket/a") as place,
        pytest.raises(StorageError, match="must take and give files, it says: ") as refused,
    ):
        place.read("manifest.json")
    assert "attempts" not in str(refused.value)
    assert unwilling.n_requests == 1 or "CERTIFICATE_VERIFY_FAILED" in str(refused.value)


def test_a_disk_that_refuses_is_said_at_once(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "store").write_text("a file where a folder must be")
    with pytest.raises(StorageError, match="must take and give files, it says") as refused:
        upload_folder(folder, str(tmp_path / "store" / "releases"))
    assert "attempts" not in str(refused.value)
