"""`verify`, `backup`, `restore` and `export` as people call them, with runs and a model."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from svg_quality.cli import main
from svg_quality.dataset.manifest import differences, write_manifest
from svg_quality.dataset.transfers.backup import DATABASE, files_of, send_backup
from svg_quality.dataset.transfers.transfer import remote_differences
from svg_quality.settings import load_settings
from svg_quality.stages.dataset import export as stages_export
from svg_quality.stages.dataset.export import EXPORT
from svg_quality.stages.pipeline import StageContext
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import FinishedRun, newest_finished
from svg_quality.tracking.registry import put_in_production, register, registry_lock
from svg_quality.tracking.resolve import resolve
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import open_store

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
CONFIG = ["--config", str(ROOT / "experiments" / "demo.yaml")]
MODEL_FILE = """
from pathlib import Path

import mlflow
import pandas as pd


class Adder(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.bias = float((Path(context.artifacts["bundle"]) / "bias.txt").read_text())

    def predict(self, context, model_input: pd.DataFrame, params=None):
        return [float(x) + self.bias for x in model_input["x"]]


mlflow.models.set_model(Adder())
"""
Enter = Callable[[str], Path]


@pytest.fixture
def enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Makes a checkout where there is none, and works in it with its own store."""

    def go(name: str) -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        shutil.copy(ROOT / "MLproject", root)
        shutil.copytree(ROOT / "experiments", root / "experiments", dirs_exist_ok=True)
        monkeypatch.chdir(root)
        uri = f"sqlite:///{root}/mlruns/mlflow.db"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        return root

    monkeypatch.delenv("SVG_QUALITY_STORAGE", raising=False)
    return go


def release_in(root: Path, version: str = "1.0.0") -> Path:
    folder = root / "data" / "releases" / "logos" / version
    folder.mkdir(parents=True)
    (folder / "conversions.parquet").write_bytes(bytes(range(256)) * 99)
    about = {"name": "logos", "version": version, "dataset_digest": "ab" * 32}
    write_manifest(folder, about)
    return folder


def train(root: Path) -> str:
    """A run with metrics and a model in Production; gives its id."""
    (root / "bundle").mkdir()
    (root / "bundle" / "bias.txt").write_text("2.5")
    (root / "model.py").write_text(MODEL_FILE)
    with stage_run(Work("train", {"epochs": 3})) as run:
        run.log_metrics({"mae": 0.0125})
        run.set_output("digest", root / "data" / "features")
        run.log_dataset("logos", "cd" * 32, root / "data" / "releases" / "logos", "training")
        version = register(
            run.run_id, root / "bundle", root / "model.py",
            input_example=pd.DataFrame({"x": [1.0]}), pip_requirements=["mlflow"],
        )  # fmt: skip
    store = open_store()
    with registry_lock(store.uri):
        put_in_production(store, version)
    shutil.rmtree(root / "bundle")
    return run.run_id


def backup(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    assert main(["backup", str(root.parent / "store"), *CONFIG, *options]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    return line.rpartition("svg-quality restore ")[2]


def tree(root: Path) -> dict[str, str]:
    """SHA-256 of everything under the places that a backup brings back, but the database."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for place in ("data", "mlruns/artifacts")
        for path in (root / place).rglob("*")
        if path.is_file()
    }


def test_verify_says_ok_or_each_difference(
    enter: Enter, capsys: pytest.CaptureFixture[str]
) -> None:
    root = enter("project")
    folder = release_in(root)
    for place in ("logos/1.0.0", str(folder), f"file://{folder}"):
        assert main(["verify", place, *CONFIG]) == 0
        assert "OK: " in (said := capsys.readouterr().out)
        assert "1 files, 0.0 MB, digest abababababab" in said
    run = newest_finished("verify")
    assert run.metrics == {"files": 1.0, "differences": 0.0}
    assert run.tags["dataset.logos.digest"] == "ab" * 32
    data = bytearray((folder / "conversions.parquet").read_bytes())
    data[12345] ^= 4
    (folder / "conversions.parquet").write_bytes(data)
    (folder / "extra.txt").write_text("x")
    assert main(["verify", "logos/1.0.0", *CONFIG]) == 1
    said = capsys.readouterr()
    assert "verify     conversions.parquet has changed\n" in said.out
    assert "verify     extra.txt is not in the manifest\n" in said.out
    assert "every file must be as the manifest says, 2 in" in said.err
    assert main(["verify", "logos/2.0.0", *CONFIG]) == 2
    assert "must be a folder, a URL, or NAME/VERSION" in capsys.readouterr().err
    (folder / "manifest.json").unlink()
    assert main(["verify", str(folder), *CONFIG]) == 2
    assert "must have a manifest" in capsys.readouterr().err


def test_a_backup_comes_back_in_another_folder_with_runs_and_model(
    enter: Enter, capsys: pytest.CaptureFixture[str]
) -> None:
    root = enter("here")
    release_in(root)
    (root / "data" / "marks.json").write_text("{}")
    run_id = train(root)
    here = tree(root)
    url = backup(root, capsys)
    assert main(["verify", url, *CONFIG]) == 0

    clone = enter("there")
    shutil.move(root, root.with_name("gone"))  # nothing may still be read from the old place
    assert main(["restore", url, *CONFIG]) == 0
    out = capsys.readouterr().out
    assert f"{len(here) + 2:,} files put back, 0 were there already" in out
    there = tree(clone)
    assert {name: there.get(name) for name in here} == here
    assert differences(clone / "data" / "releases" / "logos" / "1.0.0") == []
    run = open_store().client.get_run(run_id)
    assert run.data.metrics == {"mae": 0.0125}
    assert run.info.artifact_uri == f"{clone}/mlruns/artifacts/{run_id}/artifacts"
    assert run.data.tags["output.path"] == f"{clone}/data/features"
    used = run.inputs.dataset_inputs[0].dataset
    assert json.loads(used.source) == {"uri": f"{clone}/data/releases/logos"}
    assert newest_finished("train").artifact("settings.json").is_relative_to(clone)
    found = resolve("models:/svg-quality/Production")
    assert found.path.is_relative_to(clone)
    assert (found.path / "bias.txt").read_text() == "2.5"
    model = mlflow.pyfunc.load_model("models:/svg-quality/Production")
    assert model.predict(pd.DataFrame({"x": [1.0, 2.0]})) == [3.5, 4.5]
    restored = newest_finished("restore")
    assert restored.metrics["files_kept"] == 0
    with stage_run(Work("train", {"epochs": 4})):  # the store goes on
        pass
    assert newest_finished("train").params["settings.epochs"] == "4"
    client = open_store().client
    left = client.search_runs([open_store().experiment_id], "attributes.status = 'RUNNING'")
    assert list(left) == []


def test_a_backup_comes_back_into_the_project_that_lost_it(
    enter: Enter, capsys: pytest.CaptureFixture[str]
) -> None:
    root = enter("here")
    folder = release_in(root)
    train(root)
    before = tree(root)
    url = backup(root, capsys)
    shutil.rmtree(folder)
    assert main(["restore", url, *CONFIG]) == 0
    assert "2 files put back" in capsys.readouterr().out
    after = tree(root)
    assert {name: after.get(name) for name in before} == before
    assert main(["restore", url, *CONFIG]) == 0
    assert "0 files put back" in capsys.readouterr().out


def test_nothing_is_overwritten(enter: Enter, capsys: pytest.CaptureFixture[str]) -> None:
    root = enter("here")
    release_in(root)
    (root / "data" / "marks.json").write_text("theirs")
    train(root)
    url = backup(root, capsys)
    clone = enter("there")
    (clone / "data").mkdir()
    (clone / "data" / "marks.json").write_text("ours")
    train(clone)  # a store with runs of its own
    before = tree(clone)
    assert main(["restore", url, *CONFIG]) == 2
    said = capsys.readouterr().err
    assert "what is there must not be overwritten, 2 files have other content" in said
    assert "first: data/marks.json" in said
    assert not (clone / "data" / "releases").exists()
    assert {name: tree(clone)[name] for name in before} == before
    assert main(["restore", url, *CONFIG, "--parts", "releases"]) == 0
    assert differences(clone / "data" / "releases" / "logos" / "1.0.0") == []


def test_a_damaged_backup_brings_nothing_back(
    enter: Enter, capsys: pytest.CaptureFixture[str]
) -> None:
    root = enter("here")
    release_in(root)
    url = backup(root, capsys, "--parts", "releases,logs")
    (Path(url) / "data/releases/logos/1.0.0/conversions.parquet").write_bytes(b"x" * 256 * 99)
    clone = enter("there")
    assert main(["restore", url, *CONFIG]) == 2
    assert "conversions.parquet comes other than its manifest says" in capsys.readouterr().err
    assert list((clone / "data").iterdir()) == []
    assert main(["verify", url, *CONFIG]) == 1
    assert main(["backup", url, *CONFIG, "--parts", "everything"]) == 2
    assert "parts must be of releases, logs, models" in capsys.readouterr().err


def test_a_backup_of_another_mlflow_changes_nothing(
    enter: Enter, capsys: pytest.CaptureFixture[str]
) -> None:
    root = enter("here")
    release_in(root)
    train(root)
    with closing(sqlite3.connect(root / "mlruns/mlflow.db")) as db, db:
        (schema,) = db.execute("SELECT version_num FROM alembic_version").fetchone()
        db.execute("UPDATE alembic_version SET version_num = 'newer'")
        copied = root.with_name("copied.db")
        with closing(sqlite3.connect(copied)) as copy:
            db.commit()
            db.backup(copy)
        db.execute("UPDATE alembic_version SET version_num = ?", [schema])
        db.execute("UPDATE experiments SET name = 'another' WHERE name = 'svg-quality'")
        db.commit()
        unnamed = root.with_name("unnamed.db")
        with closing(sqlite3.connect(unnamed)) as copy:
            db.backup(copy)
    clone = enter("there")
    for database, reason in ((copied, "must be of this MLflow's schema"),
                             (unnamed, "must have the experiment of this project")):  # fmt: skip
        scratch = root.with_name(database.stem)
        scratch.mkdir()
        files = files_of(root, ("releases", "models"), scratch) | {DATABASE: database}
        about = {"parts": ["releases", "models"], "root": str(root)}
        url = send_backup(files, about, str(root.with_name("store")), scratch).url
        assert main(["restore", url, *CONFIG]) == 2
        assert reason in capsys.readouterr().err
        assert list((clone / "data").iterdir()) == []


def test_earlier_restores_keep_what_they_were_made_of(
    enter: Enter, capsys: pytest.CaptureFixture[str]
) -> None:
    root = enter("here")
    release_in(root)
    train(root)
    logs = backup(root, capsys, "--parts", "releases")
    assert main(["restore", logs, *CONFIG]) == 0  # the backup's database knows this input too
    url = backup(root, capsys)
    clone = enter("there")
    assert main(["restore", logs, *CONFIG]) == 0
    first = newest_finished("restore").run_id
    left = clone / "data" / ".restore-4194999-abcd" / "backup"  # above the kernel's highest id
    left.mkdir(parents=True)
    mine = clone / "data" / ".restore-1-abcd"  # of a process that is alive
    mine.mkdir()
    capsys.readouterr()
    assert main(["restore", str(root.parent / "store"), *CONFIG]) == 2
    # Made within one second they are told apart by their digests alone.
    names = ", ".join(sorted((Path(url).name, Path(logs).name), reverse=True))
    assert f"holds 2; newest first: {names}" in capsys.readouterr().err
    assert main(["restore", url, *CONFIG]) == 0
    assert mine.exists()
    assert not left.parent.exists()
    client = open_store().client
    for run_id, digest in ((first, logs), (newest_finished("restore").run_id, url)):
        (used,) = client.get_run(run_id).inputs.dataset_inputs
        assert used.dataset.digest.startswith(digest.rpartition("-")[2])
        assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "restore"}


def test_a_backup_needs_a_place(enter: Enter, capsys: pytest.CaptureFixture[str]) -> None:
    root = enter("here")
    release_in(root)
    before = sorted(root.iterdir())
    assert main(["backup", "", *CONFIG]) == 2
    assert "backup.target: " in capsys.readouterr().err
    assert sorted(root.iterdir()) == before


def test_models_of_a_server_are_not_claimed_to_be_backed_up(
    enter: Enter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from svg_quality.errors import TrackingError
    from svg_quality.stages.dataset.backup import local_database

    enter("here")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    with pytest.raises(TrackingError, match="use the server's own backup"):
        local_database()


def test_an_export_of_a_release_with_faults_says_so(
    enter: Enter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = enter("project")
    tags = {"output.path": str(root / "release")}
    made = FinishedRun("1" * 32, "dataset", tags, {}, {}, "", 0)
    monkeypatch.setattr(stages_export, "reuse_or_run", lambda *asked: made)
    (root / "release").mkdir()
    settings = load_settings(Path(CONFIG[1]))
    for version, quality, n_warned in (("1", {"passed": False}, 1), ("2", {"passed": True}, 0),
                                       ("3", None, 0)):  # fmt: skip
        about = {"name": "logos", "version": version, "dataset_digest": "ab", "quality": quality}
        write_manifest(root / "release", about)
        with stage_run(Work("export", {})) as run:
            EXPORT.act(StageContext(run, settings.export, (made,), root, settings))
        page = root / "data/exports/logos" / version / "qa_report.html"
        warning = f"export     warning: its quality report found faults: {page}\n"
        assert capsys.readouterr().out.count(warning) == n_warned


def test_an_export_is_made_of_a_release_and_uploaded(
    enter: Enter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = enter("project")
    limits = ["--max-logos", "60", "--sets-per-image", "4"]
    assert main(["convert", *CONFIG, *limits]) == 0
    command = ["export", *CONFIG, "--version", "1.0.0", "--target-samples", "160", "--seed", "42",
               "--no-quality"]  # fmt: skip
    assert main([*command, "--no-upload"]) == 0
    said = capsys.readouterr().out
    assert "export     not uploaded, as asked for" in said
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "no storage is set" in said
    assert "nothing changed: run" in said
    monkeypatch.setenv("SVG_QUALITY_STORAGE", str(root.parent / "store"))
    assert main(command) == 0
    name = newest_finished("dataset").tags["output.path"].split("/")[-2]
    place = root / "data" / "exports" / name / "1.0.0"
    assert differences(place) == []
    assert remote_differences(f"{root.parent}/store/exports/{name}/1.0.0") == []
    run: Any = newest_finished("export")
    assert run.tags["export.url"] == f"{root.parent}/store/exports/{name}/1.0.0"
    assert run.metrics["pictures"] == len(list(place.glob("pictures/*/*.png")))
    assert run.tags["output.digest"] == newest_finished("dataset").tags["output.digest"]
