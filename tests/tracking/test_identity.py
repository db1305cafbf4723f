"""Digests of work: what changes them, and what must not."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.tracking.identity import (
    Work,
    canonical_json,
    code_digest,
    fingerprint,
    flatten,
    git_state,
)

names = st.text("abc", min_size=1, max_size=3)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names
settings = st.dictionaries(names, values | st.dictionaries(names, values), max_size=5)

WORK = Work("train", {"epochs": 5}, {"extract": "run-1"}, {"extract": "digest-1"}, "code-1")


@given(settings)
def test_the_order_of_settings_does_not_matter(one: dict[str, Any]) -> None:
    other = dict(reversed(one.items()))
    assert fingerprint("train", one, {}, "") == fingerprint("train", other, {}, "")


@given(settings, settings)
def test_other_settings_are_other_work(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = canonical_json(one) == canonical_json(other)
    assert (fingerprint("train", one, {}, "") == fingerprint("train", other, {}, "")) is same


def test_an_input_computed_twice_is_the_same_input() -> None:
    assert replace(WORK, inputs={"extract": "run-2"}).fingerprint == WORK.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(WORK, stage="evaluate"),
        replace(WORK, settings={"epochs": 6}),
        replace(WORK, settings={"epochs": "5"}),
        replace(WORK, digests={"extract": "digest-2"}),
        replace(WORK, code="code-2"),
    ],
)
def test_everything_else_is_part_of_the_fingerprint(other: Work) -> None:
    assert other.fingerprint != WORK.fingerprint


def test_a_fingerprint_stays_what_it_was() -> None:
    # printf '%s' '{"code":"c","digests":{},"settings":{"a":1},"stage":"s"}' | sha256sum
    expected = "81f394f44b547ccb7b079b129478765a3460e1594adf431b3d64e54d26a50a50"
    assert fingerprint("s", {"a": 1}, {}, "c") == expected


def test_paths_sets_and_mappings_are_settings_too() -> None:
    odd = {"path": Path("/a"), "set": {"y", "x"}, "mapping": MappingProxyType({"b": 1})}
    assert canonical_json(odd) == '{"mapping":{"b":1},"path":"/a","set":["x","y"]}'


def test_a_setting_must_be_writable() -> None:
    with pytest.raises(TypeError, match="must be something JSON can write, got object"):
        fingerprint("train", {"x": object()}, {}, "")


def test_code_is_its_files_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.py").write_text("1")
    (tmp_path / "b.py").write_text("2")
    (tmp_path / "a" / "notes.txt").write_text("not code")
    before = code_digest(["a", "b.py"], tmp_path)
    assert code_digest(["b.py", "a", "a/one.py"], tmp_path) == before
    (tmp_path / "a" / "notes.txt").write_text("still not code")
    assert code_digest(["a", "b.py"], tmp_path) == before
    (tmp_path / "a" / "one.py").write_text("3")
    changed = code_digest(["a", "b.py"], tmp_path)
    assert changed != before
    (tmp_path / "a" / "one.py").rename(tmp_path / "a" / "two.py")
    assert code_digest(["a", "b.py"], tmp_path) not in (before, changed)


def test_code_does_not_depend_on_where_it_is_installed(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.py").write_text("pass")
    assert code_digest(["m.py"], tmp_path / "x") == code_digest(["m.py"], tmp_path / "y")


def test_our_own_package_has_code() -> None:
    assert code_digest(["tracking", "errors.py"]) != code_digest(["errors.py"])


def test_missing_code_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match="must be a Python file or folder"):
        code_digest(["no_such_package"])


def test_flattened_settings_are_text(tmp_path: Path) -> None:
    nested = {"a": {"b": {"c": 1}, "d": None}, "e": True, "f": "x", "g": tmp_path, "h": {}}
    assert flatten(nested, "settings") == {
        "settings.a.b.c": "1",
        "settings.a.d": "null",
        "settings.e": "true",
        "settings.f": "x",
        "settings.g": str(tmp_path),
        "settings.h": "{}",
    }


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_says_commit_and_dirt(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True)

    assert git_state(tmp_path) is None
    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    clean = git_state(tmp_path)
    assert clean is not None
    assert (len(clean.commit), clean.dirty) == (40, False)
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path) == replace(clean, dirty=True)
