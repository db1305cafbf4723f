"""`explain` for real: a logo, a photograph, and what VTracer's own rules say."""

from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from svg_quality.cli import main
from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.errors import ModelError
from svg_quality.optimization.explain import sensitivity
from svg_quality.optimization.worth import worth_vectorising
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.settings import load_settings
from svg_quality.stages.using.explain import run


def lines_of(said: str) -> dict[str, str]:
    """What stands behind each first word."""
    return {line.split()[0]: line for line in said.splitlines()}


def test_a_logo_is_explained(project: Path, draw_logo, capsys: pytest.CaptureFixture[str]) -> None:
    logo = draw_logo(project / "badge.png", 1)
    assert main(["explain", str(logo)]) == 0
    told = lines_of(capsys.readouterr().out)
    assert set(NAMES) <= set(told)
    assert "Worth vectorising: SSIM 0.9 within" in told["advice"]
    assert "converted for real" in told["advice"]
    page = next((project / "reports").glob("explain_badge_*.html")).read_text()
    assert page.count("<svg viewBox") == 2 * len(NAMES)
    assert '="http' not in page  # one file, nothing from outside
    log = project / "data" / "conversions" / "use.jsonl"
    assert len(log.read_text().splitlines()) > 10  # use makes data


def test_binary_mode_says_which_sliders_do_nothing_and_why(
    project: Path, draw_logo, capsys: pytest.CaptureFixture[str]
) -> None:
    logo = draw_logo(project / "badge.png", 2)
    assert main(["explain", str(logo), "--at", "colormode=binary", "--no-log"]) == 0
    told = lines_of(capsys.readouterr().out)
    for name in ("hierarchical", "color_precision", "layer_difference"):
        assert "Does nothing here: in binary mode VTracer only asks what is darker" in told[name]
    assert "Does nothing" not in told["colormode"]
    assert not (project / "data").exists()


def test_a_photograph_is_better_not_vectorised(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = project / "coffee.jpg"
    Image.fromarray(data.coffee()).resize((150, 100)).save(photo, quality=90)
    assert main(["explain", str(photo), "--min-ssim", "0.95"]) == 0
    advice = lines_of(capsys.readouterr().out)["advice"]
    assert "Do not vectorise: of 4,096 settings none reaches SSIM 0.95" in advice
    assert "best converted for real" in advice  # not only a prediction


def test_without_a_model_there_is_no_explanation(project: Path, draw_logo) -> None:
    logo = draw_logo(project / "badge.png", 1)
    asked = {"explain": {"logo": str(logo)}, "predictor": {"enabled": False}}
    settings = load_settings(project / "experiments" / "demo.yaml", asked)
    with pytest.raises(ModelError, match="an explanation must have a model: predictions are"):
        run(settings)


def test_a_name_that_is_no_parameter_is_refused(
    project: Path, draw_logo, capsys: pytest.CaptureFixture[str]
) -> None:
    logo = draw_logo(project / "badge.png", 1)
    assert main(["explain", str(logo), "--at", "smoothness=3"]) == 2
    assert "smoothness" in capsys.readouterr().err


def test_curves_agree_with_plain_predictions(
    trained_bundle: Path, project: Path, draw_logo
) -> None:
    predictor = QualityPredictor(str(trained_bundle))
    picture = predictor.picture(draw_logo(project / "badge.png", 3))
    at = Parameters(filter_speckle=6, mode="polygon")
    curves = {curve.name: curve for curve in sensitivity(picture, at)}
    assert set(curves) == set(NAMES)
    curve = curves["color_precision"]
    for place, value in enumerate(curve.values):
        said = picture.score([Parameters(filter_speckle=6, mode="polygon", color_precision=value)])
        assert curve.ssim[place] == pytest.approx(said.ssim[0], abs=1e-5)
        assert curve.svg_bytes[place] == pytest.approx(said.svg_bytes[0], rel=1e-4)
    assert curve.ssim[curve.values.index(6)] == pytest.approx(picture.score([at]).ssim[0], abs=1e-5)
    dead = curves["corner_threshold"]
    assert dead.strength == 0
    assert dead.ssim.min() == dead.ssim.max()
    assert [c.strength for c in sensitivity(picture, at)] == sorted(
        (c.strength for c in curves.values()), reverse=True
    )


def test_a_floor_out_of_reach_is_not_worth_it_and_a_low_one_is(
    trained_bundle: Path, project: Path, draw_logo
) -> None:
    picture = QualityPredictor(str(trained_bundle)).picture(draw_logo(project / "badge.png", 3))
    sets = [Parameters(color_precision=bits, filter_speckle=f) for bits in (3, 6) for f in (0, 8)]
    assert worth_vectorising(picture, 0.3, 10**6, sets).verdict == "vectorise"
    out_of_bytes = worth_vectorising(picture, 0.3, 1, sets)
    assert out_of_bytes.verdict == "do_not_vectorise"
    sizes = picture.score(sets).svg_bytes
    assert out_of_bytes.best.svg_bytes == pytest.approx(sizes.min())
    assert "none reaches SSIM 0.3 within 1 bytes" in out_of_bytes.sentence
