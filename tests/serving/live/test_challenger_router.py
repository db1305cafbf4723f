"""Who answers for a picture: stable, in the share asked for, and both predictions logged."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ModelError, SettingsError
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.serving.challenger import ChallengerRouter, in_share
from svg_quality.serving.prediction_log import PredictionLog

IDS = [hashlib.sha256(str(k).encode()).hexdigest() for k in range(20_000)]
SHARES = st.floats(0, 1)


@settings(deadline=None)
@given(st.sampled_from(IDS), SHARES, SHARES)
def test_raising_the_share_moves_no_picture_back(image_id: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert in_share(image_id, high) or not in_share(image_id, low)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=64))
def test_a_share_of_nothing_and_of_everything(image_id: str) -> None:
    assert not in_share(image_id, 0.0)
    assert in_share(image_id, 1.0)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_share_is_met_within_binomial_bounds(share: float) -> None:
    n = sum(in_share(image_id, share) for image_id in IDS)
    assert stats.binomtest(n, len(IDS), share).pvalue > 1e-4


def test_the_cut_is_written_down() -> None:
    """The first eight bytes of SHA-256 of "challenger " and the id, as a part of 2**64."""
    for image_id in IDS[:50]:
        digest = hashlib.sha256(f"challenger {image_id}".encode()).hexdigest()
        part = int(digest[:16], 16) / 2**64
        assert in_share(image_id, part + 1e-9)
        assert not in_share(image_id, part - 1e-9)


def test_another_process_cuts_alike() -> None:
    program = (
        "from svg_quality.serving.challenger import in_share;"
        f"print(*(int(in_share(i, 0.3)) for i in {IDS[:200]}))"
    )
    there = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [in_share(image_id, 0.3) for image_id in IDS[:200]] == [bool(int(x)) for x in there]


def test_both_predict_a_picture_of_the_challengers(
    project: Any, served_pictures: list[Image.Image]
) -> None:
    images = project.serve(served_pictures, "models:/svg-quality/3", share=0.4, convert=False)
    lines = list(PredictionLog(project.root / "data").lines())
    said = [line for line in lines if line["kind"] == "prediction"]
    for image in images:
        mine = {(line["role"], line["model_version"])
                for line in said if line["image_id"] == image.image_id}  # fmt: skip
        both = {("challenger", "3"), ("champion", "1")}
        assert mine == (both if in_share(image.image_id, 0.4) else {("champion", "1")})
    by_role = {role: [line for line in said if line["role"] == role]
               for role in ("champion", "challenger")}  # fmt: skip
    for theirs in by_role["challenger"]:
        (ours,) = (line for line in by_role["champion"]
                   if line["image_id"] == theirs["image_id"]
                   and line["filter_speckle"] == theirs["filter_speckle"])  # fmt: skip
        assert theirs["predicted_ssim"] == pytest.approx(ours["predicted_ssim"] - 0.2, abs=1e-5)
    assert 0 < len(by_role["challenger"]) < len(by_role["champion"])


def test_without_a_challenger_everything_is_the_only_ones(project: Any, tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    router = ChallengerRouter(QualityPredictor(), None, 0.5, log)
    roles = {router.predictor_for(image_id)[0] for image_id in IDS[:50]}
    assert roles == {"only"}
    assert router.predictor_for(IDS[0])[1] is router.champion


def test_nothing_is_kept_without_a_log(project: Any, served_pictures: list[Image.Image]) -> None:
    router = ChallengerRouter(QualityPredictor(), None, 0.5, None)
    picture = router.champion.picture(served_pictures[0])
    router.record("only", served_pictures[0], picture, [Parameters()])
    assert not (project.root / "data").exists()


def test_a_challenger_that_is_put_into_production_is_no_challenger(project: Any) -> None:
    champion = QualityPredictor("models:/svg-quality/2")
    router = ChallengerRouter(champion, QualityPredictor("models:/svg-quality/3"), 1.0, None)
    assert router.predictor_for(IDS[0])[0] == "challenger"
    router.champion = QualityPredictor("models:/svg-quality/3")
    assert router.predictor_for(IDS[0]) == ("only", router.champion)


def test_refusals(project: Any, bundles: Callable[[str, float], Path]) -> None:
    champion = QualityPredictor()
    with pytest.raises(SettingsError, match="must be different versions, both are svg-quality 1"):
        ChallengerRouter(champion, QualityPredictor("models:/svg-quality/1"), 0.1, None)
    with pytest.raises(SettingsError, match=r"share must be in \[0, 1\], got 1.5"):
        ChallengerRouter(champion, None, 1.5, None)
    with pytest.raises(ModelError, match=r"must be there from the start, svg-quality is not: .*7"):
        ChallengerRouter(champion, QualityPredictor("models:/svg-quality/7"), 0.1, None)
    damaged = bundles("damaged", 0.1)
    (damaged / "artifacts" / "bundle" / "head.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="must be as its manifest says"):
        ChallengerRouter(champion, QualityPredictor(str(damaged)), 0.1, None)
    shutil.rmtree(damaged)
