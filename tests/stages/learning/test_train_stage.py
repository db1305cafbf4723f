"""`train` on a small project: what it keeps, resuming after SIGKILL, and which backbone ships."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from tensorboard.backend.event_processing import (  # type: ignore[import-untyped]
    event_accumulator,
)

from svg_quality.cli import main
from svg_quality.dataset.releases.release import read_release
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.store import FeatureStore
from svg_quality.model.uncertainty import calibrate
from svg_quality.prediction.bundle import BACKBONE, HEAD, MANIFEST, Bundle
from svg_quality.settings import TrainSettings
from svg_quality.stages.learning import shipping
from svg_quality.stages.learning.assess import ImageInputs
from svg_quality.stages.learning.recipe import recipe_of
from svg_quality.tracking.lookup import FinishedRun, finished_run, newest_finished
from svg_quality.tracking.resolve import resolve
from svg_quality.tracking.store import open_store

pytestmark = pytest.mark.slow
SMALL = ["train", "--config", "small.yaml"]


@pytest.fixture(scope="module")
def project(new_released: Callable[[], Path], enter: Callable[..., None]) -> Path:
    folder, patch = new_released(), pytest.MonkeyPatch()
    enter(folder, patch)
    (folder / "small.yaml").write_text("train: {epochs: 10, hidden_dims: '16', n_members: 2}\n")
    assert main(["extract", "--weights", "random"]) == 0
    assert main(SMALL) == 0
    patch.undo()
    return folder


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    enter(project, monkeypatch)


@pytest.fixture
def finished(own_store: None, project: Path) -> FinishedRun:
    store = open_store()
    runs = store.client.search_runs(
        [store.experiment_id], "tags.stage = 'train'", order_by=["attributes.start_time ASC"]
    )
    return finished_run(runs[0].info.run_id)


def test_a_registered_model_asks_for_every_library_it_imports(finished: FinishedRun) -> None:
    """`mlflow models serve` in an environment of its own installs these and nothing else."""
    program = (
        "import ast, pathlib, sys\n"
        "import svg_quality.prediction.pyfunc\n"
        "ours = [m.__file__ for n, m in sys.modules.items() if n.startswith('svg_quality')\n"
        "        and not n.startswith('svg_quality.tracking')]  # MLflow's own plugin\n"
        "for file in ours:\n"
        "    for node in ast.walk(ast.parse(pathlib.Path(file).read_text())):\n"
        "        if isinstance(node, ast.Import): print(*[a.name for a in node.names], sep='\\n')\n"
        "        if isinstance(node, ast.ImportFrom): print(node.module)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    imported = {line.split(".")[0] for line in done.stdout.split()}
    named = packages_distributions()
    wanted = {x.lower().replace("_", "-") for name in imported for x in named.get(name, [])}
    model = Path(resolve(f"models:/svg-quality/{finished.tags['model.version']}").path).parents[1]
    lines = (model / "requirements.txt").read_text().splitlines()
    asked = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    assert "vtracer" in wanted
    assert wanted - asked <= {"svg-quality", "mlflow-skinny", "mlflow-tracing"}


def test_every_epoch_is_in_mlflow_and_in_tensorboard(finished: FinishedRun) -> None:
    client = open_store().client
    events = event_accumulator.EventAccumulator(str(finished.artifact("tensorboard")))
    events.Reload()
    for name in ("train_loss", "val_loss", "val_ssim_mae", "learning_rate"):
        logged = [(m.step, m.value) for m in client.get_metric_history(finished.run_id, name)]
        assert [step for step, _ in logged] == list(range(1, len(logged) + 1))
        shown = events.Scalars(name)
        assert [event.step for event in shown] == [step for step, _ in logged]
        assert [event.value for event in shown] == pytest.approx([v for _, v in logged], rel=1e-6)
    assert len(logged) == finished.metrics["epochs_completed"]


def test_checkpoints_and_the_session_are_kept_and_the_folder_is_gone(
    finished: FinishedRun, project: Path
) -> None:
    kept = {path.name for path in finished.artifact("checkpoints").iterdir()}
    assert kept == {"best", "epoch-0010"}
    assert (finished.artifact("monitor") / "training.html").is_file()
    assert list(finished.artifact("monitor").glob("*.jsonl*"))
    assert (project / "reports" / finished.run_id / "training.html").is_file()
    assert not (project / "data" / "training" / finished.run_id).exists()


@pytest.mark.parametrize(("law", "precision"), [(1.0, "int8"), (0.0, "fp32")])
def test_the_8_bit_backbone_ships_where_it_moves_predictions_less_than_the_law(
    law: float,
    precision: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shipping, "MOST_MOVEMENT", law)
    assert main([*SMALL, "--epochs", "2"]) == 0
    said = capsys.readouterr().out
    verb = {"int8": "ships", "fp32": "stays out"}[precision]
    assert f"the 8-bit backbone {verb}: it moves predicted SSIM by" in said
    number = re.findall(r"registered as svg-quality version (\d+)", said)[0]
    folder, run = resolve(f"models:/svg-quality/{number}").path, newest_finished("train")
    extracted = json.loads(newest_finished("extract").artifact("extraction.json").read_text())
    made = extracted["int8"] if precision == "int8" else extracted
    manifest = json.loads((folder / MANIFEST).read_text())["backbone"]
    assert manifest["precision"] == run.tags["backbone.precision"] == precision
    assert manifest["fingerprint"] == made["fingerprint"]
    assert (folder / BACKBONE).read_bytes() == (project / made["backbone"]).read_bytes()
    assert run.metrics["int8_movement"] > 0
    quantile = Bundle(folder).intervals["ssim"].quantile
    assert quantile == pytest.approx(calibrated_again(folder, made["fingerprint"]), rel=1e-4)


def calibrated_again(folder: Path, kind: str) -> float:
    """Through the bundle's own graph, on the features of the backbone that ships."""
    extracted = json.loads(newest_finished("extract").artifact("extraction.json").read_text())
    release = read_release(Path(extracted["release"]))
    inputs = ImageInputs(FeatureStore(Path("data/features")), kind, extracted["descriptors"])
    frame = inputs.reached(release.rows("validation"))
    rows = inputs.rows(frame)
    features = rows.features[rows.image_index]
    said = OnnxGraph(folder / HEAD)(features=features, tabular=rows.tabular)
    groups = frame["image_id"].map(release.images["group"]).to_numpy()
    return calibrate(rows.ssim, said["ssim"], said["ssim_spread"], groups, 0.9).quantile


def killed(*options: str, after: int) -> None:
    """`train` in a process of its own, killed once so many epochs are in its state."""
    program = (
        "import os, signal, svg_quality.training.trainer as t\n"
        "save = t.save_state\n"
        "def stop(path, state):\n"
        "    save(path, state)\n"
        f"    if len(state['history']) == {after}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "t.save_state = stop\n"
        "import sys; from svg_quality.cli import main; sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *SMALL, *options],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_what_was_killed_is_gone_on_with_and_ends_the_same(
    finished: FinishedRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed(after=4)
    (left,) = (project / "data" / "training").iterdir()
    assert main([*SMALL, "--resume", "true"]) == 0
    said, shown = capsys.readouterr()
    assert "train      resumed after epoch 4\n" in said
    assert "| 4/10 [" in shown
    assert "| 0/10 [" not in shown
    assert not left.exists()
    assert list((project / "data" / "training").iterdir()) == []
    resumed = newest_finished("train")
    steps = [m.step for m in open_store().client.get_metric_history(resumed.run_id, "val_loss")]
    assert steps == list(range(1, 11))
    for name in ("best", "epoch-0010"):
        weights = f"checkpoints/{name}/weights.safetensors"
        assert resumed.artifact(weights).read_bytes() == finished.artifact(weights).read_bytes()


def test_with_other_settings_it_says_why_it_begins_anew(
    finished: FinishedRun, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed("--epochs", "3", after=2)
    assert main([*SMALL, "--epochs", "2", "--resume", "true"]) == 0
    assert (
        "begins anew: the newest that was cut short had other settings (epochs 3, not 2)"
        in capsys.readouterr().out
    )
    shutil.rmtree(project / "data" / "training")
    assert main([*SMALL, "--epochs", "2", "--resume", "true"]) == 0
    assert "begins anew: no training was cut short" in capsys.readouterr().out


def test_every_setting_reaches_the_recipe() -> None:
    """Each that `train` has, changed, changes the recipe; but for those of the stage itself."""
    changes = {
        "epochs": 3, "patience": 3, "batch_size": 99, "accumulation": 2, "optimizer": "adam",
        "schedule": "step", "learning_rate": 0.5, "weight_decay": 0.5, "hidden_dims": "7-8",
        "n_members": 5, "d_bottleneck": 3, "dropout_rate": 0.1, "batch_norm": False,
        "loss": "focal", "ranking_weight": 0.3, "bytes_weight": 0.3, "weighting": "uncertainty",
        "seed": 1,
    }  # fmt: skip
    assert set(changes) == set(TrainSettings.model_fields) - {"interval", "resume"}
    plain = recipe_of(TrainSettings())
    made = {name: recipe_of(TrainSettings(**{name: value})) for name, value in changes.items()}
    assert all(recipe != plain for recipe in made.values())
    assert len(set(made.values())) == len(made)
