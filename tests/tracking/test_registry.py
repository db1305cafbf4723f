"""Versions are made from runs, and exactly one of them is in Production."""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from svg_quality.errors import TrackingError
from svg_quality.tracking import registry
from svg_quality.tracking.identity import Work
from svg_quality.tracking.registry import (
    ALIAS,
    MODEL,
    PRODUCTION,
    put_in_production,
    register,
    registry_lock,
)
from svg_quality.tracking.resolve import ModelVersion, resolve, versions_from_client
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import open_store, tracking_uri

BareVersions = Callable[[int], None]
AllAtOnce = Callable[[str, Iterable[int]], None]

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
EXAMPLE = pd.DataFrame({"x": [1.0]})
PROMOTE = """
import sys
from svg_quality.tracking.registry import put_in_production, registry_lock
from svg_quality.tracking.store import open_store
store = open_store()
print("ready", flush=True)
sys.stdin.readline()
with registry_lock(store.uri):
    put_in_production(store, int(sys.argv[1]))
"""


def train(
    folder: Path, bias: str = "2.5", name: str = "bundle", code_paths: Sequence[Path] = ()
) -> int:
    bundle = folder / name
    (bundle / "deep").mkdir(parents=True, exist_ok=True)
    (bundle / "bias.txt").write_text(bias)
    (bundle / "deep" / "note.txt").write_text("kept")
    model = folder / "model.py"
    model.write_text(MODEL_FILE)
    with stage_run(Work("train", {"bias": bias})) as run:
        return register(
            run.run_id,
            bundle,
            model,
            input_example=EXAMPLE,
            pip_requirements=["mlflow"],
            code_paths=code_paths,
            tags={"backbone.weights": "random"},
        )


def promote(version: int) -> ModelVersion:
    store = open_store()
    with registry_lock(store.uri):
        return put_in_production(store, version)


@pytest.mark.parametrize("name", ["bundle", "train-output"])
def test_a_registered_bundle_loads_and_predicts(project: Path, name: str) -> None:
    assert train(project, name=name) == 1
    promote(1)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}/Production")
    assert model.predict(pd.DataFrame({"x": [1.0, 2.0]})) == [3.5, 4.5]
    found = resolve(f"models:/{MODEL}@production")
    assert (found.path / "bias.txt").read_text() == "2.5"
    assert (found.path / "deep" / "note.txt").read_text() == "kept"
    assert found.path.is_relative_to(project / "mlruns" / "artifacts")


def test_a_version_knows_its_run_and_its_tags(project: Path) -> None:
    version = train(project)
    client = open_store().client
    found = client.get_model_version(MODEL, str(version))
    assert found.tags == {"backbone.weights": "random"}
    assert client.get_run(found.run_id).data.tags["stage"] == "train"


def test_registering_leaves_the_import_path_as_it_was(project: Path) -> None:
    """MLflow puts a loaded model's own code first; workers started later would import that."""
    package = project / "shipped"
    package.mkdir()
    (package / "__init__.py").write_text("")
    before = list(sys.path)
    train(project, code_paths=[package])
    assert sys.path == before


def test_a_bundle_contains_no_pickle(project: Path) -> None:
    train(project)
    promote(1)
    model = resolve(f"models:/{MODEL}/1").path.parents[1]
    assert [path.name for path in model.rglob("*.pkl")] == []


def test_a_bundle_that_cannot_predict_its_example_is_not_registered(project: Path) -> None:
    with pytest.raises(ValueError, match="could not convert string to float: 'not a number'"):
        train(project, bias="not a number")
    assert versions_from_client(tracking_uri(), MODEL) == []


def test_a_model_belongs_to_an_open_run(project: Path) -> None:
    with pytest.raises(TrackingError, match="inside its run, and 0000 is not open"):
        register("0000", project, project, input_example=EXAMPLE, pip_requirements=[])
    missing = project / "nothing"
    with (
        stage_run(Work("train", {})) as run,
        pytest.raises(TrackingError, match="a bundle must be a folder"),
    ):
        register(run.run_id, missing, project, input_example=EXAMPLE, pip_requirements=[])


def test_promotion_archives_the_one_before(bare_versions: BareVersions) -> None:
    bare_versions(3)
    assert promote(2).stage == PRODUCTION
    promoted = promote(1)  # a lower number too: a rollback
    assert (promoted.version, promoted.stage, promoted.aliases) == (1, PRODUCTION, (ALIAS,))
    stages = [one.stage for one in versions_from_client(tracking_uri(), MODEL)]
    assert stages == [PRODUCTION, "Archived", "None"]
    assert promote(1) == promoted  # again changes nothing


def test_only_an_existing_version_can_be_promoted(bare_versions: BareVersions) -> None:
    with pytest.raises(TrackingError, match="must exist to be promoted, got 1; there is none"):
        promote(1)
    bare_versions(2)
    with pytest.raises(TrackingError, match="got 7; there is 1, 2"):
        promote(7)


def test_a_promotion_that_did_not_hold_is_reported(
    bare_versions: BareVersions, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare_versions(2)
    promote(1)
    monkeypatch.setattr(registry, "_move", lambda *_: None)
    rule = r"exactly version 2 .* and there are \[1\], with alias production on \[1\]"
    with pytest.raises(TrackingError, match=rule):
        promote(2)


@pytest.mark.slow
def test_promotions_at_the_same_time_leave_exactly_one(
    bare_versions: BareVersions, all_at_once: AllAtOnce
) -> None:
    bare_versions(4)
    all_at_once(PROMOTE, range(1, 5))
    versions = versions_from_client(tracking_uri(), MODEL)
    (staged,) = [one.version for one in versions if one.stage == PRODUCTION]
    (aliased,) = [one.version for one in versions if ALIAS in one.aliases]
    assert staged == aliased
    assert sorted(one.stage for one in versions if one.version != staged) == ["Archived"] * 3
