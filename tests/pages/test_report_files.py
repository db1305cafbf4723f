"""A report is a page that shows what it is given and a JSON file that every reader takes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from svg_quality.pages.report_files import write_report_files
from svg_quality.pages.strict_json import embedded_json, strict_json

BASE = "svg_quality.pages", "base.html.j2"  # a whole page with empty blocks
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@dataclass(frozen=True)
class Told:
    name: str
    figures: Any


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def test_both_files_have_the_stem_and_the_folder_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "1a2b"
    written = write_report_files(folder, "comparison", Told("é", (0.5,)), *BASE)
    assert written == {
        "html_report": folder / "comparison.html",
        "metrics": folder / "comparison.json",
    }
    assert set(folder.iterdir()) == set(written.values())
    assert written["html_report"].read_text(encoding="utf-8").strip().startswith("<!DOCTYPE html>")
    told = json.loads(written["metrics"].read_text(encoding="utf-8"))
    assert told == {"name": "é", "figures": [0.5]}


def test_the_json_file_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    written = write_report_files(tmp_path, "evaluation", {}, *BASE, json_stem="metrics")
    assert written["html_report"] == tmp_path / "evaluation.html"
    assert written["metrics"] == tmp_path / "metrics.json"


def test_what_a_template_lacks_is_no_half_report(tmp_path: Path) -> None:
    template = "svg_quality.model", "export.html.j2"
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        write_report_files(tmp_path / "new", "export", {}, *template)
    assert not (tmp_path / "new").exists()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | FINITE | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert json.loads(strict_json(value)) == value
    assert json.loads(embedded_json(value)) == value
    assert "<" not in embedded_json(value)


def test_numbers_that_are_none_become_null_wherever_they_stand() -> None:
    nan = float("nan")
    value = {
        "array": np.array([1.5, np.nan, np.inf]),
        "scalar": np.float32("nan"),
        "nested": [Told("x", {1: nan, 2: -float("inf")})],
        "whole": np.int64(7),
        "path": Path("reports"),
    }
    assert json.loads(strict_json(value), parse_constant=refuse) == {
        "array": [1.5, None, None],
        "scalar": None,
        "nested": [{"name": "x", "figures": {"1": None, "2": None}}],
        "whole": 7,
        "path": "reports",
    }
