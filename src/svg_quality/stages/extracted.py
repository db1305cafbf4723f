"""What `extract` left for the stages that learn: a release and where its pictures' inputs are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.dataset.tables import parameters_of
from svg_quality.evaluation.metrics import regions
from svg_quality.features.store import FeatureStore
from svg_quality.stages.assess import ImageInputs
from svg_quality.stages.extract import SUMMARY
from svg_quality.stages.pipeline import StageContext
from svg_quality.training.data import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some conversions of a release, three ways; all in the same order."""

    frame: pd.DataFrame  # the schema's columns, ``split``, ``fold`` and ``group``
    rows: Rows  # a model's inputs and targets
    within: dict[str, np.ndarray]  # region -> bool (n,)


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """A release and the inputs of its pictures."""

    release: Release
    inputs: ImageInputs
    weights: str  # of the backbone

    @classmethod
    def of(cls, context: StageContext) -> Extracted:
        """Of the `extract` run that the stage takes."""
        said: dict[str, Any] = json.loads(context.source.artifact(SUMMARY).read_text())
        store = FeatureStore(context.data / "features")
        return cls(
            read_release(context.root / said["release"]),
            ImageInputs(store, said["fingerprint"], said["descriptors"]),
            said["weights"],
        )

    def part(self, frame: pd.DataFrame) -> Part:
        """Conversions of the release, without those whose picture has no features."""
        reached = self.inputs.reached(frame)
        grouped = reached.assign(group=reached["image_id"].map(self.release.images["group"]))
        return Part(grouped, self.inputs.rows(grouped), regions(parameters_of(grouped)))
