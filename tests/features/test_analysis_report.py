"""The report finds what was put into the rows, is plain JSON, and its page shows it."""

import json
import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from svg_quality.features.analysis.page import write_analysis
from svg_quality.features.analysis.report import (
    Conversions,
    Pictures,
    analyse_inputs,
    analyse_pictures,
)

RNG = np.random.default_rng(0)
N = 60
TYPES = tuple("round" if number % 2 else "<square>" for number in range(N))
# Two well-parted kinds of features; the first descriptor is the quality, the second constant.
FEATURES = RNG.normal(size=(N, 10)) + 20 * (np.arange(N) % 2)[:, None]
QUALITY = RNG.uniform(0.5, 1, N)


def pictures() -> Pictures:
    descriptors = np.column_stack([QUALITY**3, np.ones(N), RNG.normal(size=N)])
    return Pictures(
        FEATURES, descriptors, ("cube", "constant", "noise"), TYPES,
        {"SSIM": QUALITY, "log bytes": np.where(np.arange(N) < 30, np.nan, -QUALITY)},
    )  # fmt: skip


def conversions(seed: int) -> Conversions:
    """300 rows: SSIM is the second of three inputs; the others are noise."""
    rng = np.random.default_rng(seed)
    tabular = rng.normal(size=(300, 3))
    return Conversions(tabular, FEATURES, rng.integers(0, N, 300), {"SSIM": tabular[:, 1]})


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    told = analyse_pictures(pictures(), 3, seed=0)
    called: list[int] = []
    told["importance"] = analyse_inputs(
        conversions(1), conversions(2), ("a", "b", "c"), {"ab": slice(0, 2), "c": slice(2, 3)},
        n_components=2, n_repeats=2, seed=0, on_target=lambda: called.append(1),
    )  # fmt: skip
    assert called == [1]
    told["context"] = {"run": "0123"}
    plain: dict[str, Any] = json.loads(json.dumps(told, allow_nan=False))
    return plain


def test_it_finds_what_was_put_in(report: dict[str, Any]) -> None:
    first = report["correlations"]["SSIM"]
    assert (first["found"][0]["name"], first["constant"]) == ("cube", ["constant"])
    assert first["found"][0]["spearman"] == pytest.approx(1)
    assert len(first["found"]) == 2 + 3
    second = report["correlations"]["log bytes"]
    assert (second["n_images"], second["found"][0]["name"]) == (30, "cube")
    assert second["found"][0]["spearman"] == pytest.approx(-1)
    assert report["clusters"]["n_clusters"] == 2
    assert report["clusters"]["adjusted_rand"] == 1
    assert report["pictures"]["by_type"] == {"<square>": 30, "round": 30}
    importance = report["importance"]["SSIM"]
    assert importance["inputs"][0]["name"] == "b"
    assert {each["name"] for each in importance["inputs"]} == {
        "a", "b", "c", "component_1", "component_2",
    }  # fmt: skip
    assert importance["blocks"][0]["name"] == "ab"
    assert {each["name"]: each["n_inputs"] for each in importance["blocks"]} == {
        "ab": 2, "c": 1, "features": 2,
    }  # fmt: skip
    assert importance["n_rows"] == 300


def test_rows_without_a_target_do_not_count() -> None:
    train, held_out = conversions(1), conversions(2)
    train.targets["SSIM"][::2] = math.nan  # type: ignore[index]
    held_out.targets["SSIM"][:200] = math.nan  # type: ignore[index]
    told = analyse_inputs(train, held_out, ("a", "b", "c"), {}, 2, 1, 0)["SSIM"]
    assert told["n_rows"] == 100
    assert told["n_images"] == len(np.unique(held_out.image_index[200:]))


class Checked(HTMLParser):
    """Text, and whether every element that was opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_says_it(report: dict[str, Any], tmp_path: Path) -> None:
    written = write_analysis(report, tmp_path, ["The backbone is <random>."])
    assert json.loads(written["metrics"].read_text()) == json.loads(json.dumps(report))
    page = written["html_report"].read_text()
    checked = Checked()
    checked.feed(page)
    assert checked.open == []
    told = ("60 logos", "The backbone is <random>.", "cube", "+1.000", "log bytes",
            "1 left out because they never vary", "component_1", "<square>", "0123")  # fmt: skip
    for text in told:
        assert text in checked.text, text
    assert "<square>" not in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["components"].update(scores=[[1.0]] * N, share=[1.0]),
        lambda told: told["components"].update(types=[f"type {n % 9}" for n in range(N)]),
        lambda told: told["correlations"]["SSIM"].update(found=[]),
    ],
)
def test_odd_reports_have_a_page_too(
    report: dict[str, Any], change: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    told = json.loads(json.dumps(report))
    change(told)
    checked = Checked()
    checked.feed(write_analysis(told, tmp_path)["html_report"].read_text())
    assert checked.open == []
