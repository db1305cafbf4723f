"""`optimize` for real: one logo, what it writes and refuses, and a folder of logos."""

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from svg_quality.cli import main
from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters, parameters_from

DrawLogo = Callable[[Path, int], Path]
QUICK = ("--method", "feature_mapping")


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What was printed, by each line's first word."""
    said = capsys.readouterr().out.splitlines()
    return {line.split()[0]: line for line in said if line.strip()}


def figures(line: str) -> tuple[float, int]:
    found = re.search(r"SSIM ([\d.]+), ([\d,]+) bytes", line)
    assert found, line
    return float(found[1]), int(found[2].replace(",", ""))


@pytest.mark.parametrize("method", ["predictive", "feature_mapping"])
def test_a_logo_becomes_the_svg_that_was_measured(
    method: str, project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    logo = draw_logo(project / "badge.png", 1)
    output = project / "chosen.svg"
    arguments = ["optimize", str(logo), "-o", str(output), "--min-ssim", "0.9", "--method", method]
    assert main(arguments) == 0
    lines = told(capsys)
    ssim, svg_bytes = figures(lines["chosen"])
    assert ssim >= 0.9
    assert output.stat().st_size == svg_bytes
    changed = dict(part.split("=") for part in lines["parameters"].split()[1:] if "=" in part)
    again = measure(load_image(logo).rgb, parameters_from(changed))
    assert again.svg == output.read_text()
    assert round(again.ssim, 4) == ssim
    assert figures(lines["default"])[1] >= svg_bytes
    words = shlex.split(lines["command"])[1:]
    assert words[:5] == ["vtracer", "--input", str(logo), "--output", str(output)]
    rows = (project / "data" / "conversions" / "use.jsonl").read_text().splitlines()
    assert any(json.loads(row)["svg_bytes"] == svg_bytes for row in rows)


def test_a_photograph_is_not_written_and_the_evidence_is_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = project / "coffee.jpg"
    Image.fromarray(data.coffee()).resize((150, 100)).save(photo, quality=90)
    arguments = ["optimize", str(photo), "--min-ssim", "0.97", *QUICK]
    assert main(arguments) == 3
    lines = told(capsys)
    assert "Do not vectorise: of 4,096 settings none reaches SSIM 0.97" in lines["advice"]
    assert "nothing" in lines["written"]
    assert not (project / "coffee.svg").exists()
    assert main([*arguments, "--best-effort"]) == 3
    assert (project / "coffee.svg").stat().st_size == figures(
        capsys.readouterr().out.split("best found ")[1]
    )[1]


def test_what_is_not_reached_names_the_nearest(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    logo = draw_logo(project / "badge.png", 1)
    arguments = ["optimize", str(logo), "--objective", "best-ssim", "--max-bytes", "1", *QUICK]
    assert main(arguments) == 3
    assert "the nearest has SSIM" in told(capsys)["missed"]
    assert not (project / "badge.svg").exists()


def test_without_a_model_the_defaults_are_measured_and_another_method_is_named(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "experiments" / "demo.yaml").write_text("predictor: {enabled: false}\n")
    logo = draw_logo(project / "badge.png", 1)
    assert main(["optimize", str(logo)]) == 2
    lines = told(capsys)
    expected = measure(load_image(logo).rgb, Parameters())
    assert figures(lines["default"]) == (round(expected.ssim, 4), expected.svg_bytes)
    assert "predictor.enabled is false" in lines["no"]
    assert "--method search" in lines["hint"]
    assert not (project / "badge.svg").exists()
    assert main(["optimize", str(logo), *QUICK]) == 0
    assert (project / "badge.svg").exists()


def test_a_method_without_a_model_does_not_care_for_a_damaged_one(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "damaged").mkdir()
    (project / "experiments" / "demo.yaml").write_text("predictor: {model: damaged}\n")
    logo = draw_logo(project / "badge.png", 1)
    assert main(["optimize", str(logo), "--min-ssim", "1", "--best-effort", *QUICK]) == 3
    assert "the nearest has SSIM" in told(capsys)["missed"]
    assert (project / "badge.svg").exists()
    assert main(["optimize", str(logo)]) == 2
    assert "must have a bundle.json" in capsys.readouterr().err


def test_a_table_of_the_users_in_the_output_folder_is_left_alone(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_logo(project / "logos" / "a.png", 1)
    table = project / "logos" / "summary.csv"
    table.write_text("year,sales\n")
    arguments = ["optimize", str(project / "logos"), "-o", str(project / "logos"), *QUICK]
    assert main(arguments) == 2
    assert "summary.csv is something else" in capsys.readouterr().err
    assert table.read_text() == "year,sales\n"
    assert not (project / "logos" / "a.svg").exists()


def test_nothing_of_the_users_is_overwritten(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    logo = draw_logo(project / "badge.png", 1)
    drawing = project / "badge.svg"
    drawing.write_text("<svg xmlns='http://www.w3.org/2000/svg'><!-- by hand --></svg>")
    assert main(["optimize", str(logo), *QUICK]) == 2
    assert "an output must be new or an earlier tracing" in capsys.readouterr().err
    assert "by hand" in drawing.read_text()
    assert main(["optimize", str(logo), "-o", str(logo), *QUICK]) == 2
    assert "must end in .svg" in capsys.readouterr().err
    assert main(["optimize", str(logo), "-o", str(project / "no" / "a.svg"), *QUICK]) == 2
    assert "an output's folder must exist" in capsys.readouterr().err
    output = project / "new.svg"
    for _ in range(2):  # its own tracing is replaced
        assert main(["optimize", str(logo), "-o", str(output), *QUICK]) == 0


def test_an_svg_of_an_earlier_run_stays_and_is_named_where_nothing_is_written(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    logo = draw_logo(project / "logos" / "a.png", 1)
    asked = [["optimize", str(logo), *QUICK], ["optimize", str(logo.parent), *QUICK]]
    svgs = [logo.with_suffix(".svg"), project / "logos-svg" / "a.svg"]
    for arguments, svg in zip(asked, svgs, strict=True):
        assert main(arguments) == 0
        assert "kept" not in told(capsys)
        before = svg.read_bytes()
        assert main([*arguments, "--max-bytes", "60"]) == 3
        assert svg.name in told(capsys)["kept"]
        assert svg.read_bytes() == before


def test_a_logo_must_be_named_and_there(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    logo = draw_logo(project / "badge.png", 1)
    assert main(["optimize", str(logo), *QUICK]) == 0
    logo.unlink()
    assert main(["optimize", str(logo), *QUICK]) == 2  # its earlier tracing is still there
    assert "an image must be readable" in capsys.readouterr().err
    assert main(["optimize", "", *QUICK]) == 2
    assert "a logo must be named" in capsys.readouterr().err


def test_a_folder_gives_every_logo_a_row_whatever_becomes_of_it(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project / "logos"
    for number, name in enumerate(["a.png", "a.gif", "b.png", "sub/a.png"]):
        draw_logo(folder / name, number)
    (folder / "broken.png").write_bytes(b"no picture")
    Image.fromarray(data.coffee()).resize((150, 100)).save(folder / "coffee.jpg", quality=90)
    arguments = ["optimize", str(folder), "--min-ssim", "0.9", "--n-workers", "2", *QUICK]
    assert main(arguments) == 1
    output = project / "logos-svg"
    with (output / "summary.csv").open(newline="") as file:
        rows = {row["logo"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == ["a.gif", "a.png", "b.png", "broken.png", "coffee.jpg", "sub/a.png"]
    assert rows["broken.png"]["status"] == "failed"
    assert rows["broken.png"]["ssim"] == ""
    assert "an image must be" in rows["broken.png"]["reason"]
    assert rows["coffee.jpg"]["svg"] == ""
    written = {row["svg"] for row in rows.values() if row["svg"]}
    assert written == {p.relative_to(output).as_posix() for p in output.rglob("*.svg")}
    assert {"a.png.svg", "a.gif.svg", "b.svg", "sub/a.svg"} == written
    for row in rows.values():
        if row["svg"]:
            assert (output / row["svg"]).stat().st_size == int(row["svg_bytes"])
    said = capsys.readouterr().out
    assert "6: 4 found" in said
    assert "1 failed" in said
    page = (output / "gallery.html").read_text()
    assert page.count('<article class="card">') == 6
    assert '="http' not in page
    assert len(json.loads((output / "summary.json").read_text())) == 6


def test_a_second_run_does_not_take_its_own_svgs_for_logos(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project / "logos"
    draw_logo(folder / "a.png", 1)
    for output in (folder, folder / "svg", project / "elsewhere"):
        for _ in range(2):
            assert main(["optimize", str(folder), "-o", str(output), *QUICK]) == 0
            assert "logos      1: 1 found" in capsys.readouterr().out


def test_a_drawing_in_the_output_folder_is_left_alone(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_logo(project / "logos" / "a.png", 1)
    drawing = project / "drawn" / "a.svg"
    drawing.parent.mkdir()
    drawing.write_text("<svg xmlns='http://www.w3.org/2000/svg'><!-- by hand --></svg>")
    assert main(["optimize", str(project / "logos"), "-o", str(drawing.parent), *QUICK]) == 1
    assert "by hand" in drawing.read_text()
    assert "a.svg is something else" in capsys.readouterr().out


def test_a_folder_without_a_model_stops_at_once(
    project: Path, draw_logo: DrawLogo, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "experiments" / "demo.yaml").write_text("predictor: {enabled: false}\n")
    draw_logo(project / "logos" / "a.png", 1)
    assert main(["optimize", str(project / "logos")]) == 2
    assert "must have a model" in capsys.readouterr().err
    (project / "none").mkdir()
    assert main(["optimize", str(project / "none"), *QUICK]) == 2
    assert "must hold at least one logo" in capsys.readouterr().err
