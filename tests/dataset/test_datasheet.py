"""The datasheet: its numbers are the release's, and its examples run."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svg_quality.dataset.releases.datasheet import statistics
from svg_quality.dataset.releases.release import Release, make_release


@pytest.fixture
def release(tmp_path: Path, many_rows: pd.DataFrame) -> Release:
    hostile = many_rows.assign(source="<script>alert(1)</script>/" + many_rows["source"])
    return make_release(hostile, tmp_path, "logos", "1.0.0", max_distance=0, seed=1)


def test_its_examples_run_as_they_stand(
    release: Release, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = re.findall(
        r"```python\n(.*?)```", (release.path / "DATASHEET.md").read_text(), re.DOTALL
    )
    assert len(examples) == 3
    monkeypatch.chdir(release.path)
    for example in examples:
        exec(compile(example, "DATASHEET.md", "exec"), {})
    assert capsys.readouterr().out.startswith(str(len(release.rows("train"))))


def test_the_statistics_are_those_of_the_tables(release: Release) -> None:
    rows, images = release.conversions, release.images
    told = statistics(rows, images)
    levels = told["quantile_levels"]
    assert told["quantiles"]["ssim"] == pytest.approx(np.quantile(rows["ssim"], levels))
    assert told["quantiles"]["longer_side"] == [64.0] * len(levels)
    for split, group in told["splits"].items():
        part = rows[rows["split"] == split]
        assert (group["rows"], group["images"]) == (len(part), part["image_id"].nunique())
        assert group["mean_ssim"] == pytest.approx(part["ssim"].mean())
    assert sum(group["row_share"] for group in told["types"].values()) == pytest.approx(1)
    assert told["shares"]["copies"] == 24 / 144


def test_both_forms_say_the_same_facts(release: Release) -> None:
    text = (release.path / "DATASHEET.md").read_text()
    page = (release.path / "datasheet.html").read_text()
    for fact in (release.digest, "ssim_worst_tile", "VTracer: bits per colour channel"):
        assert fact in text
        assert fact in page
    for heading in ("Files", "Statistics", "How it was collected", "Usage", "Limits", "Bias"):
        assert f"## {heading}" in text
        assert f"<h2>{heading}</h2>" in page
    assert "144 pictures are few" in text
    for path in release.path.iterdir():
        assert f"`{path.name}`" in text
        assert f"<code>{path.name}</code>" in page
    examples = re.findall(r"```python\n(.*?)\n```", text, re.DOTALL)
    assert re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL) == examples
    assert "`fill-gaps` rows" in text
    assert "<code>fill-gaps</code> rows" in page


def test_the_page_is_alone_and_names_are_no_markup(release: Release) -> None:
    page = (release.path / "datasheet.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(src|href)=.?https?:", page)
    assert "default-src 'none'" in page


def test_an_empty_split_has_no_mean(many_rows: pd.DataFrame, release: Release) -> None:
    train = release.rows("train")
    told = statistics(train, release.images[release.images["split"] == "train"])
    assert told["splits"]["test"] == {
        "rows": 0, "row_share": 0.0, "images": 0, "mean_ssim": None,
    }  # fmt: skip
