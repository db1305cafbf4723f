"""The method `predictive`: what it offers, how many it verifies, and when it gives way."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from svg_quality.conversion.parameters import PRESETS, Parameters
from svg_quality.conversion.workers import WorkerPool
from svg_quality.model.uncertainty import Conformal
from svg_quality.optimization import predictive
from svg_quality.optimization.adaptive import Adaptive
from svg_quality.optimization.candidates import everyday_sets, promising, scored, sets_around
from svg_quality.optimization.conversions import Conversions
from svg_quality.optimization.dials import canonical
from svg_quality.optimization.front import pareto_front
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.methods import optimize_logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.predictive import N_UNSURE, Predictive
from svg_quality.prediction.picture import Picture
from svg_quality.prediction.predictor import QualityPredictor

MakeBowl = Callable[[int], Conversions]
BOTTOM = Objective.smallest(-1.0)


@pytest.fixture(scope="module")
def picture(logo: Logo, predictor: QualityPredictor) -> Picture:
    """As a model sees it that has learned nothing; not unlike what that model knows."""
    seen = predictor.picture(logo.data)
    return replace(seen, similarity=replace(seen.similarity, unlike=False))


@pytest.fixture
def vague(picture: Picture) -> Picture:
    """The same where intervals hold every SSIM, as after three epochs on a few logos."""
    bundle = copy(picture.bundle)
    bundle.intervals = picture.bundle.intervals | {"ssim": Conformal(0.9, 1.5, floor=0.01)}
    return replace(picture, bundle=bundle)


def test_offers_thousands_of_everyday_sets_once_each(picture: Picture) -> None:
    sets = everyday_sets(picture)
    assert len(sets) > 2000
    assert all(one.is_everyday and canonical(one) == one for one in sets)
    assert {canonical(one) for one in PRESETS.values()} <= set(sets)
    assert {one.path_precision for one in sets} >= {0, 1, 2}
    assert set(sets.values()) == {"neighbour", "front"}


def test_offers_what_lies_on_the_fronts_of_neighbours(picture: Picture) -> None:
    sets = everyday_sets(picture)
    for neighbour in picture.similarity.nearest:
        for i in pareto_front(neighbour.ssim, neighbour.svg_bytes):
            one = neighbour.parameters[i]
            if one.path_precision <= 3:
                assert sets[canonical(one)] == "neighbour"


def test_offers_small_and_large_steps_around_the_best() -> None:
    best = Parameters(mode="polygon", filter_speckle=8)
    around = sets_around(best)
    assert best not in around
    assert {one.filter_speckle for one in around} >= {4, 6, 7, 9, 10, 12}
    assert Parameters(filter_speckle=8) in around


def test_keeps_the_layers_of_the_predicted_front(picture: Picture) -> None:
    everything = scored(picture, everyday_sets(picture))
    kept = promising(everything)
    on_front = pareto_front(everything.scores.ssim, everything.scores.svg_bytes)
    assert {everything.sets[i] for i in on_front} <= set(kept.sets)
    assert len(kept.sets) < len(everything.sets)
    again = picture.score(kept.sets)
    assert kept.scores.ssim == pytest.approx(again.ssim, abs=1e-5)
    assert np.log(kept.scores.bytes_high) == pytest.approx(np.log(again.bytes_high), abs=1e-4)


def test_verifies_more_where_the_model_is_unsure(
    logo: Logo, picture: Picture, make_bowl: MakeBowl
) -> None:
    """This model's interval is wide: SSIM within 0.02 is not what it knows."""
    answer = Predictive().optimize(logo, BOTTOM, make_bowl(100), picture=picture)
    verified = [one for one in answer.attempts if one.origin not in ("default", "tpe")]
    assert len(verified) == N_UNSURE
    assert answer.confidence.startswith("measured; the model was unsure of its first choice")
    assert f"so {N_UNSURE} sets were converted to check it" in answer.confidence


def test_hands_over_what_is_left_where_the_logo_is_unlike_the_training_data(
    logo: Logo, picture: Picture, make_bowl: MakeBowl
) -> None:
    strange = replace(picture, similarity=replace(picture.similarity, unlike=True))
    answer = Predictive().optimize(logo, BOTTOM, make_bowl(20), picture=strange)
    assert answer.unlike_training
    assert answer.n_conversions == 20
    assert [one.origin for one in answer.attempts].count("tpe") == 20 - 1 - N_UNSURE
    assert (
        "the method search tried 7 more sets, because the logo is unlike those the model"
        in answer.confidence
    )


def test_hands_over_everything_where_the_model_tells_nothing(
    logo: Logo, vague: Picture, make_bowl: MakeBowl
) -> None:
    answer = Predictive().optimize(logo, BOTTOM, make_bowl(20), picture=vague)
    plain = Adaptive().optimize(logo, BOTTOM, make_bowl(20), picture=None)
    assert answer.attempts == plain.attempts
    assert (answer.method, answer.n_conversions) == ("predictive", 20)
    assert "the method adaptive tried 19 more sets, because the model" in answer.confidence
    assert "0 were verified by conversion" in answer.reason
    spent = Predictive().optimize(logo, BOTTOM, make_bowl(1), picture=vague)
    assert "left nothing for the method adaptive" in spent.confidence


def test_chooses_among_what_is_proposed_only(
    logo: Logo, picture: Picture, make_bowl: MakeBowl
) -> None:
    offered = [Parameters(mode="polygon", filter_speckle=n) for n in range(8)]
    chooser = Predictive(50, 50, lambda _: dict.fromkeys(offered, "front"))
    answer = chooser.optimize(logo, BOTTOM, make_bowl(9), picture=picture)
    assert {one.parameters for one in answer.attempts} == {Parameters(), *offered}


def test_what_is_measured_corrects_the_model(
    logo: Logo, vague: Picture, make_bowl: MakeBowl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a model that knows nothing it soon learns of a bowl where the bottom is."""
    monkeypatch.setattr(predictive, "USELESS", np.inf)  # else `adaptive` would do it
    bowl = make_bowl(33)
    answer = Predictive(32, 32).optimize(logo, BOTTOM, bowl, picture=vague)
    sizes = [one.figures[1] for one in answer.attempts if one.figures]
    assert answer.chosen is not None
    assert answer.chosen.parameters.mode == "polygon"
    assert min(sizes) < 1600  # the default has 7,740, the bottom 1,000
    assert np.median(sizes[16:]) < np.median(sizes[1:9])


def test_says_beside_what_is_measured_what_was_predicted(
    logo: Logo, picture: Picture, pool: WorkerPool
) -> None:
    conversions = Conversions(logo, pool, None, "predictive", 4)
    answer = Predictive().optimize(logo, Objective.smallest(0.5), conversions, picture=picture)
    assert answer.n_conversions == 4
    assert "converted to check it, all that the budget allowed" in answer.confidence
    for one in answer.attempts:
        asked = picture.score([one.parameters])
        assert one.predicted is not None
        assert one.predicted.ssim == pytest.approx(float(asked.ssim[0]), abs=1e-5)
        assert one.predicted.bytes_low <= one.predicted.svg_bytes <= one.predicted.bytes_high


def test_without_a_model_there_is_the_measured_default(logo: Logo, pool: WorkerPool) -> None:
    missing = QualityPredictor(enabled=False)
    answer, svg = optimize_logo(
        logo, Objective.smallest(), "predictive", lambda: missing, pool, None
    )
    assert answer.status == "unavailable"
    assert answer.chosen == answer.default
    assert answer.n_conversions == 1
    assert svg is not None
    direct = Conversions(logo, pool, None, "predictive", 2)
    direct.measure([(Parameters(), "default", None)])
    alone = Predictive().optimize(logo, Objective.smallest(0.5), direct, picture=None)
    assert (alone.status, alone.n_conversions) == ("unavailable", 1)
