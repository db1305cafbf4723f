"""The API with a really trained model, over a real socket: it says what Python says."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import PRESETS, Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.dataset.tables import conversions_table
from svg_quality.optimization.candidates import everyday_sets
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.serving import answer_schemas
from svg_quality.serving.api import create_app
from svg_quality.serving.config import ServeConfig

pytestmark = pytest.mark.slow
Serve = Callable[[FastAPI], AbstractContextManager[str]]
FIGURES = ("ssim", "ssim_low", "ssim_high", "svg_bytes", "bytes_low", "bytes_high")


@pytest.fixture(autouse=True)
def own_store(in_project: Path) -> None:
    """In place of the store that other tests get: the project's."""


@pytest.fixture(scope="module")
def predictor(in_project: Path) -> QualityPredictor:
    return QualityPredictor()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def app(predictor: QualityPredictor, data: Path) -> FastAPI:
    return create_app(ServeConfig(data=data, max_concurrent=4), predictor)


@pytest.fixture(scope="module")
def client(app: FastAPI, serving: Serve) -> Iterator[httpx.Client]:
    with serving(app) as url, httpx.Client(base_url=url, timeout=120) as made:
        yield made


def post(client: httpx.Client, path: str, image: bytes, **fields: Any) -> dict[str, Any]:
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
    answer = client.post(path, files={"image": ("logo.png", image)}, data=texts)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_same(columns: dict[str, Any], of: QualityPredictor, image: bytes,
                sets: list[Parameters]) -> None:  # fmt: skip
    """The figures are those of the Python interface, to the digits that are sent."""
    expected = of.predict_sets(image, sets)
    for name in FIGURES:
        wanted = [getattr(one, name) for one in expected]
        np.testing.assert_allclose(columns[name], wanted, rtol=0, atol=6e-7, err_msg=name)


def test_the_description_is_valid_and_each_of_its_examples_is_answered(
    client: httpx.Client,
) -> None:
    said = client.get("/openapi.json").json()
    validate(said)
    for path, methods in said["paths"].items():
        for method, route in methods.items():
            content = route.get("requestBody", {}).get("content", {})
            assert (method == "post") == ("multipart/form-data" in content)
            example = content.get("application/json", {}).get("example")
            answer = client.request(method, path, json=example)
            assert answer.status_code == 200, (path, answer.text)
            ok = route["responses"]["200"].get("content", {}).get("application/json")
            if ok and ok["schema"]:
                model = getattr(answer_schemas, ok["schema"]["$ref"].rsplit("/", 1)[-1])
                model.model_validate_json(answer.content)
            else:
                assert path == "/metrics"


def test_a_form_and_json_get_what_python_gets(
    client: httpx.Client, predictor: QualityPredictor, draw: Callable[..., bytes]
) -> None:
    sets = [*PRESETS.values(), *sobol_sets(30, "full", 0)]
    asked, image = [chosen.as_dict() for chosen in sets], draw(100)
    said = post(client, "/v1/predict", image, parameters=asked)
    assert_same(said["predictions"], predictor, image, sets)
    assert (said["n_sets"], said["model_version"], said["interval"]) == (34, "1", 0.5)
    body = {"image": base64.b64encode(image).decode(), "name": "logo.png", "parameters": asked}
    assert client.post("/v1/predict", json=body).json() == said


def test_ten_thousand_sets_are_answered_in_their_order(
    client: httpx.Client, predictor: QualityPredictor, draw: Callable[..., bytes]
) -> None:
    sets = [Parameters(corner_threshold=i % 181, layer_difference=i // 181) for i in range(10_000)]
    asked = [{"corner_threshold": s.corner_threshold, "layer_difference": s.layer_difference}
             for s in sets]  # fmt: skip
    columns = post(client, "/v1/predict", draw(101), parameters=asked)["predictions"]
    assert_same(columns, predictor, draw(101), sets)


def test_a_photograph_in_every_format_is_read(
    client: httpx.Client, predictor: QualityPredictor, draw: Callable[..., bytes]
) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        image = draw(102, kind=kind)
        said = post(client, "/v1/predict", image)
        assert said["image"]["format"] == kind
        assert said["image"]["image_id"] == load_image(image).image_id
        assert_same(said["predictions"], predictor, image, [Parameters()])


def test_twenty_clients_at_once_get_what_one_after_another_gets(
    client: httpx.Client, draw: Callable[..., bytes]
) -> None:
    images = [draw(seed) for seed in range(200, 208)]
    sets = [chosen.as_dict() for chosen in sobol_sets(50, "full", 1)]

    def ask(number: int) -> dict[str, Any]:
        image = images[number % len(images)]
        return post(client, "/v1/predict", image, parameters=sets[number % 7 :])

    with ThreadPoolExecutor(20) as threads:
        together = list(threads.map(ask, range(60)))
    assert together == [ask(number) for number in range(60)]


def test_a_batch_says_what_its_pictures_alone_say(
    client: httpx.Client, draw: Callable[..., bytes]
) -> None:
    images = [draw(seed) for seed in (300, 301, 302)]
    files = [("images", (f"{i}.png", image)) for i, image in enumerate(images)]
    fields = {"parameters": '{"mode": "polygon"}'}
    said = client.post("/v1/predict/batch", files=files, data=fields).json()
    for item, image in zip(said["predictions"], images, strict=True):
        alone = post(client, "/v1/predict", image, parameters={"mode": "polygon"})
        assert {name: [item[name]] for name in FIGURES} == alone["predictions"]


def test_no_candidate_beats_the_front(
    client: httpx.Client, predictor: QualityPredictor, draw: Callable[..., bytes]
) -> None:
    image = draw(103)
    said = post(client, "/v1/front", image)
    sets = [Parameters(**chosen) for chosen in said["parameters"]]
    assert_same(said["predictions"], predictor, image, sets)
    picture = predictor.picture(image)
    scores = picture.score(list(everyday_sets(picture)))
    assert said["n_candidates"] == len(scores.ssim)
    for ssim, size in zip(said["predictions"]["ssim"], said["predictions"]["svg_bytes"],
                          strict=True):  # fmt: skip
        better = (scores.ssim > ssim + 1e-6) & (scores.svg_bytes < size - 0.5)
        assert not better.any()


def test_an_explanation_is_made_of_predictions(
    client: httpx.Client, predictor: QualityPredictor, draw: Callable[..., bytes]
) -> None:
    image, at = draw(104), Parameters(mode="polygon")
    said = post(client, "/v1/explain", image, at={"mode": "polygon"})
    curve = next(c for c in said["curves"] if c["name"] == "filter_speckle")
    sets = [replace(at, filter_speckle=int(value)) for value in curve["values"]]
    assert_same(curve, predictor, image, sets)
    assert curve["fixed"] == 4
    assert "Does nothing here" in next(
        c["effect"] for c in said["curves"] if c["name"] == "corner_threshold"
    )


def test_conversions_and_predictions_are_kept_to_learn_from(
    client: httpx.Client, data: Path, draw: Callable[..., bytes]
) -> None:
    image = draw(105)
    chosen = {"color_precision": 5}
    said = post(client, "/v1/convert", image, parameters=chosen)
    expected = measure(load_image(image).rgb, Parameters(color_precision=5))
    assert said["measured"]["ssim"] == expected.ssim
    assert said["predicted"]["ssim_low"] <= said["predicted"]["ssim"]
    found = post(client, "/v1/optimize", image, method="feature_mapping", min_ssim="0.5")
    rows = read_lines(data / "conversions/use.jsonl")
    mine = conversions_table([row for row in rows if row["image_id"] == said["image"]["image_id"]])
    assert len(mine) == 1 + found["n_conversions"]
    assert mine["method"].tolist() == ["by-hand"] + ["method-1"] * found["n_conversions"]
    assert (data / "logos" / mine["image_path"].iloc[0]).read_bytes() == image
    post(client, "/v1/predict", image)  # what is kept of the one before is written by now
    lines = read_lines(data / "predictions/predictions.jsonl")
    kept = [x for x in lines if x["image_id"] == said["image"]["image_id"]
            and x["kind"] == "prediction"]  # fmt: skip
    assert kept[0]["color_precision"] == 5
    assert kept[0]["role"] == "only"


def test_what_was_done_is_counted(client: httpx.Client, draw: Callable[..., bytes]) -> None:
    def read() -> dict[str, float]:
        lines = client.get("/metrics").text.splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
        return {name: float(value) for name, value in pairs}

    before = read()
    post(client, "/v1/predict", draw(106), parameters=[{}, {}, {}])
    post(client, "/v1/convert", draw(106))
    client.post("/v1/predict")
    client.get(f"/{'made-up' * 3}")
    after = read()

    def more(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert more('svg_quality_requests_total{route="/v1/predict",status="200"}') == 1
    assert more('svg_quality_requests_total{route="/v1/predict",status="415"}') == 1
    assert more('svg_quality_requests_total{route="unmatched",status="404"}') == 1
    assert more('svg_quality_request_seconds_count{route="/v1/convert"}') == 1
    assert more('svg_quality_predictions_total{model_version="1"}') == 3
    assert more('svg_quality_conversions_total{result="ok"}') == 1
    assert after['svg_quality_model_info{name="svg-quality",version="1"}'] == 1
    assert after["svg_quality_requests_in_flight"] == 1  # this very one
    assert not [name for name in after if "made-up" in name]


def test_the_model_tells_what_may_be_asked_of_it(client: httpx.Client) -> None:
    said = client.get("/v1/model").json()
    assert (said["available"], said["model_version"], said["working_size"]) == (True, "1", 512)
    assert said["limits"]["max_sets"] == 10_000
    defaults = {one["name"]: one["default"] for one in said["parameters"]}
    assert defaults == Parameters().as_dict()
    assert client.get("/ready").json()["status"] == "ready"


def test_a_challenger_answers_for_its_share_and_both_are_logged(
    predictor: QualityPredictor, serving: Serve, tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    bundle = next(Path("mlruns").rglob("bundle/bundle.json")).parent
    rival = QualityPredictor(str(bundle))  # the same model, as a folder: another version
    config = ServeConfig(data=tmp_path, max_concurrent=1)
    with (
        serving(create_app(config, predictor, rival, 0.5)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        said = [post(client, "/v1/predict", draw(seed)) for seed in range(400, 412)]
        again = [post(client, "/v1/predict", draw(seed)) for seed in range(400, 412)]
        model = client.get("/v1/model").json()
    assert again == said
    assert {one["model_version"] for one in said} == {"1", "unregistered"}
    assert (model["challenger_version"], model["challenger_share"]) == ("unregistered", 0.5)
    lines = read_lines(tmp_path / "predictions/predictions.jsonl")
    roles: dict[str, set[str]] = {}
    for line in lines:
        if line["kind"] == "prediction":
            roles.setdefault(line["image_id"], set()).add(line["role"])
    for one in said:
        both = one["model_version"] == "unregistered"
        expected = {"champion", "challenger"} if both else {"champion"}
        assert roles[one["image"]["image_id"]] == expected


def test_nothing_of_the_server_is_named_in_a_problem(
    client: httpx.Client, in_project: Path
) -> None:
    for answer in (client.post("/v1/predict", files={"image": b"x"}), client.get("/v1/none")):
        assert str(in_project) not in answer.text
        assert not re.search(r"Traceback|site-packages", answer.text)
