"""The report of a cleaning: its counts add up, and its page needs nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from svg_quality.dataset.cleaning.clean import reasons
from svg_quality.dataset.cleaning.cleaning_report import summarise, write_cleaning_report
from svg_quality.dataset.cleaning.correspondence import Correspondence
from svg_quality.dataset.cleaning.outliers import find_outliers
from svg_quality.dataset.tables import FIGURES, conversions_table

Row = Callable[..., dict[str, Any]]


def dirty_table(make_row: Row, many_rows: pd.DataFrame) -> pd.DataFrame:
    bad = [
        make_row("f1", **dict.fromkeys(FIGURES), error="it hung"),
        make_row("f2", **dict.fromkeys(FIGURES), error="it <script>alert(1)</script> hung"),
        make_row("p", psnr=1.0),
    ]
    return pd.concat([many_rows, conversions_table(bad)], ignore_index=True)


def test_the_counts_add_up(make_row: Row, many_rows: pd.DataFrame) -> None:
    table = dirty_table(make_row, many_rows)
    why = reasons(table)
    kept = table[why.isna()]
    found = summarise(table, why, find_outliers(kept, 2.0), 2.0, None)
    assert found["rows"] == found["kept"] + found["set_aside"] == len(table)
    assert found["set_aside"] == sum(entry["rows"] for entry in found["reasons"]) == 3
    assert found["reasons"][0]["reason"] == "conversion failed"
    assert found["reasons"][0]["rows"] == len(found["errors"]) == 2
    assert sum(entry["rows"] for entry in found["formats"]) == found["kept"]
    assert sum(entry["images"] for entry in found["formats"]) == found["images_kept"] == 144
    assert sum(entry["copies"] for entry in found["formats"]) == 24
    listed = sum(sum(entry["by_figure"].values()) for entry in found["outliers"]["types"])
    assert listed == len(found["outliers"]["list"]) > 0
    assert found["correspondence"] is None


def test_the_page_is_one_file_that_says_loudly_what_is_wrong(
    tmp_path: Path, make_row: Row, many_rows: pd.DataFrame
) -> None:
    table = dirty_table(make_row, many_rows)
    why = reasons(table)
    checked = pd.DataFrame(
        {"conversion_id": ["a" * 64, "b" * 64], "ssim_difference": [0.0, 0.25],
         "finding": pd.Series([None, "SSIM must be 0.75, got 0.5"], dtype="str")}
    )  # fmt: skip
    none = find_outliers(table, 1e9)
    found = summarise(table, why, none, 1e9, Correspondence(checked))
    paths = write_cleaning_report(found, {"table": "run r of convert"}, tmp_path / "new")
    page = paths["html_report"].read_text()
    assert "1 of 2 rows that were converted again do not give what the table says" in page
    assert "SSIM must be 0.75, got 0.5" in page
    assert "run r of convert" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    stored = json.loads(paths["metrics"].read_text())
    assert stored["correspondence"] == {
        "rows": 2, "agreeing": 1, "largest_ssim_difference": 0.25, "ssim_tolerance": 1e-6,
        "findings": [{"conversion_id": "b" * 64, "finding": "SSIM must be 0.75, got 0.5"}],
    }  # fmt: skip


def test_a_clean_table_says_so(tmp_path: Path, many_rows: pd.DataFrame) -> None:
    checked = pd.DataFrame({"conversion_id": ["a" * 64], "ssim_difference": [0.0]})
    agreeing = Correspondence(checked.assign(finding=pd.Series([None], dtype="str")))
    found = summarise(many_rows, reasons(many_rows), find_outliers(many_rows, 1e9), 1e9, agreeing)
    page = write_cleaning_report(found, {}, tmp_path)["html_report"].read_text()
    assert "No row had to be set aside" in page
    assert "is 0. All of them agree." in page
    assert 'role="alert"' not in page
