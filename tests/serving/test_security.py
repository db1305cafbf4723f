"""Who may ask: keys, addresses, and pages of other sites."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from svg_quality.errors import SettingsError
from svg_quality.serving.security import (
    API_KEY_VARIABLE,
    check_address,
    is_loopback,
    read_api_key,
)

Bare = Callable[..., AbstractContextManager[httpx.Client]]
KEY = "correct-horse-battery"


def test_a_key_comes_from_a_file_or_the_environment_the_file_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(API_KEY_VARIABLE, raising=False)
    assert read_api_key("") is None
    monkeypatch.setenv(API_KEY_VARIABLE, f" {KEY}-of-environment\n")
    assert read_api_key("") == f"{KEY}-of-environment"
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert read_api_key(str(tmp_path / "key")) == KEY


@pytest.mark.parametrize(
    "key", ["short", "", "schlüssel-schlüssel-schlüssel", "two\nlines-of-a-key"]
)
def test_a_key_that_is_none_is_refused(key: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(key)
    with pytest.raises(SettingsError, match=r"at least 16 ASCII characters, that of .*key is not"):
        read_api_key(str(tmp_path / "key"))


def test_a_key_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"in a readable file, .*none: .*No such file"):
        read_api_key(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("example.org", False),
        ("", False), ("localhost.example.org", False),
    ],
)  # fmt: skip
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_open_address_needs_a_key() -> None:
    with pytest.raises(SettingsError, match=r"needs an API key, 0\.0\.0\.0 has none: put one into"):
        check_address("0.0.0.0", None)
    check_address("0.0.0.0", KEY)
    check_address("127.0.0.1", None)


def test_with_a_key_only_those_who_send_it_may_ask(bare: Bare) -> None:
    with bare(api_key=KEY) as client:
        for headers in ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"},
                        {"Authorization": f"bearer {KEY}"}):  # fmt: skip
            assert client.get("/v1/model", headers=headers).status_code == 200
        wrong = ({}, {"X-API-Key": KEY + "x"}, {"X-API-Key": KEY[:-1]},
                 {"Authorization": f"Basic {KEY}"}, {"Authorization": KEY},
                 {"X-API-Key": "\xfc"})  # fmt: skip
        for headers in wrong:
            raw = {name: value.encode("latin-1") for name, value in headers.items()}
            for method, path in (("GET", "/v1/model"), ("POST", "/v1/predict"), ("GET", "/metrics"),
                                 ("GET", "/v1/none")):  # fmt: skip
                answer = client.request(method, path, headers=raw)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
                assert answer.headers["WWW-Authenticate"] == "Bearer"
        for path in ("/health", "/", "/docs", "/openapi.json", "/playground/style.css"):
            assert client.get(path).status_code == 200
        assert client.get("/ready").status_code == 503
        foreign = {"Host": "example.org", "Origin": "https://example.org", "X-API-Key": KEY}
        assert client.get("/v1/model", headers=foreign).status_code == 200


def test_without_a_key_pages_of_other_sites_are_refused(
    bare: Bare, draw: Callable[..., bytes]
) -> None:
    with bare() as client:
        here = f"127.0.0.1:{client.base_url.port}"
        files = {"image": draw(1)}
        for host in (here, f"localhost:{client.base_url.port}", f"[::1]:{client.base_url.port}"):
            own = {"Host": host, "Origin": f"http://{host}"}
            assert client.post("/v1/predict", files=files, headers=own).status_code == 200
        for headers in (
            {"Host": "rebound.example.org"}, {"Origin": "https://example.org"}, {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"}, {"Host": ""}, {"Host": "[::1"},
        ):  # fmt: skip
            answer = client.post("/v1/predict", files=files, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
            assert "Access-Control-Allow-Origin" not in answer.headers


def test_every_answer_tells_browsers_to_stay_within(bare: Bare) -> None:
    with bare() as client:
        for path in ("/", "/health", "/v1/none", "/playground/style.css"):
            headers = client.get(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-cache"  # else an upgrade mixes old scripts in
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
