"""Batches that fail: halved, until what cannot be done is alone; each picture counted once."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svg_quality.errors import ModelError
from svg_quality.features import extraction as door
from svg_quality.features.extraction import Extraction, extract_features
from svg_quality.features.failures import count_failures
from svg_quality.features.preprocessing import MEAN, STD
from svg_quality.features.store import FeatureStore


class Pretend:
    """In place of a graph: the colour in the middle; what it refuses is told by the pixels."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most  # pictures that memory suffices for
        self.sizes: list[int] = []

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.sizes.append(len(images))
        if len(images) > self.most:
            raise MemoryError("Failed to allocate memory for requested buffer of size 9")
        means = images[:, :, 112, 112] * STD + MEAN
        if (means[:, 0] > 0.9).any():  # a red picture
            raise ModelError("an ONNX graph must run, this one does not: red")
        means[means[:, 1] > 0.9, 2] = np.nan  # a green one
        return {"features": means}


COLOURS = {"black": (0, 0, 0), "red": (0, 0, 255), "green": (0, 255, 0)}  # BGR


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name, colour in COLOURS.items():
        cv2.imwrite(str(folder / f"{name}.png"), np.full((20, 20, 3), colour, np.uint8))
    (folder / "broken.png").write_bytes((folder / "red.png").read_bytes()[:40])
    cv2.imwrite(str(folder / "tiny.png"), np.zeros((3, 3, 3), np.uint8))
    return folder


def run(
    graph: Pretend, pictures: Path, kinds: list[str], store: FeatureStore, batch_size: int
) -> tuple[Extraction, list[int]]:
    paths = {f"{n:03d}": pictures / f"{kind}.png" for n, kind in enumerate(kinds)}
    seen: list[int] = []
    done = extract_features(
        paths, graph, "k", store,  # type: ignore[arg-type]
        working_size=512, batch_size=batch_size, on_images=seen.append,
    )  # fmt: skip
    return done, seen


@settings(max_examples=15, deadline=None)
@given(
    kinds=st.lists(st.sampled_from([*COLOURS, "broken", "tiny", "missing"]), max_size=20),
    batch_size=st.integers(1, 9),
    most=st.integers(1, 9),
)
def test_whatever_fails_every_good_picture_has_its_row(
    kinds: list[str],
    batch_size: int,
    most: int,
    pictures: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    done, seen = run(Pretend(most), pictures, kinds, store, batch_size)
    good = [f"{n:03d}" for n, kind in enumerate(kinds) if kind == "black"]
    assert store.missing("k", good) == []
    if good:
        assert store.read("k", good) == pytest.approx(np.zeros((len(good), 3)), abs=1e-6)
    assert (done.n_computed, done.n_reused) == (len(good), 0)
    assert sum(seen) == len(kinds)
    wanted = {"red": "backbone", "green": "not_finite", "tiny": "too_small",
              "broken": "unreadable", "missing": "unreadable"}  # fmt: skip
    expected = {f"{n:03d}": wanted[kind] for n, kind in enumerate(kinds) if kind in wanted}
    assert {name: failure.category for name, failure in done.failed.items()} == expected
    assert sum(count_failures(done.failed.values()).values()) == len(expected)


def test_memory_halves_the_batch_for_good_and_says_so(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    graph = Pretend(most=3)
    with caplog.at_level(logging.WARNING):
        done, _ = run(graph, pictures, ["black"] * 20, FeatureStore(tmp_path), 10)
    assert graph.sizes == [10, 5, 2, *[2] * 9]
    assert (done.n_computed, done.batch_size) == (20, 2)
    assert "Memory ran out: batches of 2 pictures from here on" in caplog.text


def test_a_picture_the_graph_fails_on_does_not_make_later_batches_small(
    pictures: Path, tmp_path: Path
) -> None:
    graph = Pretend()
    done, _ = run(graph, pictures, ["red", *["black"] * 7], FeatureStore(tmp_path), 4)
    assert graph.sizes == [4, 2, 1, 1, 1, 1, 4]
    assert done.batch_size == 4


def test_without_memory_for_one_picture_it_is_a_failure_with_a_reason(
    pictures: Path, tmp_path: Path
) -> None:
    done, _ = run(Pretend(most=0), pictures, ["black"] * 2, FeatureStore(tmp_path), 2)
    assert done.n_computed == 0
    assert count_failures(done.failed.values())["out_of_memory"] == 2
    assert "must fit into memory" in done.failed["000"].reason


def test_a_picture_that_memory_did_not_suffice_for_is_read_again_alone(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []
    real = door.load_image

    def load(path: Path, working_size: int) -> object:
        tried.append(path)
        if path.name == "red.png" or tried.count(path) == 1:
            raise MemoryError
        return real(path, working_size)

    monkeypatch.setattr(door, "load_image", load)
    done, _ = run(Pretend(), pictures, ["black", "red"], FeatureStore(tmp_path), 2)
    assert done.n_computed == 1
    assert done.failed["001"].category == "out_of_memory"


def test_speed_and_memory_are_told(pictures: Path, tmp_path: Path) -> None:
    done, _ = run(Pretend(), pictures, ["black"] * 5, FeatureStore(tmp_path), 2)
    assert done.images_per_second == pytest.approx(5 / done.seconds)
    assert 20 < done.peak_memory_mib < 100_000
    again, seen = run(Pretend(), pictures, ["black"] * 5, FeatureStore(tmp_path), 2)
    assert seen == []
    assert (again.n_reused, again.images_per_second) == (5, 0)
    _, seen = run(Pretend(), pictures, ["black"] * 8, FeatureStore(tmp_path), 2)
    assert sum(seen) == 3


# A graph whose middle takes 51 MB a picture, in a process that may take 400 MiB more than it has.
PROGRAM = """
import json, resource, sys
from pathlib import Path
import numpy as np, onnx, psutil
from onnx import TensorProto, helper, numpy_helper
from svg_quality.features.extraction import extract_features
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.store import FeatureStore
folder = Path(sys.argv[1])
weights = np.random.default_rng(0).normal(size=(256, 3, 1, 1)).astype(np.float32)
nodes = [helper.make_node("Conv", ["images", "w"], ["wide"]),
         helper.make_node("Sin", ["wide"], ["bent"]),
         helper.make_node("GlobalAveragePool", ["bent"], ["pooled"]),
         helper.make_node("Flatten", ["pooled"], ["features"])]
value = helper.make_tensor_value_info
model = helper.make_model(helper.make_graph(nodes, "g",
    [value("images", TensorProto.FLOAT, ["b", 3, 224, 224])],
    [value("features", TensorProto.FLOAT, ["b", 256])], [numpy_helper.from_array(weights, "w")]),
    opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.save(model, folder / "wide.onnx")
graph = OnnxGraph(folder / "wide.onnx", n_threads=1)
graph(images=np.zeros((1, 3, 224, 224), np.float32))
paths = {str(n): path for n, path in enumerate([folder / "black.png"] * 8)}
have = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (have + 400 * 2**20,) * 2)
done = extract_features(paths, graph, "k", FeatureStore(folder / "store"), working_size=512,
                        batch_size=8)
print(json.dumps([done.n_computed, done.batch_size, len(done.failed)]))
"""


@pytest.mark.slow
def test_a_process_that_may_not_take_more_memory_finishes_with_smaller_batches(
    pictures: Path, tmp_path: Path
) -> None:
    """ONNX Runtime's own failure to allocate, not a pretended one."""
    (tmp_path / "black.png").write_bytes((pictures / "black.png").read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    n_computed, batch_size, n_failed = json.loads(done.stdout.splitlines()[-1])
    assert (n_computed, n_failed) == (8, 0)
    assert batch_size < 8
    assert "Memory ran out" in done.stderr
