"""The registered model as MLflow saves and loads it."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import svg_quality
from svg_quality.conversion.parameters import Parameters
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.prediction.signature import FIGURES, UNLIKE, model_signature


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning")
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")
def test_mlflow_loads_what_the_predictor_loads(
    bundle_folder: Path,
    training_logos: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    mlflow.pyfunc.save_model(
        str(tmp_path / "model"),
        python_model=str(Path(svg_quality.__file__).parent / "prediction" / "pyfunc.py"),
        artifacts={"bundle": str(bundle_folder)},
        signature=model_signature(),
        pip_requirements=["numpy"],
    )
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    images = [png(training_logos.pictures[0]), png(noise)]
    frame = pd.DataFrame({"image": images, "color_precision": [3.0, None]})
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert list(model.predict(frame.iloc[:0]).columns) == [*FIGURES, UNLIKE]
    said = model.predict(frame)
    assert list(said.columns) == [*FIGURES, UNLIKE]
    assert said[UNLIKE].tolist() == [False, True]
    predictor = QualityPredictor(str(bundle_folder))
    sets = [Parameters(color_precision=3), Parameters()]
    expected = [predictor.predict(*asked) for asked in zip(images, sets, strict=True)]
    assert said["ssim"].tolist() == [one.ssim for one in expected]
    assert said["svg_bytes"].round().tolist() == [one.svg_bytes for one in expected]
