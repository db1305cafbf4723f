"""`svg-quality collect` as a person runs it: real processes, real images, what is left behind."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from svg_quality.cli import main
from svg_quality.dataset.tables import check_conversions
from svg_quality.tracking.lookup import newest_finished

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with two pictures and a folder of logs."""
    for name in ("experiments", "data/logos", "logs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "MLproject").write_text((ROOT / "MLproject").read_text())
    (tmp_path / "experiments/demo.yaml").write_text("{}")
    for number in range(2):
        pixels = np.full((24, 24, 3), 255, np.uint8)
        pixels[4:20, 4 : 10 + 8 * number] = (200, 30, 30 + 100 * number)
        Image.fromarray(pixels).save(tmp_path / f"data/logos/{number}.png")
    base = {"parameters": {"color_precision": 6, "path_precision": 2}, "ssim": 0.5}
    records = [
        {**base, "image_path": "data/logos/0.png"},
        {**base, "image_path": "data/logos/1.png"},
        {**base, "image_path": "data/logos/2.png"},
        {**base, "image_path": "data/logos/1.png", "ssim": "NaN"},
    ]
    (tmp_path / "logs/sweep.json").write_text(json.dumps({"results": records}))
    (tmp_path / "logs/other.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_collect_accounts_for_every_record(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", "logs", "--re-measure", "--n-workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "other.csv: a log must list records" in said
    assert "sweep.json: 4 records with image, ssim, 2 parameters; 2 in the table, 2 not" in said
    assert (
        "4 records: 2 in the table, 2 in quarantine (1 SSIM not a number, 1 image not found)"
        in (said)
    )
    assert "measured again: 2 logged SSIM were off by" in said
    assert "svg-quality dataset --collected newest" in said

    run = newest_finished("collect")
    table = check_conversions(pd.read_parquet(run.artifact("conversions.parquet")))
    assert table["source"].tolist() == [
        "sweep.json/data/logos/0.png",
        "sweep.json/data/logos/1.png",
    ]
    assert (table["svg_bytes"] > 0).all()
    assert all((project / "data/logos" / path).is_file() for path in table["image_path"])
    report = json.loads(run.artifact("collection.json").read_text())
    assert (report["records"], report["in_table"], report["in_quarantine"]) == (4, 2, 2)
    assert report["remeasured"]["n"] == 2
    assert report["vtracer_defaults_used"]["mode"] == 2
    quarantine = project / "reports" / run.run_id / "quarantine.jsonl"
    assert str(quarantine) in said
    lines = [json.loads(line) for line in quarantine.read_text().splitlines()]
    assert [line["at"] for line in lines] == ["results[2]", "results[3]"]
    assert lines[1]["reasons"] == ["SSIM not a number: ssim is 'NaN'"]

    logged = mlflow.get_run(run.run_id)
    assert logged.inputs.dataset_inputs[0].dataset.name == "logs"
    assert logged.data.metrics["quarantined"] == 2
    mean_error = report["remeasured"]["mean_absolute"]
    assert logged.data.metrics["remeasured.mean_absolute"] == pytest.approx(mean_error)


@pytest.mark.slow
def test_the_same_logs_give_the_same_digest(project: Path) -> None:
    digests = []
    for _ in range(2):
        assert main(["collect", "logs", "--images", str(project), "--n-workers", "1"]) == 0
        run = newest_finished("collect")
        digests.append(run.output_digest)
    assert digests[0] == digests[1]


def test_refuses_a_folder_of_images_that_is_not_there(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", "logs", "--images", "/nope"]) == 2
    assert capsys.readouterr().err == "svg-quality: images must be a folder, /nope is none\n"


def test_the_problem_of_every_log_is_named_where_none_is_usable(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "logs/sweep.json").write_text("{")
    assert main(["collect", "logs"]) == 2
    said = capsys.readouterr()
    assert "collect    other.csv: a log must list records" in said.out
    assert "collect    sweep.json: a JSON log must be whole" in said.out
    assert said.err == "svg-quality: a log must be usable, none of the 2 in logs is\n"


@pytest.mark.slow
def test_refuses_logs_of_which_none_is_usable(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", "logs/other.csv"]) == 2
    assert "other.csv has a, b, and lacks an image path" in capsys.readouterr().err
    assert main(["collect", "nowhere"]) == 2
    (project / "mine.yaml").write_text("fields: {sim: [a]}")
    assert main(["collect", "logs", "--aliases", "mine.yaml"]) == 2
    assert "got 'sim'" in capsys.readouterr().err
