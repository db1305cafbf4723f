"""Who may set marks over HTTP: the page that was served, and nobody else."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svg_quality.dataset.inspection.marks import Mark, read_marks, write_marks
from svg_quality.errors import SettingsError
from svg_quality.stages.dataset.inspection_server import InspectionServer

PICTURE, COPY = "a" * 64, "b" * 64
REJECT = {"image_id": PICTURE, "verdict": "reject", "logo_type": None}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InspectionServer]:
    made = InspectionServer(
        page=lambda marks: f"<p>{sorted(marks)}",
        originals={PICTURE: None, COPY: PICTURE},
        marks_path=tmp_path / "marks.json",
        port=0,
    )
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    with made:
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(
    server: InspectionServer,
    method: str = "POST",
    path: str | None = None,
    body: Any = REJECT,
    **headers: str | None,
) -> tuple[int, str]:
    """Status and text; a header named None is left out, others replace what a browser sends."""
    sent = {
        "Host": f"127.0.0.1:{server.server_port}",
        "Origin": f"http://127.0.0.1:{server.server_port}",
        "Content-Type": "application/json",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if method == "POST":
        sent = {"Content-Length": str(len(data))} | sent
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path or f"/{server.token}/marks", skip_host=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(data if method == "POST" else None)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_a_mark_is_saved_and_shown_and_taken_away(server: InspectionServer) -> None:
    write_marks(server.marks_path, {"c" * 64: Mark("accept")})
    status, said = ask(server)
    marks = read_marks(server.marks_path)
    assert status == 200
    assert json.loads(said) == {"n_marks": 2, "mark": marks[PICTURE].as_dict()}
    assert marks[PICTURE].verdict == "reject"
    assert ask(server, "GET", f"/{server.token}/") == (200, f"<p>{[PICTURE, 'c' * 64]}")
    status, said = ask(server, body=REJECT | {"verdict": None})
    assert (status, json.loads(said)) == (200, {"n_marks": 1, "mark": None})
    assert list(read_marks(server.marks_path)) == ["c" * 64]


def test_the_mark_of_a_copy_names_its_original(server: InspectionServer) -> None:
    wish = {"image_id": COPY, "verdict": "wrong type", "logo_type": "text"}
    assert ask(server, body=wish)[0] == 200
    mark = read_marks(server.marks_path)[COPY]
    assert (mark.logo_type, mark.derived_from) == ("text", PICTURE)


def test_localhost_is_this_machine_too(server: InspectionServer) -> None:
    here = f"localhost:{server.server_port}"
    assert ask(server, Host=here, Origin=f"http://{here}")[0] == 200


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({}, "/wrong-token/marks", 403),
        ({}, "/marks", 403),
        ({}, "/", 403),
        ({}, "/%C3%A9/marks", 403),
        ({"Origin": "https://example.org"}, None, 403),
        ({"Origin": "null"}, None, 403),
        ({"Origin": None}, None, 403),
        ({"Origin": "http://127.0.0.1:1"}, None, 403),
        ({"Host": "example.org"}, None, 403),
        ({"Host": None}, None, 403),
        ({"Content_Type": "text/plain"}, None, 415),
        ({"Content_Type": None}, None, 415),
        ({"Content_Length": "1000000"}, None, 413),
        ({"Content_Length": "-1"}, None, 413),
        ({"Content_Length": None}, None, 413),
    ],
)
def test_what_does_not_come_from_the_page_is_refused(
    headers: dict[str, str | None], path: str | None, status: int, server: InspectionServer
) -> None:
    assert ask(server, path=path, **headers)[0] == status
    assert not server.marks_path.exists()


def test_the_page_is_shown_to_those_with_its_address_only(server: InspectionServer) -> None:
    page = f"/{server.token}/"
    assert ask(server, "GET", page, Origin=None)[0] == 200
    assert ask(server, "GET", "/")[0] == 403
    assert ask(server, "GET", f"/{server.token}x/")[0] == 403
    assert ask(server, "GET", page, Host=f"example.org:{server.server_port}")[0] == 403
    assert ask(server, "GET", f"{page}other")[0] == 404
    assert ask(server, "GET", f"{page}marks")[0] == 404
    assert ask(server, "PUT", page)[0] == 501


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "sent as JSON"),
        (b"[" * 9000, 400, "sent as JSON"),
        ([], 400, "a mark has image_id"),
        (REJECT | {"at": "now"}, 400, "a mark has image_id"),
        (REJECT | {"image_id": "c" * 64}, 404, "a picture on this page"),
        (REJECT | {"image_id": ["a"]}, 404, "a picture on this page"),
        (REJECT | {"verdict": "maybe"}, 422, "must be one of accept, reject, wrong type"),
        (REJECT | {"verdict": 1}, 422, "must be one of accept, reject, wrong type"),
        (REJECT | {"verdict": "wrong type"}, 422, "must name the right type"),
        (REJECT | {"verdict": "wrong type", "logo_type": "sign"}, 422, "got 'sign'"),
        (REJECT | {"verdict": "wrong type", "logo_type": {}}, 422, "got {}"),
    ],
)
def test_what_is_no_mark_is_refused_with_a_reason(
    body: Any, status: int, said: str, server: InspectionServer
) -> None:
    got, text = ask(server, body=body)
    assert got == status
    assert said in json.loads(text)["error"]
    assert not server.marks_path.exists()


def test_a_file_that_somebody_broke_is_neither_used_nor_overwritten(
    server: InspectionServer,
) -> None:
    server.marks_path.write_text("{")
    status, text = ask(server)
    assert status == 422
    assert "must be a readable JSON file" in json.loads(text)["error"]
    assert ask(server, "GET", f"/{server.token}/")[0] == 422
    assert server.marks_path.read_text() == "{"


def test_only_this_machine_can_reach_it_and_each_has_its_own_token(
    server: InspectionServer, tmp_path: Path
) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}/{server.token}/"
    assert len(server.token) >= 20
    with InspectionServer(lambda marks: "", {}, tmp_path / "m.json", 0) as other:
        assert other.token != server.token


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port must be free, {port} is not"):
            InspectionServer(lambda marks: "", {}, tmp_path / "m.json", port)
