"""The fast answer and MLflow's own are the same, and every failure is one sentence."""

import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path

import mlflow
import pytest
from mlflow.store.db.utils import _get_latest_schema_revision

from svg_quality.errors import TrackingError
from svg_quality.tracking import resolve as resolve_module
from svg_quality.tracking.resolve import (
    KNOWN_REVISIONS,
    ModelReference,
    find_version,
    parse,
    resolve,
    versions_from_client,
    versions_from_sqlite,
)
from svg_quality.tracking.store import database_file, open_store, tracking_uri

NAME = "svg-quality"
MEASURE = """
import sys, time
start = time.perf_counter()
from svg_quality.tracking.resolve import resolve
found = resolve("models:/svg-quality/Production")
heavy = {"mlflow", "torch", "sklearn", "pandas", "numpy", "sqlalchemy"} & set(sys.modules)
print(time.perf_counter() - start, found.version, sorted(heavy))
"""


def model_folder(root: Path, name: str) -> Path:
    folder = root / name
    (folder / "artifacts" / "bundle").mkdir(parents=True)
    return folder


@pytest.fixture
def registry(project: Path) -> Path:
    """Five versions: plain places, a file:// one, a logged model, two in Production, aliases."""
    client = open_store().client
    client.create_registered_model(NAME)
    client.create_registered_model("another")
    client.create_model_version("another", "/elsewhere")
    logged = client.create_logged_model("0", name="model")
    sources = [
        str(model_folder(project, "one")),
        model_folder(project, "two").as_uri(),
        f"models:/{logged.model_id}",
        str(model_folder(project, "four")),
        str(project / "gone"),
    ]
    for source in sources:
        client.create_model_version(NAME, source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for version, stage in {1: "Production", 2: "Production", 4: "Archived"}.items():
            client.transition_model_version_stage(NAME, str(version), stage)
    client.set_registered_model_alias(NAME, "production", "2")
    client.set_registered_model_alias(NAME, "best", "2")
    client.set_registered_model_alias(NAME, "old", "1")
    client.delete_model_version("another", "1")
    return project


def fast(name: str = NAME) -> list[resolve_module.ModelVersion] | None:
    database = database_file(tracking_uri())
    assert database is not None
    return versions_from_sqlite(database, name)


@pytest.mark.parametrize("name", [NAME, "another", "unknown"])
def test_both_ways_give_the_same_versions(registry: Path, name: str) -> None:
    assert fast(name) == versions_from_client(tracking_uri(), name)


@pytest.mark.parametrize(
    "address",
    [f"models:/{NAME}/{what}" for what in ("Production", "production", "archived", "4", "latest")]
    + [f"models:/{NAME}@{alias}" for alias in ("production", "old")],
)
def test_an_address_means_what_it_means_to_mlflow(registry: Path, address: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        uri = mlflow.store.artifact.models_artifact_repo.ModelsArtifactRepository
        theirs = uri.get_underlying_uri(address)
    assert find_version(parse(address)).location == theirs


def test_the_highest_of_two_in_production_wins(registry: Path) -> None:
    found = resolve(f"models:/{NAME}/Production")
    assert (found.version, found.stage, found.aliases) == (
        "2",
        "Production",
        ("best", "production"),
    )
    assert found.path == registry / "two" / "artifacts" / "bundle"


def test_the_schema_of_the_pinned_mlflow_is_known() -> None:
    assert _get_latest_schema_revision() in KNOWN_REVISIONS


def test_an_unknown_schema_or_a_workspace_is_left_to_mlflow(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(resolve_module, "KNOWN_REVISIONS", frozenset({"another"}))
        assert fast() is None
        assert resolve(f"models:/{NAME}/4").path == registry / "four" / "artifacts" / "bundle"
    monkeypatch.setenv("MLFLOW_WORKSPACE", "team")
    assert fast() is None


def test_a_table_that_is_missing_is_left_to_mlflow(registry: Path) -> None:
    with sqlite3.connect(registry / "mlruns" / "mlflow.db") as database:
        database.execute("DROP TABLE registered_model_aliases")
    assert fast() is None


def test_reading_writes_nothing(registry: Path) -> None:
    database = registry / "mlruns" / "mlflow.db"
    before = database.read_bytes(), sorted(path.name for path in database.parent.iterdir())
    resolve(f"models:/{NAME}/Production")
    assert (database.read_bytes(), sorted(p.name for p in database.parent.iterdir())) == before


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert versions_from_sqlite(tmp_path / "mlflow.db", NAME) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_its_own_bundle_or_holds_one(registry: Path) -> None:
    bundle = registry / "one" / "artifacts" / "bundle"
    assert resolve(str(bundle)).path == resolve(str(registry / "one")).path == bundle
    found = resolve("one")
    assert (found.name, found.version, found.stage, found.run_id) == ("one", None, None, None)


def test_a_remote_model_is_downloaded_once(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (registry / "one" / "artifacts" / "bundle" / "head.onnx").write_text("graph")
    monkeypatch.setattr(resolve_module, "local_path", lambda location: None)
    found = resolve(f"models:/{NAME}/1")
    assert found.path.is_relative_to(registry / "mlruns" / "downloads")
    assert (found.path / "head.onnx").read_text() == "graph"
    (registry / "one" / "artifacts" / "bundle" / "head.onnx").unlink()
    assert (resolve(f"models:/{NAME}/1").path / "head.onnx").exists()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (f"models:/{NAME}/7", "must name a registered version, and there are only 1 "),
        (f"models:/{NAME}/Staging", "run `svg-quality promote` to put one in Production"),
        (f"models:/{NAME}@nobody", "@nobody must name a registered version"),
        (f"models:/{NAME}/5", r"\(version 5\) must have its bundle on disk, and .*gone"),
        ("models:/unknown/Production", "none of unknown: run `mlflow run . -e train` first"),
        ("models:/svg-quality", "must be models:/NAME/STAGE, .* got models:/svg-quality"),
        ("models:/svg-quality/Prod", "a stage must be one of None, Staging, Production, Archived"),
        ("no/such/folder", "must be an existing folder or models:/..., got no/such/folder"),
    ],
)
def test_refuses(registry: Path, address: str, message: str) -> None:
    with pytest.raises(TrackingError, match=message):
        resolve(address)


def test_without_a_store_the_remedy_is_named(empty_project: Path) -> None:
    rule = r"needs a tracking store, and .*mlflow\.db does not exist: run `mlflow run \. -e main`"
    with pytest.raises(TrackingError, match=rule):
        resolve(f"models:/{NAME}/Production")
    assert not (empty_project / "mlruns").exists()


def test_a_reference_is_written_as_it_is_read() -> None:
    for address in ("models:/m/Production", "models:/m/5", "models:/m@a"):
        assert str(parse(address)) == address
    assert parse("models:/m/0") == ModelReference("m", version=0)


def test_nothing_heavy_is_imported(registry: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    seconds, version, heavy = done.stdout.split(maxsplit=2)
    assert (version, heavy.strip()) == ("2", "[]")
    assert float(seconds) < 1.0  # measured: 0.05 s; `import mlflow` alone is 1.9 s
