"""What a version learned from, and the pictures it was asked about, by family."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from svg_quality.dataset.releases.release import make_release
from svg_quality.errors import DatasetError
from svg_quality.evaluation.live.joining import Learned
from svg_quality.prediction.bundle import MANIFEST
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.serving import outcomes
from svg_quality.serving.outcomes import DISTANCE, learned_by
from svg_quality.serving.prediction_log import WATCHED, PredictionLog
from svg_quality.tracking.resolve import resolve

UNKNOWN = Learned(None, ())


def test_a_version_learned_from_its_release_but_for_the_test_split(
    project: Any, many_rows: pd.DataFrame
) -> None:
    data = project.root / "data"
    release = make_release(many_rows, data / "releases", "drawn", "1", max_distance=0, seed=1)
    another = learned_by("svg-quality 1", data)  # of the same name, but not the one in the bundle
    assert another.images is None
    assert "is another release than the one it learned from" in another.note
    manifest = resolve("models:/svg-quality/1").path / MANIFEST
    kept = manifest.read_text()
    manifest.write_text(kept.replace("d" * 64, release.digest))
    try:
        learned = learned_by("svg-quality 1", data)
    finally:
        manifest.write_text(kept)
    assert learned.note == ""
    assert set(learned.image_ids) == set(release.images.index[release.images["split"] != "test"])
    assert learned.images is not None
    assert {"perceptual_hash", "derived_from", "group"} <= set(learned.images)


def test_what_is_not_known_is_said(project: Any) -> None:
    learned = learned_by("svg-quality 1", project.root / "data")
    reference = QualityPredictor().picture(Image.new("RGB", (32, 32), "red")).bundle.reference
    assert set(learned.image_ids) == set(reference.image_ids)
    assert "only the bundle's own list is known here" in learned.note
    nobody = learned_by("svg-quality 99", project.root / "data")
    assert nobody.image_ids == ()
    assert "what svg-quality 99 was trained on is not known here" in nobody.note


def test_a_family_counts_once_and_numbers_come_back_as_they_were(
    project: Any, served_pictures: list[Image.Image]
) -> None:
    first, other = served_pictures[:2]
    sizes = [first, first.resize((96, 96)), first.resize((72, 72)), other]
    project.serve(sizes, convert=False)
    predictor = QualityPredictor()
    reference = predictor.picture(first).bundle.reference
    log = PredictionLog(project.root / "data")
    told = outcomes.served_pictures(log, "svg-quality 1", reference, UNKNOWN, 6)
    pictures = [predictor.picture(picture) for picture in (first, other)]
    assert len(told.unlike) == 2
    expected = [picture.similarity.distance for picture in pictures]
    assert told.served[DISTANCE] == pytest.approx(expected, rel=1e-6)
    edges = [picture.descriptors[WATCHED.index("edge_share")] for picture in pictures]
    assert told.served["edge_share"] == pytest.approx(edges, rel=1e-4)
    assert len(told.reference["edge_share"]) == len(reference.image_ids)


def test_values_that_pictures_share_stay_equal(
    project: Any, served_pictures: list[Image.Image]
) -> None:
    """Served training pictures have, number by number, exactly a training picture's values."""
    predictor = QualityPredictor()
    reference = predictor.picture(served_pictures[0]).bundle.reference
    project.serve(project.training(6), convert=False)
    told = outcomes.served_pictures(
        PredictionLog(project.root / "data"), "svg-quality 1", reference, UNKNOWN, 0
    )
    for name in WATCHED:
        assert np.isin(told.served[name], told.reference[name]).all()
    assert (told.served[DISTANCE] < 1e-3).all()


def test_training_families_count_once(project: Any, served_pictures: list[Image.Image]) -> None:
    reference = QualityPredictor().picture(served_pictures[0]).bundle.reference
    project.serve(served_pictures[:1], convert=False)
    families = np.arange(len(reference.image_ids)) // 4
    images = pd.DataFrame({"group": families}, index=list(reference.image_ids))
    told = outcomes.served_pictures(
        PredictionLog(project.root / "data"), "svg-quality 1", reference,
        Learned(images, images.index), 6,
    )  # fmt: skip
    assert len(told.reference["edge_share"]) == families.max() + 1
    points = reference.points
    apart = min(float(np.linalg.norm(points[0] - points[k])) for k in np.flatnonzero(families != 0))
    assert told.reference[DISTANCE][0] == pytest.approx(apart, rel=1e-5)


def test_a_line_without_its_fields_is_refused(
    project: Any, served_pictures: list[Image.Image]
) -> None:
    project.serve(served_pictures[:1], convert=False)
    log = PredictionLog(project.root / "data")
    whole = log.path.read_text()
    reference = QualityPredictor().picture(served_pictures[0]).bundle.reference
    for name in ("edge_share", "distance", "unlike", "image_id"):
        log.path.write_text(whole.replace(f'"{name}"', '"lost"'))
        with pytest.raises(DatasetError, match=f"must have its fields, one lacks {name}"):
            outcomes.served_pictures(log, "svg-quality 1", reference, UNKNOWN, 6)
