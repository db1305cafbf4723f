"""Backups: what belongs to one, and that it comes back byte by byte and over nothing."""

import json
from pathlib import Path

import pytest
from PIL import Image

from svg_quality.dataset.augmentation.scouting import scout_logos
from svg_quality.dataset.logos import LogoFile
from svg_quality.dataset.manifest import MANIFEST, read_manifest
from svg_quality.dataset.survey import SurveyTask
from svg_quality.dataset.targets import TYPE_SHARES
from svg_quality.dataset.transfers.backup import (
    DATABASE,
    LOG,
    chosen_parts,
    files_of,
    part_of,
    plan_restoration,
    put_back,
    refuse_many,
    send_backup,
)
from svg_quality.dataset.transfers.transfer import download_folder, remote_differences
from svg_quality.errors import DatasetError, StorageError

KEPT = {
    "data/releases/logos/1.0.0/manifest.json": b"{}",
    "data/releases/logos/1.0.0/conversions.parquet": bytes(range(256)),
    "data/logos/ab/abc.png": b"png",
    "data/marks.json": b"{}\n",
    LOG: b'{"a": 1}\n{"a": 2}\n',
    "mlruns/artifacts/run/artifacts/settings.json": b"{}",
    "mlruns/artifacts/models/m-1/artifacts/MLmodel": b"a: 1",
}
LEFT_OUT = {
    "data/releases/logos/.unfinished-77/conversions.parquet": b"half",
    "data/releases/logos/.lock": b"",
    "data/logos/ab/abc.4711": b"half",
    "data/conversions/log.jsonl.lock": b"",
    "mlruns/.mlflow.db.store.lock": b"",
    "data/exports/logos/1.0.0/manifest.json": b"made again from the release",
    "README.md": b"in git",
}
PARTS = ("releases", "logs", "models")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, content in (KEPT | LEFT_OUT).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    with (root / LOG).open("ab") as log:
        log.write(b'{"a": 3, "cut sho')
    return root


def sent(project: Path, tmp_path: Path, parts: tuple[str, ...] = PARTS) -> str:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    files = files_of(project, parts, scratch)
    about = {"parts": list(parts), "root": str(project)}
    return send_backup(files, about, str(tmp_path / "store"), scratch).url


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_what_is_whole_comes_back_byte_by_byte(project: Path, tmp_path: Path) -> None:
    url = sent(project, tmp_path)
    assert remote_differences(url) == []
    fetched = download_folder(url, tmp_path / "fetched")
    manifest = read_manifest(fetched)
    clone = tmp_path / "clone"
    plan = plan_restoration(manifest, clone, PARTS)
    assert (set(plan.new), plan.kept, plan.other) == (set(KEPT), (), ())
    put_back(fetched, clone, plan.new)
    assert contents(clone) == KEPT
    again = plan_restoration(manifest, clone, PARTS)
    assert (again.new, set(again.kept), again.other) == ((), set(KEPT), ())


def test_its_name_says_when_and_what(project: Path, tmp_path: Path) -> None:
    url = sent(project, tmp_path, ("logs",))
    digest = json.loads((Path(url) / MANIFEST).read_text())["digest"]
    name = Path(url).name
    assert name.startswith("backup-2")
    assert name.endswith(f"Z-{digest[:8]}")
    assert set(contents(Path(url))) == {LOG, "data/marks.json", MANIFEST}


def test_a_manifest_is_put_back_last(project: Path, tmp_path: Path) -> None:
    url = sent(project, tmp_path)
    fetched = download_folder(url, tmp_path / "fetched")
    (fetched / "data/releases/logos/1.0.0/conversions.parquet").unlink()  # as if killed before it
    with pytest.raises(FileNotFoundError):
        put_back(fetched, tmp_path / "clone", sorted(KEPT))
    assert not (tmp_path / "clone/data/releases/logos/1.0.0/manifest.json").exists()


def test_other_content_is_refused_before_anything_is_touched(project: Path, tmp_path: Path) -> None:
    manifest = read_manifest(Path(sent(project, tmp_path)))
    clone = tmp_path / "clone"
    for name in ("data/marks.json", "data/logos/ab/abc.png"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes(b"other")
    plan = plan_restoration(manifest, clone, PARTS)
    with pytest.raises(DatasetError, match=r"2 files have other content .* first: data/logos/ab/"):
        plan.refuse_others()
    plan_restoration(manifest, clone, ("models",)).refuse_others()


def test_a_log_that_went_on_is_kept_one_that_differs_is_not(project: Path, tmp_path: Path) -> None:
    manifest = read_manifest(Path(sent(project, tmp_path, ("logs",))))
    assert plan_restoration(manifest, project, ("logs",)).other == ()
    for content in (KEPT[LOG][:-1], b"x" + KEPT[LOG]):
        (project / LOG).write_bytes(content)
        assert plan_restoration(manifest, project, ("logs",)).other == (LOG,)


def test_a_file_that_changes_meanwhile_is_found(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from svg_quality.dataset.transfers import backup

    described = backup._described

    def and_then_changed(path: Path) -> dict[str, object]:
        entry = described(path)
        if path.name == "settings.json":
            path.write_bytes(b"[]")
        return entry

    monkeypatch.setattr(backup, "_described", and_then_changed)
    with pytest.raises(StorageError, match=r"settings\.json is read back other than it must be"):
        sent(project, tmp_path)


def test_refuses_unknown_parts_foreign_files_and_nothing(tmp_path: Path) -> None:
    assert chosen_parts("models,releases") == ("releases", "models")
    for wrong in ("", "releases,all", ","):
        with pytest.raises(DatasetError, match="parts must be of releases, logs, models, got"):
            chosen_parts(wrong)
    assert part_of(DATABASE) == "models"
    for name in ("src/svg_quality/cli.py", "data/releasesX", "mlruns/mlflow.db2"):
        with pytest.raises(DatasetError, match=f"this one holds {name}"):
            part_of(name)
    with pytest.raises(DatasetError, match="must hold a file, this project has none"):
        send_backup({}, {}, str(tmp_path), tmp_path)
    with pytest.raises(DatasetError, match="must say so in its manifest"):
        plan_restoration({"files": {}}, tmp_path, PARTS)


@pytest.mark.parametrize("name", ["created", "digest", "parts", "root"])
def test_refuses_a_manifest_that_lacks_something(project: Path, tmp_path: Path, name: str) -> None:
    manifest = read_manifest(Path(sent(project, tmp_path)))
    del manifest[name]
    with pytest.raises(DatasetError, match=f"must say created, .*, this one lacks {name}$"):
        plan_restoration(manifest, tmp_path / "clone", PARTS)


def test_backups_in_a_folder_are_named_the_newest_first(project: Path, tmp_path: Path) -> None:
    url = Path(sent(project, tmp_path))
    refuse_many(str(url))
    names = [f"backup-2025110{day}T000000Z-abcdabcd" for day in range(1, 8)]
    for name in names:
        (url.parent / name).mkdir()
        (url.parent / name / MANIFEST).write_text("{}")
    (url.parent / "backup-20990101T000000Z-unfinish").mkdir()
    (url.parent / "backup-20990101T000000Z-unfinish" / "a").write_text("half")
    newest = ", ".join([url.name, *names[:2:-1]])
    with pytest.raises(
        DatasetError, match=f"one backup must be named, .*store holds 8; newest first: {newest}$"
    ):
        refuse_many(str(url.parent))


def test_a_scouted_picture_that_is_half_written_stays_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logo = tmp_path / "logo.png"
    Image.linear_gradient("L").resize((40, 30)).save(logo)
    library = tmp_path / "project/data/logos"
    while_written: list[str] = []

    def seen_by_a_backup(unfinished: Path, target: Path) -> Path:
        while_written.append(unfinished.name)
        assert files_of(tmp_path / "project", ("releases",), tmp_path) == {}
        return rename(unfinished, target)

    rename = Path.replace
    monkeypatch.setattr(Path, "replace", seen_by_a_backup)
    task = SurveyTask(LogoFile(logo, "logo.png", None), "logos", library, 64, 0.0)
    wanted = dict.fromkeys(TYPE_SHARES, 1)
    found = scout_logos([task], wanted, [], n_workers=1, timeout_s=60)
    assert len(while_written) == len(found.records) > 0
    assert len(files_of(tmp_path / "project", ("releases",), tmp_path)) == len(found.records)
