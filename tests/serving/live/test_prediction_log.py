"""The log of predictions: whole lines whoever writes, one line a picture, a stable sample."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.errors import DatasetError, StorageError
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.prediction.predictor import Picture, QualityPredictor
from svg_quality.serving.prediction_log import KEPT, WATCHED, PredictionLog, sample

MANY = sobol_sets(60, "full", 0)


@pytest.fixture
def picture(project: Any, served_pictures: list[Image.Image]) -> Picture:
    return QualityPredictor().picture(served_pictures[0])


def of_kind(log: PredictionLog, kind: str) -> list[dict[str, Any]]:
    return [line for line in log.lines() if line["kind"] == kind]


def test_what_is_read_is_what_was_said(picture: Picture, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    sets = MANY[:3]
    assert log.predicted(picture, sets, role="only") == 3
    scores = picture.score(sets)
    for place, line in enumerate(of_kind(log, "prediction")):
        assert Parameters(**{name: line[name] for name in sets[0].as_dict()}) == sets[place]
        assert line["predicted_ssim"] == pytest.approx(scores.ssim[place], rel=1e-8)
        assert line["bytes_high"] == pytest.approx(scores.bytes_high[place], rel=1e-8)
        assert line["role"] == "only"
        assert (line["model_name"], line["model_version"]) == ("svg-quality", "1")
        assert (line["level"], line["working_size"], line["n_asked"]) == (0.9, 512, 3)
    (kept,) = of_kind(log, "picture")
    numbers = dict(zip(DESCRIPTOR_NAMES, picture.descriptors.tolist(), strict=True))
    for name in WATCHED:  # to the last bit: values that pictures share must stay equal
        assert np.float32(kept["descriptors"][name]) == np.float32(numbers[name])
    assert kept["percentile"] == pytest.approx(picture.similarity.percentile)


def test_a_picture_is_written_once_and_no_name_at_all(
    project: Any, served_pictures: list[Image.Image], tmp_path: Path
) -> None:
    path = tmp_path / "secret-client.png"
    served_pictures[0].save(path)
    picture, log = QualityPredictor().picture(path), PredictionLog(tmp_path / "data")
    for _ in range(3):
        log.predicted(picture, MANY[:2], role="champion")
    assert len(of_kind(log, "picture")) == 1
    assert len(of_kind(log, "prediction")) == 6
    assert "secret" not in log.path.read_text()
    PredictionLog(tmp_path / "data").predicted(picture, MANY[:1], role="only")
    assert len(of_kind(log, "picture")) == 2  # another process does not know


def test_of_many_sets_a_sample_and_of_converted_ones_all(picture: Picture, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    assert log.predicted(picture, MANY, role="only") == KEPT
    assert log.predicted(picture, MANY, role="only", converted=True) == len(MANY)
    assert log.predicted(picture, [], role="only") == 0
    assert log.predicted(picture, [Parameters()] * 5, role="only") == 1
    assert {line["n_asked"] for line in of_kind(log, "prediction")} == {60, 1}


@settings(deadline=None)
@given(st.permutations(MANY), st.integers(1, 59))
def test_the_sample_does_not_depend_on_the_order(order: list[Parameters], n: int) -> None:
    chosen = sample("a" * 64, order, n)
    assert len(chosen) == n
    assert set(chosen) == set(sample("a" * 64, MANY, n))
    assert set(chosen) <= set(sample("a" * 64, MANY, n + 1))


def test_lines_of_many_threads_stay_whole(picture: Picture, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        done = threads.map(lambda k: log.predicted(picture, [MANY[k % 60]], role="only"), range(80))
        assert sum(done) == 80
    assert len(of_kind(log, "prediction")) == 80


PROGRAM = """
import sys
from pathlib import Path
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.serving.prediction_log import PredictionLog
log, picture = PredictionLog(Path(sys.argv[1])), QualityPredictor().picture(sys.argv[2])
print("ready", flush=True); input()
for chosen in sobol_sets(60, "full", int(sys.argv[3])):
    log.predicted(picture, [chosen], role="only")
"""


def test_lines_of_several_processes_stay_whole(
    project: Any, served_pictures: list[Image.Image], tmp_path: Path
) -> None:
    file = tmp_path / "logo.png"
    served_pictures[0].save(file)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path), str(file), str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for seed in (1, 2)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.communicate("\n")
        assert process.returncode == 0
    assert len(of_kind(PredictionLog(tmp_path), "prediction")) == 120


@pytest.mark.parametrize("left", ['{"kind": "predic', "x" * 200_000])
def test_what_a_kill_left_is_cut_off(picture: Picture, tmp_path: Path, left: str) -> None:
    log = PredictionLog(tmp_path)
    log.predicted(picture, MANY[:1], role="only")
    whole = log.path.read_text()
    with log.path.open("a") as file:
        file.write(left)
    assert len(list(log.lines())) == 2
    log.predicted(picture, MANY[1:2], role="only")
    text = log.path.read_text()
    assert text.startswith(whole)
    assert len(text.splitlines()) == 3
    assert [json.loads(line)["kind"] for line in text.splitlines()][1:] == ["prediction"] * 2


def test_a_file_of_one_unfinished_line_is_begun_anew(picture: Picture, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    log.path.parent.mkdir()
    log.path.write_text("{")
    log.predicted(picture, MANY[:1], role="only")
    assert len(list(log.lines())) == 2


def test_refusals(picture: Picture, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    assert list(log.lines()) == []
    log.path.parent.mkdir()
    for text in ("nothing\n", "[1]\n"):
        log.path.write_text(text)
        with pytest.raises(DatasetError, match=r"one JSON object a line, .* line 1 is none"):
            list(log.lines())
    log = PredictionLog(tmp_path, patience_s=0.05)
    with FileLock(f"{log.path}.lock"), pytest.raises(StorageError, match="another process holds"):
        log.predicted(picture, MANY[:1], role="only")
    (tmp_path / "file").touch()
    blocked = PredictionLog(tmp_path / "file")
    with pytest.raises(StorageError, match="a log must be writable"):
        blocked.predicted(picture, MANY[:1], role="only")
