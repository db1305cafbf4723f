"""MLflow's own server runs the registered model, and says what our predictor says."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from svg_quality.conversion.parameters import Parameters
from svg_quality.prediction.predictor import QualityPredictor

pytestmark = pytest.mark.slow
COMMAND = Path(sys.executable).parent / "mlflow"


@pytest.fixture(autouse=True)
def own_store(in_project: Path) -> None:
    """In place of the store that other tests get: the project's."""


@pytest.fixture
def address(in_project: Path, tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with (
        (tmp_path / "log").open("w+") as log,
        subprocess.Popen(
            [COMMAND, "models", "serve", "--model-uri", "models:/svg-quality/Production",
             "--env-manager", "local", "--port", port],
            stdout=log, stderr=log, start_new_session=True,
            env=os.environ | {"PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"},
        ) as process,
    ):  # fmt: skip
        try:
            for _ in range(600):
                try:
                    httpx.get(f"http://127.0.0.1:{port}/ping").raise_for_status()
                    break
                except httpx.HTTPError:
                    assert process.poll() is None, (tmp_path / "log").read_text()
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_a_posted_image_is_predicted(address: str, draw: Callable[..., bytes]) -> None:
    image = draw(500)
    sets = [Parameters(), Parameters(color_precision=3, mode="polygon")]
    frame = {
        "columns": ["image", "color_precision", "mode"],
        "data": [
            [base64.b64encode(image).decode(), chosen.color_precision, chosen.mode]
            for chosen in sets
        ],
    }
    answer = httpx.post(f"{address}/invocations", json={"dataframe_split": frame}, timeout=60)
    assert answer.status_code == 200, answer.text
    for said, expected in zip(
        answer.json()["predictions"], QualityPredictor().predict_sets(image, sets), strict=True
    ):
        assert said["ssim"] == pytest.approx(expected.ssim, abs=1e-5)
        assert round(said["svg_bytes"]) == pytest.approx(expected.svg_bytes, abs=1)
