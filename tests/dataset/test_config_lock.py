"""What a release was made with: complete, the same for the same settings, and nobody's name."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

from svg_quality.dataset.releases.changes import compare_releases
from svg_quality.dataset.releases.config_lock import (
    PACKAGES,
    LockedInput,
    config_lock,
    installed_packages,
    settings_digest,
    without_names,
)
from svg_quality.dataset.releases.release import make_release
from svg_quality.settings import Settings


def test_the_lock_says_everything_and_is_json() -> None:
    made = config_lock(
        Settings().model_dump(mode="json"),
        7,
        inputs=[LockedInput("convert", "abc", "d" * 64, {"working_size": 256})],
        commit="1" * 40,
        dirty=True,
    )
    assert json.loads(json.dumps(made)) == made
    assert made["git"] == {"commit": "1" * 40, "dirty": True}
    assert made["seed"] == 7
    assert made["settings"]["dataset"]["n_folds"] == 5
    assert made["inputs"] == [
        {
            "stage": "convert", "run_id": "abc", "digest": "d" * 64,
            "settings": {"working_size": 256},
        }
    ]  # fmt: skip
    assert made["packages"].keys() == set(PACKAGES)
    assert made["packages"]["vtracer"] == importlib.metadata.version("vtracer")
    assert made["python"] == ".".join(map(str, sys.version_info[:3]))


def test_where_there_is_no_git_it_is_not_guessed() -> None:
    assert config_lock({}, 0)["git"] == {"commit": None, "dirty": None}


def test_settings_have_one_digest_whatever_their_order() -> None:
    left = settings_digest({"a": {"x": 1, "y": 2}, "b": 3})
    assert left == settings_digest({"b": 3, "a": {"y": 2, "x": 1}})
    assert left != settings_digest({"b": 3, "a": {"y": 2, "x": 2}})


def test_the_digest_is_of_all_settings_of_the_lineage_and_of_no_run_id() -> None:
    def digest(run_id: str, working_size: int) -> str:
        inputs = [LockedInput("convert", run_id, "d" * 64, {"working_size": working_size})]
        told: str = config_lock({"dataset": {"seed": 1}}, 1, inputs=inputs)["settings_sha256"]
        return told

    assert digest("abc", 256) == digest("def", 256)
    assert digest("abc", 256) != digest("abc", 512)


def test_no_name_and_no_password_gets_out() -> None:
    settings = {
        "convert": {"logos": "/home/ada/logos"},
        "collect": {"logs": [r"C:\\Users\\Ada\\logs", "/Users/ada"]},
        "dataset": {"to": "s3://key:secret@bucket/releases", "seed": 3, "upload": True},
    }
    text = json.dumps(without_names(settings))
    assert "ada" not in text.lower()
    assert "secret" not in text
    assert without_names(settings)["dataset"] == {
        "to": "s3://bucket/releases", "seed": 3, "upload": True,
    }  # fmt: skip
    made = config_lock(settings, 0, inputs=[LockedInput("convert", "a", "d", settings)])
    assert made["settings"] == made["inputs"][0]["settings"] == without_names(settings)


def test_the_packages_are_those_of_pip() -> None:
    """Against an independent list; names are compared as pip normalises them."""
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    normal = {
        f"{one['name']}=={one['version']}".lower().replace("-", "_")
        for one in json.loads(pip.stdout)
    }
    assert {one.replace("-", "_") for one in installed_packages()} >= normal
    assert list(installed_packages()) == sorted(set(installed_packages()))


def test_a_change_of_an_input_runs_settings_is_a_change_of_the_release(
    tmp_path: Path, many_rows: pd.DataFrame
) -> None:
    def release(version: str, *sizes: int) -> Path:
        inputs = [LockedInput("collect", str(n), "d" * 64, {"size": n}) for n in sizes]
        lock = config_lock({"dataset": {"seed": 1}}, 1, inputs=inputs)
        made = make_release(
            many_rows, tmp_path, "logos", version, max_distance=0, seed=1, lock=lock
        )
        return made.path

    found = compare_releases(release("1", 5, 6), release("2", 5, 7))
    assert found.settings_changed == ["`collect 2.size`: `6` → `7`"]
