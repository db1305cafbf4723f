"""What `extract` left for the stages that learn: a release and where its pictures' inputs are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.dataset.tables import parameters_of
from svg_quality.evaluation.metrics import regions
from svg_quality.features.store import FeatureStore
from svg_quality.stages.learning.assess import ImageInputs
from svg_quality.stages.learning.extract import SUMMARY
from svg_quality.stages.pipeline import StageContext
from svg_quality.training.rows import Rows


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
    store: FeatureStore
    summary: Mapping[str, Any]  # what `extract` recorded

    @classmethod
    def of(cls, context: StageContext) -> Extracted:
        """Of the `extract` run that the stage takes."""
        said: dict[str, Any] = json.loads(context.source.artifact(SUMMARY).read_text())
        store = FeatureStore(context.data / "features")
        return cls(read_release(context.root / said["release"]), store, said)

    @property
    def inputs(self) -> ImageInputs:
        """Where they are."""
        return ImageInputs(self.store, self.summary["fingerprint"], self.summary["descriptors"])

    @property
    def weights(self) -> str:
        """Of the backbone."""
        weights: str = self.summary["weights"]
        return weights

    def in_8_bits(self) -> Extracted | None:
        """The same with the features of the 8-bit backbone, where `extract` made one."""
        quick = self.summary.get("int8")
        if not quick:
            return None
        return replace(self, summary={**self.summary, **quick, "precision": "int8"})

    def reached(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Conversions of the release with their ``group``, without pictures without features."""
        found = self.inputs.reached(frame)
        return found.assign(group=found["image_id"].map(self.release.images["group"]))

    def part(self, frame: pd.DataFrame) -> Part:
        """Those of them that are reached, as a model's rows."""
        found = self.reached(frame)
        return Part(found, self.inputs.rows(found), regions(parameters_of(found)))
