"""A challenger against the champion, on the frozen test logos of the champion's own release.

What the challenger was fitted to, stopped by or calibrated on is left out, near-duplicates too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from svg_quality.dataset.manifest import read_manifest
from svg_quality.dataset.releases.release import Release, read_release
from svg_quality.errors import (
    DatasetError,
    FeatureError,
    ModelError,
    SvgQualityError,
    TrackingError,
)
from svg_quality.evaluation import promotion_gates as gates
from svg_quality.evaluation.comparing.leaks import seen_in_training
from svg_quality.evaluation.promotion_gates import Gate
from svg_quality.prediction.bundle import Bundle
from svg_quality.settings import PromoteSettings
from svg_quality.stages.console import say
from svg_quality.stages.using.answering import Asked, answers, time_ratio
from svg_quality.tracking.locations import local_path
from svg_quality.tracking.registry import MODEL
from svg_quality.tracking.resolve import ModelReference, find_version, resolve

_LEARNED: Final = ("train", "validation")


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A version that can answer."""

    version: int
    folder: Path  # of the bundle
    bundle: Bundle

    @classmethod
    def load(cls, version: int) -> Contender:
        """Read its bundle.

        Raises:
            TrackingError: its files are gone.
            ModelError: it is damaged, or this code does not fit it.
        """
        folder = resolve(f"models:/{MODEL}/{version}").path
        return cls(version, folder, Bundle(folder))

    def release(self, data: Path) -> Release:
        """What it was trained on, each file checked.

        Raises:
            DatasetError: the release is gone, or is another than the one it was trained on.
        """
        said = self.bundle.manifest["dataset"]
        found = read_release(data / "releases" / said["name"] / said["version"])
        if found.digest != said["digest"]:
            raise DatasetError(
                f"the release of version {self.version} must have digest {said['digest'][:12]},"
                f" {found.path} has {found.digest[:12]}"
            )
        return found

    @property
    def promised(self) -> Mapping[str, float]:
        """The level of its intervals, by target."""
        return {name: interval.level for name, interval in self.bundle.intervals.items()}


def judge(
    data: Path, settings: PromoteSettings, champion: int | None, challenger: Contender
) -> list[Gate]:
    """Every gate of a challenger.

    Args:
        data: of the project.
        settings: of `promote`.
        champion: version in Production; None where nobody is.
        challenger: to be judged.
    """
    before, lost = None, list[Gate]()
    if champion is not None:
        try:
            before = Contender.load(champion)
        except (ModelError, TrackingError) as error:
            if isinstance(error, TrackingError) and _is_elsewhere(champion):
                return [_unmeasured(error)]  # a transfer that fails says nothing of the champion
            # Nobody is served by it any more, so there is nothing to beat.
            reason = f"version {champion} cannot be loaded any more: {error}"
            lost = [Gate("better", True, reason)]
    try:
        if before is None:
            return [*lost, *_as_first(data, settings, challenger)]
        return _against(data, settings, before, challenger)
    except (DatasetError, FeatureError) as error:
        return [*lost, _unmeasured(error)]


def _is_elsewhere(version: int) -> bool:
    """Whether a version's files come over a network."""
    return local_path(find_version(ModelReference(MODEL, version)).location) is None


def _unmeasured(error: SvgQualityError) -> Gate:
    return Gate("measured", False, f"the gates could not be measured: {error}")


def _as_first(data: Path, settings: PromoteSettings, challenger: Contender) -> list[Gate]:
    """Nobody to compare it with: its own test logos."""
    release = challenger.release(data)
    say(
        f"promote    version {challenger.version} has nobody to beat: its intervals on its own test"
        f" logos, of {release.name} {release.version}"
    )
    asked = Asked(data, release, release.rows("test"))
    (rows,) = answers(asked, [(challenger.bundle, challenger.folder)])
    covers = gates.covers(rows, challenger.promised, settings.n_draws, first=True)
    return [gates.answered(len(rows), len(asked.frame)), gates.sane(rows), covers]


def _against(
    data: Path, settings: PromoteSettings, champion: Contender, challenger: Contender
) -> list[Gate]:
    release = champion.release(data)
    frame, n_left_out = _unseen(release, challenger.release(data))
    n_groups = frame["image_id"].map(release.images["group"]).nunique()
    unseen = gates.unseen(n_groups, frame["image_id"].nunique(), n_left_out)
    say(
        f"promote    version {challenger.version} against version {champion.version} on the test"
        f" logos of {release.name} {release.version}"
    )
    if not unseen.passed:
        return [unseen]
    asked = Asked(data, release, frame)
    bundles = [(one.bundle, one.folder) for one in (champion, challenger)]
    theirs, ours = answers(asked, bundles)
    sound = [unseen, gates.answered(len(ours), len(frame)), gates.sane(ours)]
    if not sound[-1].passed:
        return sound
    ratio, milliseconds = time_ratio(
        asked, champion.bundle, challenger.bundle, settings.max_slowdown
    )
    return [
        *sound,
        gates.better(theirs, ours, settings.n_draws),
        gates.covers(ours, challenger.promised, settings.n_draws),
        gates.not_slower(ratio, settings.max_slowdown, milliseconds),
    ]


def _unseen(release: Release, other: Release) -> tuple[pd.DataFrame, int]:
    """Test conversions of a release that a model of the other did not learn from.

    Returns:
        The conversions, and how many pictures were left out.
    """
    test = release.images[release.images["split"] == "test"]
    learned = other.images[other.images["split"].isin(_LEARNED)]
    distance = max(int(read_manifest(one.path)["max_distance"]) for one in (release, other))
    seen = seen_in_training(test, learned, distance)
    frame = release.rows("test")
    kept = frame[~frame["image_id"].map(seen).astype(bool)]
    return kept.reset_index(drop=True), int(seen.sum())
