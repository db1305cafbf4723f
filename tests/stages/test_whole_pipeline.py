"""The main job on real logos, in a project of its own: run it, run it again, use what it made."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from svg_quality import QualityPredictor
from svg_quality.cli import main
from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import NAMES, PRESETS, Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.dataset.campaign import ConversionLog
from svg_quality.dataset.logos import discover_logos
from svg_quality.dataset.releases.release import read_release
from svg_quality.errors import ImageError
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.store import open_store

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SMALL = ["--max-logos", "110", "--sets-per-image", "6", "--epochs", "3", "--weights", "random"]
STAGES = ["convert", "dataset", "extract", "train", "promote"]
Enter = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Path]) -> Path:
    """A checkout without its .git: what a user has after downloading it."""
    return new_project()


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


@pytest.fixture(scope="module")
def finished(project: Path, enter: Enter) -> str:
    """What `svg-quality main` printed, run once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        enter(project, patch)
        done = subprocess.run([BIN / "svg-quality", "main", *SMALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def logo() -> Path:
    return next(
        x.path for x in discover_logos("diagrams") if x.name.endswith("aws/compute/ec2.png")
    )


def test_it_says_what_it_did_and_where_to_look(finished: str, project: Path) -> None:
    lines = finished.splitlines()
    for stage in STAGES:
        assert any(line.startswith(stage) for line in lines), stage
    page = next(line for line in lines if line.startswith("Evaluation page:")).split(": ")[1]
    assert (project / page.strip()).is_file()
    assert "make ui" in lines[-1]
    heading = next(i for i, line in enumerate(lines) if line.startswith("Held-out logos"))
    assert len([line for line in lines[heading + 2 : heading + 5] if ".png" in line]) == 3


def test_the_release_is_split_by_logo_and_has_every_preset(finished: str, project: Path) -> None:
    release = read_release(newest_finished("dataset").output_path)
    assert (release.images.groupby("group")["split"].nunique() == 1).all()
    assert release.images["derived_from"].notna().mean() == pytest.approx(0.2, abs=0.08)
    table = release.conversions
    for preset in PRESETS.values():
        wanted = (table[list(NAMES)] == pd.Series(preset.as_dict())).all(axis=1)
        assert table.loc[wanted, "image_id"].nunique() == table["image_id"].nunique()


def test_a_row_can_be_measured_again(finished: str, project: Path) -> None:
    """An independent re-conversion gives the very numbers of the table."""
    table = read_release(newest_finished("dataset").output_path).conversions
    for row in table.sample(5, random_state=0).to_dict(orient="records"):
        image = load_image(project / "data/logos" / row["image_path"])
        again = measure(image.rgb, Parameters(**{name: row[name] for name in NAMES}))
        assert image.image_id == row["image_id"]
        assert again.ssim == pytest.approx(row["ssim"], abs=1e-9)
        assert again.svg_bytes == row["svg_bytes"]


def test_a_second_run_uses_every_finished_stage(
    finished: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = time.perf_counter()
    assert main(["main", *SMALL]) == 0
    assert time.perf_counter() - start < 20
    said = capsys.readouterr().out
    for stage in STAGES:
        assert f"{stage:<10} nothing changed" in said


def test_a_changed_setting_runs_that_stage_and_those_after_it(
    finished: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["main", *SMALL[:4], "--epochs", "2", *SMALL[6:]]) == 0
    said = capsys.readouterr().out
    assert "extract    nothing changed" in said
    assert "train      nothing changed" not in said
    assert "registered as svg-quality version 2" in said
    # Two epochs on few logos are no reason to replace the champion: a result, not a failure.
    kept_out = (
        r"^promote .*version 2 does not, so version 1 remains.*at least 10 distinct test logos"
    )
    assert re.search(kept_out, said, re.MULTILINE)
    assert QualityPredictor().model_version == "1"


def test_every_run_is_recorded_with_its_input(finished: str) -> None:
    store = open_store()
    train = newest_finished("train")
    assert train.tags["input.extract"] == newest_finished("extract").run_id
    assert train.params["settings.epochs"] in ("2", "3")
    for name in ("test.everyday.ssim.r2", "test.full.ssim.pearson", "test.full.coverage.coverage"):
        assert name in train.metrics
    assert any(name.startswith("baseline.gradient_boosting") for name in train.metrics)
    run = store.client.get_run(train.run_id)
    assert run.inputs.dataset_inputs[0].dataset.name == "demo"
    names = {item.path for item in store.client.list_artifacts(train.run_id, "evaluation")}
    assert names == {
        "evaluation/evaluation.html", "evaluation/metrics.json", "evaluation/predictions.parquet",
    }  # fmt: skip


def test_predictions_for_many_sets_as_json(
    finished: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = sobol_sets(50, "full", seed=0)
    path = tmp_path / "sets.jsonl"
    path.write_text("\n".join(json.dumps(chosen.as_dict()) for chosen in sets))
    assert main(["predict", str(logo()), "--parameters", str(path), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Parameters(**row["parameters"]) for row in rows] == sets
    for row in rows:
        assert list(row) == ["status", "reason", "image", "parameters", "ssim", "ssim_low",
                             "ssim_high", "interval", "svg_bytes", "bytes_low", "bytes_high",
                             "unlike_training", "model_name", "model_version"]  # fmt: skip
        assert (row["status"], row["reason"]) == ("ok", None)
        assert -1 <= row["ssim_low"] <= row["ssim"] <= row["ssim_high"] <= 1
        assert row["svg_bytes"] > 0
        assert row["model_name"] == "svg-quality"


def test_every_kind_of_image_gives_the_same_prediction(finished: str) -> None:
    from PIL import Image

    predictor = QualityPredictor()
    by_path = predictor.predict(logo())
    pixels = np.asarray(Image.open(logo()).convert("RGBA"))
    for image in (str(logo()), logo().read_bytes(), Image.open(logo()), pixels):
        again = predictor.predict(image)
        assert (again.ssim, again.svg_bytes) == (by_path.ssim, by_path.svg_bytes)
    assert predictor.predict_batch([logo()] * 2) == [by_path, by_path]
    assert predictor.predict_sets(logo(), []) == []
    with pytest.raises(ImageError, match="got int"):
        predictor.predict(3)  # type: ignore[arg-type]


def test_a_sentence_for_people(finished: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(logo()), "--set", "color_precision=3", "mode=polygon"]) == 0
    said = capsys.readouterr().out
    assert re.match(r"SSIM [01]\.\d{3} \(90% interval", said)
    assert "mode=polygon color_precision=3; by svg-quality version" in said
    assert "\nSSIM tells how alike SVG and logo look, 1 is the same; 90% of" in said


def test_without_such_a_model_the_answer_is_that_and_no_number(
    finished: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(logo()), "--model", "models:/svg-quality/99"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("SSIM and bytes unknown, with VTracer's default parameters\n")
    assert "unavailable: models:/svg-quality/99 must name a registered version" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.png"], "an image must be readable, got nowhere.png"),
        (["MLproject"], "MLproject is none"),
        (["{logo}", "--set", "color_precision=12"], "color_precision must be in [1, 8], got 12"),
        (["{logo}", "--set", "color_precision"], "NAME=VALUE, got 'color_precision'"),
        (["{logo}", "--model", "models:/svg-quality/none-such"], "a stage must be one of"),
        (["{logo}", "--parameters", "MLproject"], "MLproject line 1"),
        (["{logo}", "--parameters", "nowhere.jsonl"], "must be in a readable file, nowhere.jsonl"),
        (["{logo}", "--model", "experiments"], "bundle.json"),
    ],
)
def test_what_cannot_be_predicted_is_one_sentence(
    finished: str, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", *(word.format(logo=logo()) for word in arguments)]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_mlflow_loads_the_registered_model_without_pickle(
    finished: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setattr(sys, "path", list(sys.path))  # the model brings code of its own
    loaded = mlflow.pyfunc.load_model("models:/svg-quality@production")
    frame = pd.DataFrame({"image": [logo().read_bytes()] * 2, "color_precision": [6.0, 2.0]})
    said = loaded.predict(frame)
    expected = QualityPredictor().predict_sets(
        logo(), [Parameters(), Parameters(color_precision=2)]
    )
    assert said["ssim"].tolist() == pytest.approx([x.ssim for x in expected], abs=1e-6)
    shipped = {path.suffix for path in (project / "mlruns").rglob("*") if path.is_file()}
    assert not shipped & {".pkl", ".pickle", ".pt", ".pth", ".joblib", ".cloudpickle"}


def test_evaluate_and_promote_by_number(
    finished: str, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    assert main(["evaluate", "--version", "1", "--split", "validation"]) == 0
    told = capsys.readouterr().out.splitlines()
    page = Path(next(line for line in told if "version 1 on validation" in line).split(": ")[1])
    assert "validation split" in page.read_text()
    assert main(["promote", "--version", "1"]) == 0
    assert QualityPredictor().model_version == "1"
    assert main(["promote", "--version", "77"]) == 2
    assert "must exist to be promoted" in capsys.readouterr().err
    assert main(["promote", "--version", "best"]) == 2
    assert QualityPredictor().model_version == "1"


def test_mlflow_run_train_without_flags(
    finished: str, project: Path, bare_environment: dict[str, str]
) -> None:
    """Exactly what the README says, where there is no conda; the run lands in the same store."""
    done = subprocess.run(
        ["mlflow", "run", ".", "-e", "train", "-P", "epochs=1"],
        cwd=project, env=bare_environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    train = newest_finished("train")
    assert train.params["epochs"] == "1"  # MLproject's own parameter
    assert train.params["settings.epochs"] == "1"
    assert train.tags["mlflow.project.entryPoint"] == "train"


def test_killed_while_converting_it_goes_on_without_losing_or_doubling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    command = ["convert", "--max-logos", "12", "--sets-per-image", "10", "--jpeg-share", "0"]
    log = tmp_path / "data/conversions/log.jsonl"
    process = subprocess.Popen(
        [BIN / "svg-quality", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and log.stat().st_size > 20_000):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    n_before = sum(1 for _ in ConversionLog(log).rows())
    assert 0 < n_before < 120
    assert main(command) == 0
    assert f"{n_before} conversions are in the log already" in capsys.readouterr().out
    ids = [row["conversion_id"] for row in ConversionLog(log).rows()]
    table = pd.read_parquet(newest_finished("convert").artifact("conversions.parquet"))
    assert len(ids) == len(set(ids)) == len(table)
    assert set(table["conversion_id"]) == set(ids)
    killed = open_store().client.search_runs(["1"], "attributes.status = 'KILLED'")
    assert len(killed) == 1


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def ask(path: Path, section: str, **settings: int) -> None:
    """Change some settings of a YAML file."""
    said = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(said | {section: said.get(section, {}) | settings}))


def test_the_python_examples_of_the_readme_run(finished: str, project: Path) -> None:
    shutil.copy(logo(), project / "logo.png")
    examples = blocks("python")
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})


def test_the_shell_examples_of_the_readme_run(
    finished: str, project: Path, bare_environment: dict[str, str]
) -> None:
    """Every command but `make` (CI runs those) and `git clone`, as they stand.

    What they read from files asks for less, so that they take minutes and not a quarter of an hour.
    `verify-pipeline` has a test of its own.
    """
    shutil.copy(logo(), project / "logo.png")
    ask(project / "experiments/search.yaml", "search", n_trials=4, epochs=4, n_seeds=2)
    ask(project / "experiments/demo.yaml", "train", epochs=6)  # of cross-validate
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    commands = [line.split("  #")[0].strip() for line in lines]
    runnable = [
        c for c in commands if c.startswith(("svg-quality", "mlflow run", "printf", "echo"))
    ]
    assert len(runnable) >= 4
    runnable.remove("svg-quality verify-pipeline")
    for command in runnable:
        done = subprocess.run(
            command, shell=True, cwd=project, env=bare_environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
