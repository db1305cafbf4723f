"""The table of methods, and what comes of asking for a model that is not there."""

from pathlib import Path

import pytest

from svg_quality.conversion.images import WORKING_SIZE
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.workers import WorkerPool
from svg_quality.dataset.tables import METHODS as LOGGED
from svg_quality.errors import ModelError
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.methods import (
    LOGGED_AS,
    METHODS,
    NEED_A_MODEL,
    optimize_logo,
    read_logo,
)
from svg_quality.optimization.objective import Objective
from svg_quality.prediction.predictor import QualityPredictor


def test_every_method_is_in_every_table() -> None:
    assert LOGGED_AS.keys() == METHODS.keys() > NEED_A_MODEL
    assert set(LOGGED_AS.values()) <= set(LOGGED)
    assert len(set(LOGGED_AS.values())) == len(LOGGED_AS)
    for name, make in METHODS.items():
        assert make().name == name
        assert make().default_budget >= 2  # the default's conversion and one more


@pytest.mark.parametrize("kind", ["none", "disabled", "missing"])
def test_without_a_model_the_answer_is_the_default_and_says_why(
    logo: Logo, pool: WorkerPool, tmp_path: Path, kind: str
) -> None:
    predictor = {
        "none": lambda: None,
        "disabled": lambda: QualityPredictor(enabled=False),
        "missing": QualityPredictor,  # this test's store is empty
    }[kind]()
    answer, svg = optimize_logo(
        logo, Objective.smallest(), "predictive", lambda: predictor, pool, None
    )
    assert (answer.status, answer.n_conversions) == ("unavailable", 1)
    assert answer.chosen == answer.default
    assert svg == measure(logo.image.rgb, Parameters()).svg
    reason = predictor.availability().reason if predictor else "there is no predictor"
    assert answer.reason == f"No model was asked: {reason}."
    assert answer.model_version is None
    for method in sorted(METHODS.keys() - NEED_A_MODEL):  # these never ask
        found, _ = optimize_logo(
            logo, Objective.smallest(), method, lambda: predictor, pool, None, budget=3
        )
        assert found.status == "found"


def test_logos_are_read_at_the_size_the_model_knows(
    logo: Logo, predictor: QualityPredictor
) -> None:
    assert read_logo(logo.data, predictor).working_size == predictor.working_size == 512
    assert read_logo(logo.data, None, name="x").working_size == WORKING_SIZE
    assert read_logo(logo.data, QualityPredictor(enabled=False)).name == "bytes"


def test_a_method_that_asks_names_the_version_that_answered(
    logo: Logo, predictor: QualityPredictor, pool: WorkerPool
) -> None:
    answer, _ = optimize_logo(
        logo, Objective.smallest(), "predictive", lambda: predictor, pool, None, budget=2
    )
    assert answer.model_version == predictor.model_version
    assert answer.unlike_training is predictor.picture(logo.data).similarity.unlike


@pytest.mark.parametrize("method", METHODS)
def test_a_model_is_not_loaded_where_nobody_has_to_ask_it(
    logo: Logo, pool: WorkerPool, method: str
) -> None:
    def ask() -> QualityPredictor:
        raise ModelError("a model must load, this one does not")

    if method in NEED_A_MODEL:
        with pytest.raises(ModelError, match="this one does not"):
            optimize_logo(logo, Objective.smallest(), method, ask, pool, None, budget=2)
        return
    met, _ = optimize_logo(logo, Objective.smallest(), method, ask, pool, None, budget=2)
    assert met.status == "found"
    missed, _ = optimize_logo(logo, Objective.smallest(1.0, 60), method, ask, pool, None, budget=2)
    assert missed.status == "not_reached"  # nobody can be asked whether it is out of reach
