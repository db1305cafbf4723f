"""`clean` on a real, small table: what it finds, where it says so, and that it changes nothing."""

import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from svg_quality.cli import main
from svg_quality.tracking.lookup import newest_finished

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three drawn logos."""
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    (tmp_path / "logos").mkdir()
    for number in range(3):
        picture = np.full((40, 40, 3), 255, np.uint8)
        cv2.circle(picture, (20, 20), 6 + 4 * number, (30, 60 * number, 200), -1)
        cv2.imwrite(str(tmp_path / "logos" / f"logo{number}.png"), picture)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_reports_what_it_finds_and_changes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert = ["convert", "--logos", "logos", "--sets-per-image", "4", "--n-workers", "1"]
    assert main([*convert, "--jpeg-share", "0"]) == 0
    table = newest_finished("convert").artifact("conversions.parquet")
    before = hashlib.sha256(table.read_bytes()).hexdigest()
    assert main(["clean", "--n-remeasured", "4", "--n-workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "clean      12 of 12 conversions can be learned from, 0 set aside" in said
    assert "4 rows converted again give the same SSIM and bytes" in said
    assert hashlib.sha256(table.read_bytes()).hexdigest() == before
    run = newest_finished("clean")
    assert (project / "reports" / run.run_id / "cleaning_report.html").is_file()
    report = json.loads(run.artifact("cleaning_report.json").read_text())
    assert report["kept"] == 12
    assert report["correspondence"]["largest_ssim_difference"] == 0.0
    assert run.metrics["kept"] == 12
    assert run.artifact("cleaning_report.html").is_file()

    rows = pd.read_parquet(table)
    rows["ssim"] = (rows["ssim"] - 0.001).round(6)
    rows["ssim_worst_tile"] = -1.0
    rows["mse"], rows["psnr"] = 40.0, 10 * np.log10(255**2 / 40)
    rows.loc[0, "psnr"] = 1.0
    rows.to_parquet(table, index=False)
    assert main(["clean", "--n-remeasured", "4", "--n-workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "11 of 12 conversions can be learned from, 1 set aside" in said
    assert "1: psnr must be 10 log10(255^2 / mse)" in said
    assert "WARNING: 4 of 4 rows converted again do not give what the table says" in said
    run = newest_finished("clean")
    assert run.metrics["measured_otherwise"] == 4
    aside = pd.read_parquet(run.artifact("set_aside.parquet"))
    assert aside["conversion_id"].tolist() == [rows.loc[0, "conversion_id"]]

    assert main(["clean", "--n-remeasured", "0"]) == 0
    assert "converted again" not in capsys.readouterr().out
