"""`promote` and `rollback` on bundles of really trained heads: who gets in, who not, and why."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image, ImageDraw

from svg_quality.cli import main
from svg_quality.dataset.releases.release import Release, make_release, read_release
from svg_quality.errors import ModelError
from svg_quality.features.extraction import extract_features
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.store import FeatureStore
from svg_quality.model.exporting.export import export_head
from svg_quality.model.quality_head import HeadConfig, QualityHead
from svg_quality.model.uncertainty import Conformal, calibrate
from svg_quality.prediction.bundle import Bundle, write_bundle
from svg_quality.prediction.reference import reference_of
from svg_quality.settings import PromoteSettings
from svg_quality.stages.dataset.convert import descriptors_kind
from svg_quality.stages.learning.assess import ImageInputs
from svg_quality.stages.using.promote import GATES, stays_out
from svg_quality.tracking.identity import Work
from svg_quality.tracking.ledger import Entry
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.production import FOUND, ledger_path, production
from svg_quality.tracking.registry import MODEL, put_in_production
from svg_quality.tracking.resolve import resolve, versions_from_client
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import open_store, tracking_uri
from svg_quality.training.recipe import Recipe, fit_head
from svg_quality.training.rows import Rows
from svg_quality.training.trainer import TrainingConfig, predict_rows

pytestmark = pytest.mark.slow
Enter = Callable[[Path, pytest.MonkeyPatch], None]
CONVERT = [
    "convert", "--logos", "logos", "--excluded", "", "--max-logos", "0", "--jpeg-share", "0",
    "--sets-per-image", "4", "--n-workers", "2",
]  # fmt: skip
FINGERPRINT = "f" * 64
N_LOGOS = 240


def write_backbone(path: Path) -> None:
    """One of 48 features: the mean colours of a picture's sixteen parts."""
    ends = [("images", ["n", 3, 224, 224]), ("features", ["n", 48])]
    described = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, s) for name, s in ends]
    nodes = [
        helper.make_node("AveragePool", ["images"], ["m"], kernel_shape=[56, 56], strides=[56, 56]),
        helper.make_node("Flatten", ["m"], ["features"]),
    ]
    graph = helper.make_graph(nodes, "pooled", described[:1], described[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


@dataclass(frozen=True)
class World:
    """A converted dataset and everything that bundles are made of."""

    folder: Path
    release: Release
    backbone: Path
    poor: QualityHead  # two epochs
    good: QualityHead  # many
    validation: Rows
    groups: np.ndarray

    def bundle(
        self, name: str, head: QualityHead, narrower: float = 1.0, release: Release | None = None
    ) -> Path:
        """A bundle of a head, calibrated on the validation split, as MLflow lays it out."""
        folder = self.folder / "models" / name
        if folder.exists():
            return folder
        graph = self.folder / f"{name}.onnx"
        export_head(head, graph)
        said, rows = predict_rows(head, self.validation), self.validation
        made = {
            "ssim": calibrate(
                rows.ssim, said.ssim.numpy(), said.ssim_spread.numpy(), self.groups, 0.9
            ),
            "log_bytes": calibrate(
                rows.log_bytes, said.log_bytes.numpy(), said.log_bytes_spread.numpy(), self.groups,
                0.9, floor=0.01, limits=(-np.inf, np.inf),
            ),
        }  # fmt: skip
        intervals: dict[str, Conformal] = {
            name: dataclasses.replace(one, quantile=one.quantile * narrower)
            for name, one in made.items()
        }
        of = release or self.release
        descriptors = np.random.default_rng(0).normal(size=(4, _n_descriptors(self)))
        write_bundle(
            folder / "artifacts" / "bundle",
            backbone=self.backbone, head=graph, intervals=intervals,
            reference=reference_of(
                ["a" * 64, "b" * 64, "c" * 64, "d" * 64], np.arange(4),
                descriptors.astype(np.float32), np.arange(4), [_default()] * 4, np.ones(4),
                np.ones(4),
            ),
            facts={
                "backbone": {"fingerprint": FINGERPRINT, "precision": "fp32", "weights": "pooled",
                             "fit": "pad"},
                "dataset": {"name": of.name, "version": of.version, "digest": of.digest},
                "working_size": 512, "settings": {}, "versions": {"name": name},
            },
        )  # fmt: skip
        return folder


def _default():  # type: ignore[no-untyped-def]
    from svg_quality.conversion.parameters import Parameters

    return Parameters()


def _n_descriptors(world: World) -> int:
    store = FeatureStore(world.folder / "data" / "features")
    return store.read(descriptors_kind(512), [world.release.images.index[0]]).shape[1]


def draw(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(N_LOGOS):
        picture = Image.new("RGB", (40, 40), "white")
        pen = ImageDraw.Draw(picture)
        for _ in range(4):
            (left, right), (top, bottom) = np.sort(rng.integers(0, 40, (2, 2)), axis=1).tolist()
            colour = tuple(rng.integers(0, 230, 3).tolist())
            shape = pen.ellipse if rng.random() < 0.5 else pen.rectangle
            shape((left, top, right + 3, bottom + 3), fill=colour)
        path = folder / "logos" / ("simple", "text", "gradient", "complex")[number % 4]
        path.mkdir(parents=True, exist_ok=True)
        picture.save(path / f"{number}.png")


@pytest.fixture(scope="module")
def world(new_project: Callable[[], Path], enter: Enter) -> World:
    folder = new_project()
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        draw(folder)
        assert main(CONVERT) == 0
        assert main(["dataset", "--no-quality", "--name", "tiny"]) == 0
        release = read_release(newest_finished("dataset").output_path)
    backbone = folder / "backbone.onnx"
    write_backbone(backbone)
    store = FeatureStore(folder / "data" / "features")
    paths = {
        str(image_id): folder / "data" / "logos" / place
        for image_id, place in release.images["image_path"].items()
        if release.images.loc[image_id, "split"] != "test"  # `promote` computes those
    }
    extract_features(
        paths, OnnxGraph(backbone), FINGERPRINT, store, working_size=512, batch_size=32
    )
    inputs = ImageInputs(store, FINGERPRINT, descriptors_kind(512))
    train, validation = (inputs.rows(release.rows(split)) for split in ("train", "validation"))
    heads = [
        fit_head(train, validation, Recipe(
            HeadConfig(d_features=48, d_bottleneck=2, hidden_dims=(48,), n_members=2),
            TrainingConfig(epochs=epochs), batch_size=64,
        ))[0].eval()
        for epochs in (2, 25)
    ]  # fmt: skip
    groups = release.rows("validation")["image_id"].map(release.images["group"]).to_numpy()
    return World(folder, release, backbone, *heads, validation, groups)


@pytest.fixture(scope="module")
def empty(world: World, new_project: Callable[[], Path], enter: Enter) -> Path:
    """A project on the same data with a run of `train` and without a version."""
    folder = new_project()
    (folder / "data").symlink_to(world.folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        open_store().client.create_registered_model(MODEL)
        with stage_run(Work("train", {})) as run:
            run.set_tags({"model.version": "1"})
            run.set_output("0" * 64)
    return folder


@pytest.fixture
def project(empty: Path, tmp_path: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of its own for each test; making a store takes seconds, copying it does not."""
    shutil.copytree(empty, tmp_path, symlinks=True, dirs_exist_ok=True)
    enter(tmp_path, monkeypatch)
    return tmp_path


def registered(*models: Path) -> None:
    """Versions of these models, numbered from the next one."""
    client = open_store().client
    for number, model in enumerate(models):
        client.create_model_version(MODEL, str(model), run_id=f"{number:032x}")


def entries() -> list[Entry]:
    with production() as now:
        assert now.fault == ""
        return list(now.entries)


def there() -> str | None:
    return resolve("models:/svg-quality/Production").version


def promote(version: int, *options: str) -> int:
    return main(["promote", "--version", str(version), *options])


def gates_of(entry: Entry) -> dict[str, bool]:
    return {gate["name"]: gate["passed"] for gate in entry.gates}


def test_the_first_then_a_better_one_then_the_worse_is_refused(
    world: World, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registered(world.bundle("poor", world.poor), world.bundle("good", world.good))
    assert promote(1) == 0
    assert promote(1) == 0
    assert "is in stage Production already, since " in capsys.readouterr().out
    assert promote(2) == 0
    assert there() == "2"
    assert "version 2 is in stage Production, instead of version 1" in capsys.readouterr().out
    assert promote(1) == 3
    said = capsys.readouterr().err
    assert "version 1 does not, so version 2 remains there: it errs more: mean absolute" in said
    assert there() == "2"
    first, second, third = entries()
    assert (first.event, gates_of(first)) == (
        "promoted", {"answered": True, "sane": True, "covers": True}
    )  # fmt: skip
    assert first.reason.startswith("the first in Production; ")
    assert (second.event, set(gates_of(second).values())) == ("promoted", {True})
    names = ["unseen", "answered", "sane", "better", "covers", "not_slower"]
    assert list(gates_of(second)) == names
    assert (third.event, gates_of(third)["better"]) == ("refused", False)
    figures = second.gates[3]["figures"]["differences"]["full"]["ssim"]
    assert figures["high"] < 0
    run = open_store().client.get_run(third.run)
    assert (run.info.status, run.data.tags["promotion"]) == ("FAILED", "refused")
    kept = json.loads((Path(run.info.artifact_uri) / GATES).read_text())
    assert kept == list(third.gates)
    assert run.data.metrics["better.passed"] == 0


def test_errors_are_those_of_an_independent_reckoning(world: World, project: Path) -> None:
    """MAE over the test rows, by ONNX Runtime and NumPy alone."""
    registered(world.bundle("poor", world.poor), world.bundle("good", world.good))
    assert promote(1) == promote(2) == 0
    told = entries()[1].gates[3]["figures"]["differences"]["full"]["ssim"]
    frame = world.release.rows("test")
    inputs = ImageInputs(
        FeatureStore(project / "data" / "features"), FINGERPRINT, descriptors_kind(512)
    )
    rows = inputs.rows(frame)
    for name, key in (("poor", "reference"), ("good", "contender")):
        graph = OnnxGraph(world.folder / f"{name}.onnx")
        said = graph(features=rows.features[rows.image_index], tabular=rows.tabular)["ssim"]
        assert told[key] == pytest.approx(np.abs(said - frame["ssim"]).mean(), abs=1e-5)


def test_the_same_model_is_no_difference_and_the_same_bundle_is_let_in(
    world: World, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = world.bundle("good-renamed", world.good)  # other facts, so another digest
    registered(world.bundle("good", world.good), again, world.bundle("good", world.good))
    assert promote(1) == 0
    assert promote(2) == 3
    assert "it is not shown to err less: mean absolute error of SSIM 0." in capsys.readouterr().err
    assert promote(3) == 0
    assert there() == "3"
    assert entries()[-1].reason == "the very model of version 1, registered again"


def test_one_whose_intervals_are_too_narrow_is_refused(
    world: World, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registered(world.bundle("poor", world.poor), world.bundle("narrow", world.good, 0.25))
    assert promote(1) == 0
    assert promote(2) == 3
    assert "its intervals of SSIM promise 90% and hold" in capsys.readouterr().err
    refused = [name for name, passed in gates_of(entries()[-1]).items() if not passed]
    assert refused == ["covers"]
    assert promote(2, "--force", "--reason", "a fair is on") == 0
    forced = entries()[-1]
    assert (forced.event, there()) == ("forced", "2")
    assert forced.reason.startswith("a fair is on; although its intervals of SSIM promise 90%")


def test_the_first_must_cover_too(world: World, project: Path) -> None:
    registered(world.bundle("narrow", world.good, 0.25))
    assert promote(1) == 3
    assert [entry.event for entry in entries()] == ["refused"]
    with production() as now:
        assert now.champion is None


def test_one_that_is_better_but_much_slower_is_refused(world: World, project: Path) -> None:
    """The same head 40 times over says the same, and takes longer."""
    small = world.good.config
    big = QualityHead(dataclasses.replace(small, n_members=small.n_members * 40)).eval()
    weights = {}
    for name, value in world.good.state_dict().items():
        part, _, rest = name.partition(".")
        if part in ("ensemble", "interpolations"):
            member, _, rest = rest.partition(".")
            for copy in range(40):
                weights[f"{part}.{int(member) + copy * small.n_members}.{rest}"] = value
        else:
            weights[name] = value
    big.load_state_dict(weights)
    registered(world.bundle("poor", world.poor), world.bundle("big", big))
    assert promote(1) == 0
    assert promote(2, "--max-slowdown", "0.1") == 3
    refused = entries()[-1]
    assert [name for name, passed in gates_of(refused).items() if not passed] == ["not_slower"]
    assert "times as long (95% interval" in refused.reason


def test_test_logos_that_the_challenger_learned_from_do_not_count(
    world: World, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_release(
        world.release.conversions.drop(columns=["split", "fold"]), project / "data" / "releases",
        "tiny", "other", max_distance=6, seed=7,
    )  # fmt: skip
    test = world.release.images.query("split == 'test'").index
    n_seen = int((other.images.loc[test, "split"] != "test").sum())
    assert n_seen > len(test) - 10  # else the test would not refuse
    leaking = world.bundle("leaking", world.good, release=other)
    registered(world.bundle("poor", world.poor), leaking)
    assert promote(1) == 0
    assert promote(2) == 3
    said = capsys.readouterr().err
    left = len(test) - n_seen
    assert f"at least 10 distinct test logos must tell, and there are {left}" in said
    assert f"{n_seen} pictures left out, the challenger learned from them" in said


def test_without_the_release_nothing_is_measured_and_force_still_works(
    world: World, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = dataclasses.replace(world.release, version="gone", digest="0" * 64)
    registered(world.bundle("good", world.good), world.bundle("of-gone", world.good, release=gone))
    assert promote(1) == 0
    assert promote(2) == 3
    assert "the gates could not be measured: " in capsys.readouterr().err
    assert promote(2, "--force", "--reason", "the release was lost") == 0
    assert there() == "2"


def test_a_champion_that_cannot_be_loaded_is_nobody_to_beat(world: World, project: Path) -> None:
    broken = project / "broken"
    shutil.copytree(world.bundle("good", world.good), broken)
    registered(broken, world.bundle("poor", world.poor))
    assert promote(1) == 0
    (broken / "artifacts" / "bundle" / "head.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelError):
        Bundle(broken / "artifacts" / "bundle")
    assert promote(2) == 0
    assert "version 1 cannot be loaded any more: a bundle must be as" in entries()[-1].reason
    assert promote(1) == 2  # and it does not come back


def test_a_champion_is_replaced_by_force_though_its_files_and_all_releases_are_lost(
    world: World, project: Path
) -> None:
    broken = project / "broken"
    shutil.copytree(world.bundle("good", world.good), broken)
    gone = dataclasses.replace(world.release, version="gone", digest="0" * 64)
    registered(broken, world.bundle("of-gone", world.good, release=gone))
    assert promote(1) == 0
    shutil.rmtree(broken)
    assert promote(2) == 3
    assert gates_of(entries()[-1]) == {"better": True, "measured": False}
    assert promote(2, "--force", "--reason", "all is lost") == 0
    assert (entries()[-1].event, there()) == ("forced", "2")


def test_a_champion_that_cannot_be_fetched_is_somebody_to_beat(
    world: World, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files lie on a server that does not answer now."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = open_store().client
    away = "http://127.0.0.1:9/api/2.0/mlflow-artifacts/artifacts/model"
    client.create_model_version(MODEL, away, run_id="a" * 32)
    put_in_production(open_store(), 1)
    registered(world.bundle("good", world.good))
    assert promote(2) == 3
    assert gates_of(entries()[-1]) == {"measured": False}
    assert entries()[-1].reason.startswith("the gates could not be measured: version 1 of svg-q")


def test_rollback_goes_one_further_back_each_time(
    world: World, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registered(*[world.bundle("good", world.good)] * 4)
    for version in (1, 2, 3, 4):
        assert promote(version) == 0
    open_store().client.delete_model_version(MODEL, "2")
    assert main(["rollback", "--reason", "icons look bad"]) == 0
    assert there() == "3"
    assert main(["rollback"]) == 0
    said = capsys.readouterr().out
    assert "version 2 was there before, but is registered no more" in said
    assert "version 1 is in stage Production again, instead of version 3" in said
    assert main(["rollback"]) == 2
    assert "before version 1, and the history names none" in capsys.readouterr().err
    assert there() == "1"
    told = [(e.event, e.version and e.version.version, e.reason) for e in entries()[4:]]
    assert told == [("rolled back", 3, "icons look bad"), ("rolled back", 1, "no reason given")]
    kept_out = stays_out("4", PromoteSettings())
    assert kept_out.startswith("version 4 stays out of Production, version 1 remains there: it was")
    assert "icons look bad; `svg-quality promote --version 4` asks the gates again" in kept_out
    assert stays_out("1", PromoteSettings()) == ""


def test_main_does_not_ask_again_what_was_refused(world: World, project: Path) -> None:
    registered(world.bundle("good", world.good), world.bundle("poor", world.poor))
    assert promote(1) == 0
    assert stays_out("2", PromoteSettings()) == ""
    assert promote(2) == 3
    kept_out = stays_out("2", PromoteSettings())
    assert "version 2 stays out of Production, version 1 remains there: refused on" in kept_out
    assert stays_out("2", PromoteSettings(n_draws=500)) == ""  # by other rules


def test_two_promotions_at_once_leave_one_in_production_and_both_lines(
    world: World, project: Path
) -> None:
    registered(*[world.bundle("good", world.good)] * 2)
    program = "import sys; from svg_quality.cli import main; sys.exit(main(sys.argv[1:]))"
    both = [
        subprocess.Popen([sys.executable, "-c", program, "promote", "--version", version])
        for version in ("1", "2")
    ]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    first, second = entries()
    assert {first.event, second.event} == {"promoted"}
    assert first.version is not None
    assert second.version is not None
    assert second.instead_of == first.version
    assert there() == str(second.version.version)
    assert second.gates[0]["name"] == "same"  # measured again, against the faster one
    stages = [one.stage for one in versions_from_client(tracking_uri(), MODEL)]
    assert sorted(stages) == ["Archived", "Production"]


def test_killed_between_registry_and_ledger_the_next_command_says_so(
    world: World, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registered(world.bundle("good", world.good))
    program = (
        "import os, signal, sys; from svg_quality.tracking import ledger\n"
        "ledger.Ledger.append = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from svg_quality.cli import main; main(['promote', '--version', '1'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=os.environ)
    assert done.returncode == -9, done.stderr
    assert there() == "1"
    assert not ledger_path().exists()
    assert main(["history"]) == 0
    assert "found        now" in capsys.readouterr().out
    (line,) = entries()
    assert (line.event, line.reason) == ("found", FOUND)
