"""A manifest finds every change of a folder."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svg_quality.dataset.manifest import (
    check_folder,
    describe_files,
    differences,
    read_manifest,
    write_manifest,
)
from svg_quality.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(bytes(range(256)))
    (tmp_path / "rows.jsonl").write_text("{}\n")
    write_manifest(tmp_path, {"name": "logos", "version": "1"})
    return tmp_path


def test_it_names_every_file_with_sha256_and_size(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert list(manifest) == ["name", "version", "files"]
    assert manifest["files"] == {
        "pictures/a.png": {
            "sha256": hashlib.sha256(bytes(range(256))).hexdigest(), "bytes": 256,
        },
        "rows.jsonl": {"sha256": hashlib.sha256(b"{}\n").hexdigest(), "bytes": 3},
    }  # fmt: skip
    assert check_folder(folder) == manifest
    assert differences(folder) == []


@given(st.integers(0, 255), st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_found(folder: Path, place: int, mask: int) -> None:
    path = folder / "pictures" / "a.png"
    data = bytearray(range(256))
    data[place] ^= mask
    path.write_bytes(data)
    assert differences(folder) == ["pictures/a.png has changed"]
    path.write_bytes(bytes(range(256)))
    assert differences(folder) == []


def test_every_kind_of_difference_is_named(folder: Path) -> None:
    (folder / "rows.jsonl").unlink()
    (folder / "pictures" / ".hidden").write_text("x")
    with (folder / "pictures" / "a.png").open("ab") as file:
        file.write(b"!")
    assert differences(folder) == [
        "pictures/.hidden is not in the manifest",
        "pictures/a.png has changed",
        "rows.jsonl is missing",
    ]
    with pytest.raises(DatasetError, match=r"pictures/\.hidden is not .* \(3 differences\)"):
        check_folder(folder)


def test_a_link_is_no_file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What it points at may change without a byte of the folder changing."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a.png"
    path = folder / "pictures" / "a.png"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert differences(folder) == ["pictures/a.png has changed"]
    (folder / "broken").symlink_to(folder / "nothing")
    assert describe_files(folder)["broken"]["bytes"] == 0


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"files": []}'])
def test_refuses_what_is_no_manifest(folder: Path, text: str | None) -> None:
    path = folder / "manifest.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DatasetError, match=r"a (release must have a manifest|manifest must list)"):
        read_manifest(folder)


def test_it_is_json_that_people_can_read(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    assert json.loads(text)["name"] == "logos"
    assert text.count("\n") > 5
