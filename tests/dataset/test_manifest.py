"""A manifest finds every change of a folder."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svg_quality.dataset.manifest import (
    MANIFEST,
    check_folder,
    describe_files,
    differences,
    is_sealed,
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
    assert list(manifest) == ["name", "version", "files", "manifest_sha256"]
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


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_changed_byte_of_the_manifest_is_found(folder: Path, data: st.DataObject) -> None:
    path = folder / MANIFEST
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
    changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
    for content in (changed, whole + b"\n", whole[:place] + whole[place + 1 :]):
        path.write_bytes(content)
        try:
            assert differences(folder)
        except DatasetError:  # it is no manifest any more
            assert not is_sealed(content)
        with pytest.raises(DatasetError):
            check_folder(folder)
    path.write_bytes(whole)
    assert differences(folder) == []


def test_figures_rewritten_in_the_manifest_are_found(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"version": "1"', '"version": "2"'))
    assert differences(folder) == ["manifest.json has changed"]


@pytest.mark.parametrize("entry", ["1", "null", '{"sha256": 5, "bytes": 1}', '{"sha256": "x"}'])
def test_a_malformed_entry_is_refused(folder: Path, entry: str) -> None:
    (folder / MANIFEST).write_text(f'{{"files": {{"a": {entry}}}}}')
    with pytest.raises(DatasetError, match="a manifest must list files"):
        read_manifest(folder)


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
