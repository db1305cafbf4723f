"""The predictor: what it answers, with what, and what it does where there is no model."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from svg_quality.conversion.images import WORKING_SIZE
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.errors import ImageError, ModelError, TrackingError
from svg_quality.features.inference import OnnxGraph
from svg_quality.prediction.answers import Prediction
from svg_quality.prediction.predictor import QualityPredictor

FIGURES = ("ssim", "ssim_low", "ssim_high", "interval", "svg_bytes", "bytes_low", "bytes_high")


@pytest.fixture
def predictor(bundle_folder: Path) -> QualityPredictor:
    return QualityPredictor(str(bundle_folder))


@pytest.fixture
def graph_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the graphs that run, in order; they run for real."""
    calls: list[str] = []
    run = OnnxGraph.__call__

    def noted(graph: OnnxGraph, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        calls.append(graph.path.stem)
        return run(graph, **inputs)

    monkeypatch.setattr(OnnxGraph, "__call__", noted)
    return calls


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_kind_of_image_is_the_same_picture(
    predictor: QualityPredictor, tmp_path: Path
) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(png(picture()))
    said = predictor.predict(path)
    assert said.image == str(path)
    others = (str(path), path.read_bytes(), picture(), Image.fromarray(picture()))
    for other in others:
        again = predictor.predict(other)
        assert [getattr(again, x) for x in FIGURES] == [getattr(said, x) for x in FIGURES]
    assert predictor.predict_batch([path, picture(1)]) == [said, predictor.predict(picture(1))]


def test_one_picture_scores_what_predict_sets_says(predictor: QualityPredictor) -> None:
    sets = sobol_sets(5, "full", 0)
    said, one = predictor.predict_sets(picture(), sets), predictor.picture(picture())
    scores = one.score(sets)
    assert [x.ssim for x in said] == scores.ssim.tolist()
    assert [x.parameters for x in said] == sets
    assert {x.interval for x in said} == {one.interval} == {0.9}
    assert {x.model_version for x in said} == {one.model_version}
    assert predictor.predict_sets(picture(), []) == []
    assert predictor.working_size == 512


def test_a_picture_unlike_the_training_logos_is_flagged(
    predictor: QualityPredictor, training_logos: SimpleNamespace
) -> None:
    assert predictor.predict(picture()).unlike_training is True
    known = training_logos.pictures[3]
    assert predictor.predict(known).unlike_training is False
    likeness = predictor.picture(known).similarity
    assert (likeness.percentile, likeness.nearest[0].image_id) == (0, training_logos.ids[3])


def test_features_are_computed_once_for_the_same_content(
    predictor: QualityPredictor, graph_calls: list[str]
) -> None:
    for image in (picture(), png(picture()), Image.fromarray(picture())):
        predictor.predict(image)
    assert graph_calls.count("backbone") == 1
    assert graph_calls.count("head") == 3
    predictor.predict(picture(1))
    assert graph_calls.count("backbone") == 2


def test_the_pictures_asked_for_last_are_remembered(
    predictor: QualityPredictor, graph_calls: list[str]
) -> None:
    grey = [np.full((16, 16, 3), tone, np.uint8) for tone in range(66)]  # two more than are kept
    for image in grey:
        predictor.predict(image)
        predictor.predict(grey[1])  # is used all the time; 0 and 2 are forgotten
    assert graph_calls.count("backbone") == 66
    predictor.predict(grey[3])
    predictor.predict(grey[65])
    assert graph_calls.count("backbone") == 66
    predictor.predict(grey[2])
    assert graph_calls.count("backbone") == 67


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Path("nowhere.png"), "an image must be readable, got nowhere.png"),
        (b"", "<0 bytes> is none"),
        (b"Dear reader, this is a letter", "<29 bytes> is none"),
        (png(picture())[:2000], "must decode whole, <2000 bytes> does not"),
        (np.zeros((0, 9, 3), np.uint8), "must have pixels, got 9 x 0"),
        (np.zeros((40, 40, 3)), r"uint8 \(H, W\[, 3 or 4\]\), got float64"),
        (np.zeros(40, np.uint8), r"uint8 \(H, W\[, 3 or 4\]\), got uint8 \(40,\)"),
        (np.zeros((5, 5, 3), np.uint8), "at least 11 px"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000)), "at most 100000000 pixels"),
        (Image.new("F", (40, 40)), "must state its range"),
        (Image.new("RGB", (0, 40)), "must have pixels, got 0 x 40"),
        (Image.open(io.BytesIO(png(picture())[:2000])), "must decode whole"),
        (3, "a path, bytes, an array or a PIL image, got int"),
    ],
)
def test_what_is_no_image_is_refused_with_or_without_a_model(
    image: Any, message: str, bundle_folder: Path
) -> None:
    for enabled in (True, False):
        with pytest.raises(ImageError, match=message):
            QualityPredictor(str(bundle_folder), enabled=enabled).predict(image)


def test_switched_off_it_says_so_in_the_same_shape(bundle_folder: Path) -> None:
    off = QualityPredictor(str(bundle_folder), enabled=False)
    said = off.predict(picture())
    assert (said.status, said.parameters) == ("unavailable", Parameters())
    assert said.reason == "predictions are switched off: predictor.enabled is false"
    assert said.model_version is None
    assert [getattr(said, name) for name in FIGURES] == [None] * len(FIGURES)
    assert said.unlike_training is None
    known = QualityPredictor(str(bundle_folder)).predict(picture())
    assert said.as_dict().keys() == known.as_dict().keys() == {x.name for x in fields(Prediction)}
    assert json.loads(json.dumps(said.as_dict()))["ssim"] is None
    sets = sobol_sets(3, "full", 0)
    assert [x.parameters for x in off.predict_sets(picture(), sets)] == sets
    assert off.refresh() is False
    off.warm_up()
    assert off.working_size == WORKING_SIZE
    assert not off.availability().available
    with pytest.raises(ModelError, match="switched off"):
        off.picture(picture())


def test_without_a_store_it_says_how_to_get_a_model(tmp_path: Path) -> None:
    predictor = QualityPredictor()
    found = predictor.availability()
    assert (found.available, found.model_name, found.model_version) == (False, "svg-quality", None)
    assert "run `mlflow run . -e main` first" in str(found.reason)
    assert predictor.predict(picture()).reason == found.reason
    with pytest.raises(ModelError, match="does not exist"):
        predictor.picture(picture())


def test_a_folder_that_is_not_there_is_a_missing_model(tmp_path: Path) -> None:
    said = QualityPredictor(str(tmp_path / "gone")).predict(picture())
    assert (said.status, said.model_name) == ("unavailable", "gone")


def test_a_folder_is_called_by_its_own_name(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle_folder)
    predictor = QualityPredictor(".")
    assert predictor.model_name == predictor.predict(picture()).model_name == bundle_folder.name


def test_a_malformed_address_is_an_error_not_a_missing_model() -> None:
    with pytest.raises(TrackingError, match="a stage must be one of"):
        QualityPredictor("models:/svg-quality/Prodution")


def test_a_damaged_bundle_is_refused(make_bundle: Callable[[int], Path]) -> None:
    folder = make_bundle(2)
    (folder / "reference.npz").write_bytes(b"0")
    with pytest.raises(ModelError, match=r"reference\.npz is not"):
        QualityPredictor(str(folder))


def test_warming_up_runs_both_graphs(predictor: QualityPredictor, graph_calls: list[str]) -> None:
    predictor.warm_up()
    assert sorted(graph_calls) == ["backbone", "head"]


def test_a_prediction_imports_none_of_the_heavy_libraries() -> None:
    heavy = ("torch", "torchvision", "pandas", "scipy", "sklearn", "mlflow", "optuna", "h5py")
    code = (
        "import sys, svg_quality.prediction.predictor\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
