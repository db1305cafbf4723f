"""The evaluation page: what it must hold, what it must not let in, and what it refuses."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import DatasetError
from svg_quality.evaluation.reporting.evaluation import EvaluationReport
from svg_quality.evaluation.reporting.report import write_report
from svg_quality.evaluation.reporting.scoreboard import MODEL_NAME, beside_baselines, score_table

VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "<script>alert(1)</script>"
SETS = (
    Parameters(),
    Parameters(colormode="binary"),
    Parameters(color_precision=2),
    Parameters(mode="polygon", filter_speckle=0, path_precision=0),
)


class Page(HTMLParser):
    """A parser that insists on what browsers forgive: balance, unique ids, single attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} repeats an attribute"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attrs for name, attrs in self.tags if name == tag)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def logo(seed: int) -> np.ndarray:
    """A disc and a bar in three colours, uint8 (48, 48, 3)."""
    rng = np.random.default_rng(seed)
    rgb = np.full((48, 48, 3), 255, np.uint8)
    first, second = (rng.integers(0, 256, 3).tolist() for _ in range(2))
    cv2.circle(rgb, rng.integers(14, 34, 2).tolist(), int(rng.integers(6, 14)), first, -1)
    cv2.rectangle(rgb, (4, 4), (int(rng.integers(10, 40)), 12), second, -1)
    return rgb


def numbers(measured: pd.Series, predicted: pd.Series, n_logos: int) -> dict[str, float]:
    error = predicted - measured
    return {
        "n": len(error),
        "n_logos": n_logos,
        "mae": float(error.abs().mean()),
        "rmse": float((error**2).mean() ** 0.5),
        "r2": float(1 - (error**2).sum() / ((measured - measured.mean()) ** 2).sum()),
        "pearson": float("nan"),
        "spearman": float("inf"),
    }


def metrics(rows: pd.DataFrame, shift: float = 0.0) -> dict[str, Any]:
    everyday = rows[rows["everyday"]]
    regions = {
        "full": rows,
        "everyday": everyday,
        "everyday_colour": everyday[everyday["colormode"] == "color"],
    }
    return {
        region: {
            "ssim": numbers(part["ssim"], part["predicted_ssim"] + shift, part.image_id.nunique()),
            "log_bytes": numbers(
                np.log(part["svg_bytes"]), np.log(part["predicted_svg_bytes"]) + shift, 15
            ),
            "coverage": {"coverage": np.float64(0.9), "n": np.int64(len(part))},
        }
        for region, part in regions.items()
    }


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """15 logos x 4 sets, really converted; the predictions are the truth with noise."""
    folder, rng, table = tmp_path_factory.mktemp("logos"), np.random.default_rng(5), []
    for seed in range(15):
        path = folder / f"logo {seed}.png"
        cv2.imwrite(str(path), logo(seed))
        image = load_image(path)
        for parameters in SETS:
            measured = measure(image.rgb, parameters)
            guess = measured.ssim + rng.normal(0, 0.05)
            table.append(
                parameters.as_dict()
                | {"image_id": image.image_id, "image_path": str(path), "logo_type": "simple"}
                | {"source": f"test/{path.name}"}
                | {"everyday": parameters.is_everyday, "format": "PNG"}
                | {"ssim": measured.ssim, "svg_bytes": measured.svg_bytes, "predicted_ssim": guess}
                | {"ssim_low": guess - 0.08, "ssim_high": guess + 0.08}
                | {"predicted_svg_bytes": measured.svg_bytes * np.exp(rng.normal(0, 0.2))}
            )
    return pd.DataFrame(table)


@pytest.fixture(scope="module")
def report(rows: pd.DataFrame) -> EvaluationReport:
    return EvaluationReport(
        title=f"Test {HOSTILE}",
        context={"model version": "3", "dataset": f"demo {HOSTILE}"},
        rows=rows,
        metrics=metrics(rows),
        baselines={"mean": metrics(rows, 0.3), f"boosting {HOSTILE}": metrics(rows, 0.1)},
        warnings=["the backbone's weights are random"],
    )


def page_of(report: EvaluationReport, folder: Path) -> tuple[str, Page]:
    text = write_report(report, folder)["html_report"].read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def written(report: EvaluationReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "new" / "folder"
    paths = write_report(report, folder)
    assert set(paths) == {"html_report", "metrics"}
    assert all(path.is_file() for path in paths.values())
    return folder


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page((written / "evaluation.html").read_text(encoding="utf-8"))


def test_the_page_is_well_formed_and_accessible(page: Page) -> None:
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    anchors = {str(attrs["href"])[1:] for attrs in page.all("a")}
    assert anchors <= set(ids)
    assert {attrs["aria-labelledby"] for attrs in page.all("section")} <= set(ids)
    assert next(page.all("html"))["lang"] == "en"
    assert all(attrs.get("alt") for attrs in page.all("img") if "src" in attrs)
    assert all(attrs.get("aria-label") for attrs in page.all("svg"))
    assert all(attrs.get("scope") for attrs in page.all("th"))
    assert sum(1 for _ in page.all("table")) == sum(1 for _ in page.all("caption"))


def test_the_page_runs_one_script_of_its_own_and_no_other(written: Path, page: Page) -> None:
    text = (written / "evaluation.html").read_text(encoding="utf-8")
    data, script = (
        next(attrs for attrs in page.all("script") if ("type" in attrs) is is_data)
        for is_data in (True, False)
    )
    assert data == {"type": "application/json", "id": "dots"}
    assert script == {}
    assert sum(1 for _ in page.all("script")) == 2
    body = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert body is not None
    policy = next(a for a in page.all("meta") if "http-equiv" in a)["content"]
    digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert "unsafe-eval" not in str(policy)


def test_each_dot_knows_its_logo_and_parameters(written: Path, rows: pd.DataFrame) -> None:
    text = (written / "evaluation.html").read_text(encoding="utf-8")
    embedded = re.search(r'<script type="application/json" id="dots">(.*?)</script>', text)
    assert embedded is not None
    data = json.loads(embedded[1])
    assert len(data["rows"]) == len(rows)
    assert len(data["images"]) == rows.image_id.nunique()
    assert all(image[2].startswith("data:image/webp;base64,") for image in data["images"])
    told = {(data["images"][row[0]][0], tuple(row[8:])) for row in data["rows"]}
    wanted = {
        (row.source, tuple(getattr(row, name) for name in data["names"]))
        for row in rows.itertuples()
    }
    assert told == wanted


def test_the_page_refers_to_nothing_outside_itself(page: Page) -> None:
    for tag, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (tag, name, value)
        assert tag not in {"link", "iframe", "object"}
    style = " ".join(page.words)
    assert "@import" not in style
    assert "url(" not in style
    assert "fetch(" not in style
    assert "localStorage" not in style  # MLflow's viewer blocks it


def test_names_from_outside_are_text_not_markup(written: Path, page: Page) -> None:
    text = (written / "evaluation.html").read_text(encoding="utf-8")
    assert text.lower().count("<script") == 2  # the page's own
    assert page.text.count(HOSTILE) >= 4  # title, heading, context, baseline in two tables


def test_warnings_and_context_are_told(page: Page) -> None:
    assert "the backbone's weights are random" in page.text
    assert "model version 3" in page.text


def test_every_case_is_shown_with_three_pictures(page: Page) -> None:
    assert sum(1 for _ in page.all("article")) == 24
    sources = [str(attrs["src"]) for attrs in page.all("img") if "src" in attrs]
    assert len(sources) == 72
    assert sum(source.startswith("data:image/svg+xml;base64,") for source in sources) == 24
    assert "Converted again" not in page.text.replace("Each was converted again", "")


def test_the_page_stays_small(written: Path) -> None:
    assert (written / "evaluation.html").stat().st_size < 1_000_000


def test_an_unreadable_image_is_a_card_with_the_reason(
    report: EvaluationReport, rows: pd.DataFrame, tmp_path: Path
) -> None:
    path = f"/nowhere/{HOSTILE}.png"
    text, page = page_of(replace(report, rows=rows.assign(image_path=path, source=path)), tmp_path)
    assert sum(1 for _ in page.all("article")) == 24
    assert page.text.count(f"an image must be readable, got {path}") == 24
    assert text.count("<script") == 2
    assert "<img src" not in text


def test_a_row_that_cannot_be_reproduced_says_so(
    report: EvaluationReport, rows: pd.DataFrame, tmp_path: Path
) -> None:
    _, page = page_of(replace(report, rows=rows.assign(ssim=rows["ssim"] - 1e-4)), tmp_path)
    assert page.text.count("Converted again, this row gives SSIM") == 24


def test_no_everyday_rows_and_no_metrics_still_make_a_page(
    report: EvaluationReport, rows: pd.DataFrame, tmp_path: Path
) -> None:
    few = rows.head(1).assign(everyday=False, logo_type=None)
    _, page = page_of(replace(report, rows=few, metrics={}, baselines={}), tmp_path)
    assert "no baseline to compare with" in page.text
    assert "not stated" in page.text


def test_metrics_are_strict_json(written: Path, rows: pd.DataFrame) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = (written / "metrics.json").read_text(encoding="utf-8")
    told = json.loads(text, parse_constant=refuse)
    assert told["metrics"]["full"]["ssim"]["pearson"] is None  # was NaN
    assert told["metrics"]["full"]["ssim"]["spearman"] is None  # was infinite
    assert told["metrics"]["full"]["ssim"]["mae"] == metrics(rows)["full"]["ssim"]["mae"]
    assert told["metrics"]["full"]["coverage"] == {"coverage": 0.9, "n": 60}
    assert sum(band["full"]["n"] for band in told["bands"]) == len(rows)


def test_the_best_of_each_column_is_marked(report: EvaluationReport) -> None:
    table = score_table(report.metrics, report.baselines, "ssim")
    own = table[MODEL_NAME]["full"]
    assert [score.best for score in own] == [True, True, True] + [False] * 4
    assert [score.value for score in own[3:]] == [None] * 4  # NaN is no score
    assert not any(score.best for score in table["mean"]["full"])


@pytest.mark.parametrize(
    ("own", "rival", "expected"),
    [
        pytest.param(0.018, 0.02, "The model errs 10% less.", id="better"),
        pytest.param(0.02, 0.02, "does not beat the baseline", id="equal"),
        pytest.param(0.03, 0.02, "does not beat the baseline", id="worse"),
    ],
)
def test_the_verdict_is_honest(own: float, rival: float, expected: str) -> None:
    shape = {"everyday": {"ssim": {"mae": own}}}
    baselines = {"mean": {"everyday": {"ssim": {"mae": 0.5}}},
                 "boosting": {"everyday": {"ssim": {"mae": rival}}}}  # fmt: skip
    sentence = beside_baselines(shape, baselines, "everyday")
    assert expected in sentence
    assert re.search(r"best baseline \(boosting\) 0\.0200", sentence)


def test_refuses_rows_it_cannot_draw(
    report: EvaluationReport, rows: pd.DataFrame, tmp_path: Path
) -> None:
    bad = {
        "it lacks ssim_low, ssim_high": rows.drop(columns=["ssim_low", "ssim_high"]),
        "at least one row": rows.head(0),
        "ssim must be a finite number in every row, 60 are not": rows.assign(ssim=np.nan),
        "predicted_svg_bytes must be above 0": rows.assign(predicted_svg_bytes=0.0),
    }
    for message, table in bad.items():
        with pytest.raises(DatasetError, match=message):
            write_report(replace(report, rows=table), tmp_path)
    assert list(tmp_path.iterdir()) == []
