"""Croissant metadata: accepted by its own library, which then loads the very rows."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.releases.columns import CONVERSION_COLUMNS, IMAGE_COLUMNS
from svg_quality.dataset.releases.croissant import semantic_version
from svg_quality.dataset.releases.release import Release, make_release
from svg_quality.dataset.releases.release_writer import IMAGES, RELEASED


@pytest.fixture
def release(tmp_path: Path, many_rows: pd.DataFrame) -> Release:
    rows = many_rows.assign(psnr=many_rows["psnr"])
    return make_release(rows, tmp_path, "logos", "auto", max_distance=0, seed=1)


def test_its_own_validator_accepts_it(release: Release) -> None:
    command = "import mlcroissant.scripts.validate as v; from absl import app; app.run(v.main)"
    done = subprocess.run(
        [sys.executable, "-c", command, "--jsonld", str(release.path / "croissant.json")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Done" in done.stderr
    assert "WARNING" not in done.stderr
    assert "rror" not in done.stderr


# rdflib's parser and mlcroissant's reader use what their own libraries call outdated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_its_own_reader_loads_the_rows(release: Release) -> None:
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=str(release.path / "croissant.json"))
    for name, table in (
        ("conversions", release.conversions),
        ("images", release.images.reset_index()),
    ):
        loaded = list(islice(dataset.records(name), 5))
        assert len(loaded) == 5
        for row, expected in zip(loaded, table.to_dict(orient="records"), strict=False):
            assert {plain(k): plain(v) for k, v in row.items()} == {
                f"{name}/{k}": None if pd.isna(v) else v for k, v in expected.items()
            }


def plain(value: Any) -> Any:
    value = value.decode() if isinstance(value, bytes) else value
    return None if value is None or value != value else value


def test_it_names_every_file_with_its_digest_and_every_column(release: Release) -> None:
    told = json.loads((release.path / "croissant.json").read_text())
    manifest = json.loads((release.path / "manifest.json").read_text())
    for entry in told["distribution"]:
        listed = manifest["files"][entry["contentUrl"]]
        assert entry["sha256"] == listed["sha256"]
        assert entry["contentSize"] == f"{listed['bytes']} B"
    assert {entry["@id"] for entry in told["distribution"]} == manifest["files"].keys() - {
        "croissant.json"
    }
    for records, columns in zip(
        told["recordSet"], (release.conversions, release.images.reset_index()), strict=True
    ):
        assert [field["name"] for field in records["field"]] == list(columns.columns)
    assert told["version"] == f"0.0.0+{release.version}"
    for needed in ("license", "citeAs", "creator", "datePublished", "description", "name"):
        assert told[needed]


def test_every_column_has_a_meaning() -> None:
    assert list(CONVERSION_COLUMNS) == RELEASED.names
    assert list(IMAGE_COLUMNS) == IMAGES.names


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@given(st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]*\Z"))
def test_every_version_becomes_a_semantic_one(version: str) -> None:
    from mlcroissant._src.core.versions import VERSION_PATTERN_REGEX

    assert VERSION_PATTERN_REGEX.match(semantic_version(version))
