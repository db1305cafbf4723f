"""`extract` on small logos: two precisions, broken pictures, and what it tells of both."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from svg_quality.cli import main
from svg_quality.conversion.images import load_image
from svg_quality.dataset.releases.release import read_release
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.preprocessing import preprocess
from svg_quality.features.store import FeatureStore
from svg_quality.tracking.lookup import FinishedRun, newest_finished

pytestmark = pytest.mark.slow
Enter = Callable[[Path, pytest.MonkeyPatch], None]
N_LOGOS = 12
COMMAND = ["extract", "--weights", "random", "--batch-size", "5"]


@pytest.fixture(scope="module")
def project(
    new_project: Callable[[], Path],
    draw_logos: Callable[[Path, int], None],
    enter: Enter,
    convert_small: list[str],
) -> Path:
    """A checkout with a release of small logos, of which one of the training split is broken."""
    folder = new_project()
    draw_logos(folder, N_LOGOS)
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        assert main(convert_small) == 0
        assert main(["dataset"]) == 0
        images = read_release(newest_finished("dataset").output_path).images
        first = sorted(images.index[images["split"] == "train"])[0]
        (folder / "data" / "logos" / images.loc[first, "image_path"]).write_bytes(b"broken")
    return folder


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


@pytest.fixture(scope="module")
def finished(project: Path, enter: Enter) -> FinishedRun:
    """The run with precision auto, made once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        enter(project, patch)
        assert main([*COMMAND, "--precision", "auto"]) == 0
        return newest_finished("extract")


def summary(run: FinishedRun) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run.artifact("extraction.json").read_text())
    return told


def test_auto_keeps_both_precisions_apart(finished: FinishedRun, project: Path) -> None:
    told = summary(finished)
    assert (told["precision"], told["fit"], told["weights"]) == ("fp32", "pad", "random")
    assert told["fingerprint"] != told["int8"]["fingerprint"]
    sizes = [(project / each["backbone"]).stat().st_size for each in (told, told["int8"])]
    assert sizes[1] < 0.3 * sizes[0]
    assert 0.9 < finished.metrics["int8.cosine_min"] <= finished.metrics["int8.cosine_mean"] < 1.001
    assert not list((project / "data" / "backbones").glob("*[!x]"))  # nothing unfinished


def test_each_row_is_what_its_backbone_gives_for_the_picture(
    finished: FinishedRun, project: Path
) -> None:
    told, store = summary(finished), FeatureStore(project / "data" / "features")
    images = read_release(project / told["release"]).images
    image_id = str(next(i for i in images.index if i not in told["failed"]))
    picture = load_image(project / "data" / "logos" / images.loc[image_id, "image_path"])
    for each in (told, told["int8"]):
        graph = OnnxGraph(project / each["backbone"])
        said = graph(images=preprocess(picture.rgb)[None])["features"][0]
        row = store.read(each["fingerprint"], [image_id])[0]
        assert np.abs(row - said).max() < 0.05 * np.abs(said).max()


def test_a_broken_picture_is_a_reason_and_a_count(finished: FinishedRun) -> None:
    told = summary(finished)
    assert len(told["failed"]) == 1
    assert "is none" in next(iter(told["failed"].values()))
    assert told["errors"]["unreadable"] == 1
    assert sum(told["errors"].values()) == 1
    metrics = finished.metrics
    assert (metrics["errors.unreadable"], metrics["images_failed"]) == (1, 1)
    assert metrics["images_computed"] == metrics["int8.images_computed"] == N_LOGOS - 1
    assert metrics["images_per_second"] > 0
    assert metrics["peak_process_memory_mib"] > 100


def test_nothing_is_computed_twice_and_one_precision_can_be_asked_for(
    finished: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*COMMAND, "--precision", "int8"]) == 0
    again, told = newest_finished("extract"), summary(finished)
    assert summary(again)["fingerprint"] == told["int8"]["fingerprint"]
    assert summary(again)["precision"] == "int8"
    assert summary(again)["int8"] is None
    assert (again.metrics["images_computed"], again.metrics["images_reused"]) == (0, N_LOGOS - 1)
    said, shown = capsys.readouterr()
    assert f"| {N_LOGOS - 1}/{N_LOGOS} [" in shown
    assert f"| 0/{N_LOGOS} [" not in shown
    assert f"features of {N_LOGOS - 1} of {N_LOGOS} images ({N_LOGOS - 1} were there" in said
    assert "unreadable: 1, the first: an image must be" in said


def test_another_fit_is_another_backbone(finished: FinishedRun) -> None:
    assert main([*COMMAND, "--precision", "fp32", "--fit", "stretch"]) == 0
    other = newest_finished("extract")
    assert summary(other)["fit"] == "stretch"
    assert summary(other)["fingerprint"] != summary(finished)["fingerprint"]
    assert other.metrics["images_computed"] == N_LOGOS - 1
    assert other.output_digest != finished.output_digest


def test_a_file_of_weights_is_taken(finished: FinishedRun, project: Path, tmp_path: Path) -> None:
    import torch

    from svg_quality.features.backbone import ResNetFeatureExtractor, save_weights

    torch.manual_seed(3)
    path = tmp_path / "tuned.safetensors"
    save_weights(ResNetFeatureExtractor(), path)
    assert main(["extract", "--weights", str(path), "--precision", "fp32"]) == 0
    assert summary(newest_finished("extract"))["weights"] == str(path)
