"""Where a release's inputs come from: memory, or a mapped file for very many images."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import FeatureError
from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.features.store import FeatureStore
from svg_quality.stages.learning import assess
from svg_quality.stages.learning.assess import ImageInputs

NAMES = ("a", "b", "c")
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(3, 8)).astype(np.float32)


@pytest.fixture
def inputs(tmp_path: Path) -> ImageInputs:
    store = FeatureStore(tmp_path)
    store.add("features", NAMES, FEATURES)
    store.add("described", NAMES[:2], RNG.random((2, len(DESCRIPTOR_NAMES))).astype(np.float32))
    return ImageInputs(store, "features", "described")


def conversions(*image_ids: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"image_id": image_ids, "ssim": 0.9, "svg_bytes": 1000, **Parameters().as_dict()}
    )


def test_many_images_are_mapped_and_give_the_same_rows(
    inputs: ImageInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = conversions("b", "a", "b")
    few = inputs.rows(frame)
    assert type(few.features) is np.ndarray
    monkeypatch.setattr(assess, "IN_MEMORY", 1)
    many = inputs.rows(frame)
    assert isinstance(many.features, np.memmap)
    assert np.array_equal(many.features[many.image_index], FEATURES[[1, 0, 1]])
    assert many.digest() == few.digest()


def test_rows_without_both_inputs_are_left_out(inputs: ImageInputs) -> None:
    frame = conversions("c", "a")
    assert inputs.reached(frame)["image_id"].tolist() == ["a"]
    with pytest.raises(FeatureError, match="must be extracted before they are read"):
        inputs.rows(frame)
