"""Requests to a real server that has no model: what is refused and how, and what still works."""

import base64
import io
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.rendering import render
from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import DeadlineError
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.serving import problems
from svg_quality.serving.answer_schemas import (
    ConvertAnswer,
    OptimizeAnswer,
    PredictAnswer,
    Problem,
)
from svg_quality.serving.challenger import ChallengerRouter
from svg_quality.serving.config import ServeConfig
from svg_quality.serving.metrics import Metrics
from svg_quality.serving.problems import KINDS, Refused
from svg_quality.serving.schemas import OptimizeOptions
from svg_quality.serving.service import Service
from svg_quality.serving.uploads import Upload

Bare = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="module")
def client(bare: Bare) -> Iterator[httpx.Client]:
    with bare(max_request_bytes=200_000, max_batch=3, max_megapixels=1.0) as made:
        yield made


def code_of(answer: httpx.Response) -> str:
    """The code of a problem, which is complete and says the same as the status line."""
    said = Problem.model_validate_json(answer.content)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (said.status, said.title) == (answer.status_code, KINDS[said.code].title)
    assert said.type == f"/docs#{said.code}"
    assert said.instance == answer.request.url.path
    return said.code


def as_json(data: bytes, **fields: Any) -> dict[str, Any]:
    return {"json": {"image": base64.b64encode(data).decode(), **fields}}


def as_form(data: bytes, **fields: Any) -> dict[str, Any]:
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
    return {"files": {"image": ("logo.png", data)}, "data": texts}


@pytest.mark.parametrize("send", [as_json, as_form])
def test_without_a_model_a_prediction_is_unavailable_and_holds_no_number(
    send: Callable[..., dict[str, Any]], client: httpx.Client, draw: Callable[..., bytes]
) -> None:
    answer = client.post("/v1/predict", **send(draw(1), parameters=[{"mode": "polygon"}, {}]))
    said = PredictAnswer.model_validate_json(answer.content)
    assert (answer.status_code, said.status, said.n_sets) == (200, "unavailable", 2)
    assert said.reason is not None
    assert "predictor.enabled is false" in said.reason
    assert (said.predictions, said.interval, said.model_version) == (None, None, None)
    assert said.default_parameters.model_dump() == Parameters().as_dict()
    assert said.image.image_id == load_image(draw(1)).image_id


def test_what_needs_a_model_says_so(client: httpx.Client, draw: Callable[..., bytes]) -> None:
    for path in ("/v1/front", "/v1/explain"):
        answer = client.post(path, **as_form(draw(1)))
        assert (answer.status_code, code_of(answer)) == (503, "model_unavailable")
    ready = client.get("/ready")
    assert (ready.status_code, code_of(ready)) == (503, "model_unavailable")
    assert "predictor.enabled is false" in ready.json()["detail"]
    assert client.get("/health").json()["status"] == "ok"


def test_a_conversion_needs_no_model_and_gives_what_measuring_gives(
    client: httpx.Client, draw: Callable[..., bytes]
) -> None:
    chosen = {"color_precision": 3, "mode": "polygon"}
    answer = client.post("/v1/convert", **as_form(draw(2), parameters=chosen))
    said = ConvertAnswer.model_validate_json(answer.content)
    expected = measure(load_image(draw(2)).rgb, Parameters(color_precision=3, mode="polygon"))
    assert said.svg == expected.svg
    assert (said.measured.ssim, said.measured.svg_bytes) == (expected.ssim, expected.svg_bytes)
    assert said.predicted is None
    kind, _, png = (said.difference or "").partition(",")
    shown = Image.open(io.BytesIO(base64.b64decode(png)))
    assert kind == "data:image/png;base64"
    off = np.abs(render(said.svg, 48, 48).astype(int) - load_image(draw(2)).rgb).max(axis=2)
    assert off.any()
    assert (np.asarray(shown) == 255 - off).all()
    left_out = client.post("/v1/convert", **as_json(draw(2), difference=False))
    assert (left_out.json()["difference"], left_out.json()["picture"]) == (None, None)


def test_a_conversion_gives_the_picture_too_where_a_browser_cannot_draw_it(
    client: httpx.Client, draw: Callable[..., bytes]
) -> None:
    tiff = draw(2, kind="TIFF")
    said = client.post("/v1/convert", **as_form(tiff, picture=True)).json()
    kind, _, png = said["picture"].partition(",")
    assert kind == "data:image/png;base64"
    shown = Image.open(io.BytesIO(base64.b64decode(png)))
    assert (np.asarray(shown) == load_image(tiff).rgb).all()
    assert said["image"]["format"] == "TIFF"


def test_optimizing_works_without_a_model_where_the_method_needs_none(
    client: httpx.Client, draw: Callable[..., bytes]
) -> None:
    wish = as_form(draw(3), method="feature_mapping", min_ssim="0.5", difference="true")
    answer = client.post("/v1/optimize", **wish)
    said = OptimizeAnswer.model_validate_json(answer.content)
    assert (said.status, said.method) == ("found", "feature_mapping")
    assert said.objective.min_ssim == 0.5
    assert said.chosen is not None
    assert said.chosen.measured is not None
    assert len((said.svg or "").encode()) == said.chosen.measured.svg_bytes
    assert (said.difference or "").startswith("data:image/png;base64,")


def gif_of(width: int, height: int) -> bytes:
    """A header that promises a picture, and almost nothing behind it."""
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0)
    palette = b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + palette + frame + b"\2\0;"


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\n(x) print\n%%EOF\n"


@pytest.mark.parametrize(
    ("data", "status", "code", "words"),
    [
        (b"no picture", 422, "unreadable_image", "these 10 bytes are none"),
        (b"", 422, "unreadable_image", "these 0 bytes are none"),
        (EPS, 422, "unreadable_image", "must be PNG"),
        (gif_of(65535, 65535), 413, "image_too_large", "at most 1000000 pixels"),
        (gif_of(1001, 1000), 413, "image_too_large", "got 1001 x 1000"),
        (gif_of(100, 100), 422, "unreadable_image", "must decode whole"),
    ],
)
def test_what_is_no_picture_is_refused_before_it_is_decoded(
    data: bytes, status: int, code: str, words: str, client: httpx.Client
) -> None:
    answer = client.post("/v1/predict", **as_form(data))
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert words in answer.json()["detail"]


def test_a_picture_too_small_to_be_scored_is_refused(
    client: httpx.Client, draw: Callable[..., bytes]
) -> None:
    answer = client.post("/v1/predict", **as_form(draw(1, side=10)))
    assert (answer.status_code, code_of(answer)) == (422, "image_too_small")


def test_a_conversion_that_fails_says_why(client: httpx.Client, draw: Callable[..., bytes]) -> None:
    """A float TIFF decodes, and states no range to show it by."""
    buffer = io.BytesIO()
    Image.new("F", (32, 32)).save(buffer, "TIFF")
    answer = client.post("/v1/convert", **as_form(buffer.getvalue()))
    assert (answer.status_code, code_of(answer)) == (422, "unsupported_image")


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"parameters": {"color_precision": 12}}, "invalid_parameters", r"in [1, 8], got 12"),
        ({"parameters": [{}, {"hue": 1}]}, "invalid_parameters", "set 2: parameters are"),
        ({"parameters": []}, "invalid_parameters", "must be 1 to 10000, got 0"),
        ({"parameters": [{}] * 10_001}, "invalid_parameters", "got 10001"),
        ({"parameters": [[]]}, "invalid_parameters", "set 1: a parameter set must be an object"),
        ({"parameters": "spline"}, "invalid_parameters", "must be an object, got spline"),
        ({"parameter": {}}, "invalid_request", "parameter: extra inputs are not permitted"),
    ],
)
@pytest.mark.parametrize("send", [as_json, as_form])
def test_fields_are_checked_alike_in_both_forms(
    send: Callable[..., dict[str, Any]],
    fields: dict[str, Any],
    code: str,
    words: str,
    client: httpx.Client,
    draw: Callable[..., bytes],
) -> None:
    answer = client.post("/v1/predict", **send(draw(1), **fields))
    assert (answer.status_code, code_of(answer)) == (422, code)
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, None),
        (
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            400, None,
        ),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, None),
        ({"content": b"x"}, 415, None),
        ({"json": []}, 422, "invalid_request"),
        ({"json": {}}, 422, "invalid_request"),
        ({"json": {"image": 1}}, 422, "invalid_request"),
        ({"json": {"image": "***"}}, 422, "invalid_request"),
        ({"json": {"images": [{"image": "aaaa"}], "image": "aaaa"}}, 422, "invalid_request"),
        ({"files": [("image", b"a"), ("image", b"b")]}, 422, "invalid_request"),
        ({"files": [("logo", b"a")]}, 422, "invalid_request"),
        ({"files": [("image", b"a")], "data": {"parameters": "[{"}}, 422, "invalid_request"),
        (
            {"files": [("image", b"a")], "data": {"parameters": ["{}", "{}"]}},
            422, "invalid_request",
        ),
        ({"content": b"a" * 200_001, "headers": {"Content-Type": "application/json"}}, 413, None),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_problem(
    request_: dict[str, Any], status: int, code: str | None, client: httpx.Client
) -> None:
    answer = client.post("/v1/predict", **request_)
    expected = code or {
        400: "malformed_request", 413: "request_too_large", 415: "unsupported_media_type",
    }[status]  # fmt: skip
    assert (answer.status_code, code_of(answer)) == (status, expected)


def test_a_request_without_a_length_is_cut_off_where_it_becomes_too_large(
    client: httpx.Client,
) -> None:
    answer = client.post("/v1/predict", content=(b"a" * 10_000 for _ in range(50)))
    assert (answer.status_code, code_of(answer)) == (413, "request_too_large")


def test_addresses_and_methods_that_are_not_there_are_problems(client: httpx.Client) -> None:
    missing = client.get("/v2/predict")
    assert (missing.status_code, code_of(missing)) == (404, "not_found")
    wrong = client.get("/v1/predict")
    assert (wrong.status_code, code_of(wrong)) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "POST"
    assert client.get("/playground/../conftest.py").status_code == 404
    assert client.get("/playground/%2e%2e/api.py").status_code == 404


def test_a_batch_fails_one_by_one(client: httpx.Client, draw: Callable[..., bytes]) -> None:
    files = [("images", ("a.png", draw(1))), ("images", ("b.png", b"none"))]
    said = client.post("/v1/predict/batch", files=files).json()
    first, second = said["predictions"]
    assert (first["status"], first["name"], first["ssim"]) == ("unavailable", "a.png", None)
    assert (second["status"], second["code"]) == ("error", "unreadable_image")
    too_many = client.post("/v1/predict/batch", files=[files[0]] * 4)
    assert (too_many.status_code, code_of(too_many)) == (422, "invalid_request")
    none = client.post("/v1/predict/batch", json={"images": []})
    assert (none.status_code, code_of(none)) == (422, "invalid_request")


def service_of(config: ServeConfig) -> Service:
    """What answers below the web, without a model."""
    predictor = QualityPredictor(enabled=False)
    router = ChallengerRouter(predictor, None, 0.0, None)
    return Service(config, predictor, router, WorkerPool(1, 1.0), None, Metrics())


def test_a_batch_whose_caller_was_told_that_it_took_too_long_goes_no_further(
    draw: Callable[..., bytes],
) -> None:
    service = service_of(ServeConfig(timeout_s=0.0))
    with pytest.raises(Refused, match="a batch must end within 0 s") as refused:
        service.predict_batch([Upload("a.png", draw(1))] * 3, Parameters(), monotonic() - 1)
    assert refused.value.code == "timeout"


def test_an_optimize_that_got_its_slot_too_late_took_too_long(draw: Callable[..., bytes]) -> None:
    service = service_of(ServeConfig())
    with pytest.raises(DeadlineError) as late:
        service.optimize(Upload("a.png", draw(1)), OptimizeOptions(method="adaptive"), monotonic())
    assert problems.code_of(late.value) == "timeout"


def test_a_name_is_only_a_name(client: httpx.Client, draw: Callable[..., bytes]) -> None:
    for sent, shown in (("../../etc/passwd", "passwd"), ("C:\\a\\b.png", "b.png"),
                        ("a\x00\x1b[31mb.png", "a[31mb.png"), ("", "image")):  # fmt: skip
        answer = client.post("/v1/predict", **as_json(draw(1), name=sent))
        assert answer.json()["image"]["name"] == shown


@pytest.fixture
def listener() -> Iterator[tuple[int, list[Any]]]:
    """A port, and who connected to it."""
    seen: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()

        def wait() -> None:
            while not done.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                seen.append(address)
                connection.close()

        thread = threading.Thread(target=wait)
        thread.start()
        yield server.getsockname()[1], seen
        done.set()
        thread.join()


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {}>{}</svg>'
)
DISC = '<circle cx="24" cy="24" r="20" fill="red"/>'


def svg(inner: str, attributes: str = 'width="48" height="48"', before: str = "") -> bytes:
    return (before + SVG.format(attributes, inner)).encode()


def test_an_svg_is_drawn(client: httpx.Client) -> None:
    said = client.post("/v1/predict", **as_form(svg(DISC))).json()
    assert (said["image"]["width"], said["image"]["height"]) == (512, 512)
    assert said["image"]["format"] == "SVG"  # as sent, though it was drawn before it was read
    assert said["image"]["image_id"] == load_image(svg(DISC)).image_id


HOSTILE = {
    "file entity": lambda port: svg(
        "<text>&x;</text>", before='<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    ),
    "entity bomb": lambda port: svg(
        "<text>&d;</text>",
        before='<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
        '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>',
    ),
    "image by address": lambda port: svg(
        DISC + f'<image href="http://127.0.0.1:{port}/x.png" width="9" height="9"/>'
    ),
    "image by xlink": lambda port: svg(
        DISC + f'<image xlink:href="http://127.0.0.1:{port}/x.png" width="9" height="9"/>'
    ),
    "image of a file": lambda port: svg(
        DISC + '<image href="file:///etc/passwd" width="9" height="9"/>'
    ),
    "use of a file": lambda port: svg(DISC + '<use href="/etc/passwd#x"/>'),
    "filter image": lambda port: svg(
        f'<filter id="f"><feImage href="http://127.0.0.1:{port}/x.png"/></filter>' + DISC
    ),
    "text": lambda port: svg("<text>a</text>"),
    "nothing of an SVG": lambda port: b"<html><body>",
}
DRAWN = {  # without a look outside
    "document type by address": lambda port: svg(
        DISC, before=f'<!DOCTYPE svg SYSTEM "http://127.0.0.1:{port}/x.dtd">'
    ),
    "style by address": lambda port: svg(
        f"<style>@import url(http://127.0.0.1:{port}/x.css);"
        f"circle {{ fill: url(http://127.0.0.1:{port}/x.svg#p) }}</style>" + DISC
    ),
    "stylesheet instruction": lambda port: svg(
        DISC, before=f'<?xml-stylesheet href="http://127.0.0.1:{port}/x.css" type="text/css"?>'
    ),
    "script": lambda port: svg(f'<script>fetch("http://127.0.0.1:{port}")</script>' + DISC),
}


@pytest.mark.parametrize("kind", [*HOSTILE, *DRAWN])
def test_an_svg_reaches_neither_files_nor_addresses(
    kind: str, client: httpx.Client, listener: tuple[int, list[Any]]
) -> None:
    port, seen = listener
    answer = client.post("/v1/convert", **as_form((HOSTILE | DRAWN)[kind](port)))
    assert seen == []
    assert b"root:" not in answer.content
    if kind in DRAWN:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 422
        assert code_of(answer) in ("unsupported_image", "unreadable_image")


def test_an_svg_that_would_draw_for_ever_is_stopped(bare: Bare, draw: Callable[..., bytes]) -> None:
    """Each level shows the one below ten times: 10^9 discs."""
    levels = "".join(
        f'<g id="l{n}">' + f'<use href="#l{n - 1}"/>' * 10 + "</g>" for n in range(1, 10)
    )
    bomb = svg(f'<defs><circle id="l0" r="9"/>{levels}</defs><use href="#l9"/>')
    with bare(timeout_s=2.0) as client:
        answer = client.post("/v1/convert", **as_form(bomb), timeout=30)
        assert answer.status_code in (422, 504)
        assert client.post("/v1/convert", **as_form(draw(1)), timeout=30).status_code == 200


def test_the_page_and_the_documentation_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    page, docs = client.get("/"), client.get("/docs")
    assert page.status_code == docs.status_code == 200
    assert "default-src 'none'; script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in docs.headers["Content-Security-Policy"]
    for code in KINDS:
        assert f'id="{code}"' in docs.text
    for text in (page.text, docs.text):
        assert "https://" not in text
