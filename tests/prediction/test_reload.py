"""Another version in Production is noticed; nobody is ever answered by half a model."""

import json
import logging
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from svg_quality.errors import ModelError
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.tracking.store import open_store

MODEL = "svg-quality"
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with MLflow's tables: made once, since that takes seconds."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db")
        open_store().client.create_registered_model(MODEL)
    return folder / "mlruns" / "mlflow.db"


@pytest.fixture(autouse=True)
def project(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "mlruns" / "mlflow.db"
    copy.parent.mkdir()
    copy.write_bytes(empty_store.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy}")


def registered(bundle: Path) -> int:
    """A version of the registry, in Production."""
    model = bundle.parents[1]
    version = int(open_store().client.create_model_version(MODEL, str(model)).version)
    promote(version)
    return version


def promote(version: int, stage: str = "Production") -> None:
    with warnings.catch_warnings():  # stages are deprecated in favour of aliases
        warnings.filterwarnings("ignore", ".*transition_model_version_stage", FutureWarning)
        open_store().client.transition_model_version_stage(
            MODEL, str(version), stage, archive_existing_versions=stage == "Production"
        )


def ssim_of(bundle: Path) -> float:
    said = QualityPredictor(str(bundle)).predict(PICTURE).ssim
    assert said is not None
    return said


def wait_for(version: str, predictor: QualityPredictor) -> None:
    until = time.monotonic() + 20
    while predictor.availability().model_version != version:
        assert time.monotonic() < until, predictor.availability()
        time.sleep(0.01)


def test_a_newer_version_and_a_rollback_are_noticed_without_a_restart(
    bundle_folder: Path, other_bundle_folder: Path
) -> None:
    registered(bundle_folder)
    predictor = QualityPredictor(refresh_s=0)
    before = predictor.picture(PICTURE)
    assert predictor.predict(PICTURE).ssim == ssim_of(bundle_folder)
    registered(other_bundle_folder)
    wait_for("2", predictor)
    said = predictor.predict(PICTURE)
    assert (said.ssim, said.model_version) == (ssim_of(other_bundle_folder), "2")
    # what was asked for before stays what it was
    assert before.model_version == "1"
    assert before.score([said.parameters]).ssim[0] == ssim_of(bundle_folder)
    promote(1)
    wait_for("1", predictor)
    assert predictor.predict(PICTURE).ssim == ssim_of(bundle_folder)


def test_between_two_looks_nobody_looks(bundle_folder: Path, other_bundle_folder: Path) -> None:
    registered(bundle_folder)
    predictor = QualityPredictor(refresh_s=3600)
    registered(other_bundle_folder)
    time.sleep(0.2)
    assert predictor.predict(PICTURE).model_version == "1"
    assert predictor.refresh() is True
    assert predictor.predict(PICTURE).model_version == "2"
    assert predictor.refresh() is False


def test_the_first_version_is_noticed_where_there_was_none(bundle_folder: Path) -> None:
    predictor = QualityPredictor(refresh_s=0)
    assert predictor.predict(PICTURE).status == "unavailable"
    assert "none of svg-quality" in str(predictor.availability().reason)
    registered(bundle_folder)
    said = predictor.predict(PICTURE)  # at once: there is nobody else to answer
    assert (said.status, said.model_version) == ("ok", "1")
    assert predictor.availability().reason is None


def test_a_damaged_newer_version_is_left_out_and_said_so(
    bundle_folder: Path, make_bundle: Callable[[int], Path], caplog: pytest.LogCaptureFixture
) -> None:
    registered(bundle_folder)
    predictor = QualityPredictor(refresh_s=0)
    damaged = make_bundle(3)
    head = (damaged / "head.onnx").read_bytes()
    (damaged / "head.onnx").write_bytes(head[:-1])
    registered(damaged)
    with caplog.at_level(logging.WARNING):
        assert predictor.refresh() is False
        assert predictor.refresh() is False
    found = predictor.availability()
    assert (found.available, found.model_version) == (True, "1")
    assert "version 1 goes on answering: " in str(found.reason)
    assert "head.onnx is not" in str(found.reason)
    assert [record.getMessage() for record in caplog.records] == [found.reason]
    said = predictor.predict(PICTURE)
    assert (said.status, said.reason, said.ssim) == ("ok", None, ssim_of(bundle_folder))
    (damaged / "head.onnx").write_bytes(head)
    assert predictor.refresh() is True
    assert predictor.predict(PICTURE).model_version == "2"
    assert predictor.availability().reason is None


def test_a_newer_version_of_another_schema_is_left_out(
    bundle_folder: Path, make_bundle: Callable[[int], Path]
) -> None:
    registered(bundle_folder)
    predictor = QualityPredictor(refresh_s=3600)
    older = make_bundle(4)
    manifest = json.loads((older / "bundle.json").read_text())
    (older / "bundle.json").write_text(json.dumps(manifest | {"schema_version": 2}))
    registered(older)
    assert predictor.refresh() is False
    assert "must be of schema 3" in str(predictor.availability().reason)


def test_a_damaged_first_version_is_an_error_not_a_missing_model(
    make_bundle: Callable[[int], Path],
) -> None:
    predictor = QualityPredictor(refresh_s=0)
    damaged = make_bundle(5)
    (damaged / "conformal.json").unlink()
    registered(damaged)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"conformal\.json is not"):
            predictor.predict(PICTURE)
    found = predictor.availability()
    assert not found.available
    assert r"conformal.json is not" in str(found.reason)
    with pytest.raises(ModelError, match=r"conformal\.json is not"):
        QualityPredictor()


def test_with_nothing_in_production_any_more_the_loaded_version_goes_on(
    bundle_folder: Path,
) -> None:
    version = registered(bundle_folder)
    predictor = QualityPredictor(refresh_s=3600)
    promote(version, "Archived")
    assert predictor.refresh() is False
    found = predictor.availability()
    assert (found.available, found.model_version) == (True, "1")
    assert "1 (Archived)" in str(found.reason)
    assert predictor.predict(PICTURE).status == "ok"


def test_threads_are_answered_by_one_whole_version_or_the_other(
    bundle_folder: Path, other_bundle_folder: Path
) -> None:
    right = {"1": ssim_of(bundle_folder), "2": ssim_of(other_bundle_folder)}
    assert right["1"] != right["2"]
    for bundle in (bundle_folder, other_bundle_folder):
        registered(bundle)
    predictor = QualityPredictor(refresh_s=0)
    over = Event()

    def ask() -> list[tuple[str | None, float | None]]:
        answers = []
        while not over.is_set():
            said = predictor.predict(PICTURE)
            answers.append((said.model_version, said.ssim))
        return answers

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask) for _ in range(8)]
        try:
            for version in "1212":
                promote(int(version))
                wait_for(version, predictor)
        finally:
            over.set()
        answers = [answer for future in asked for answer in future.result()]
    assert {version for version, _ in answers} == {"1", "2"}
    assert all(right[str(version)] == ssim for version, ssim in answers)
