"""What came of served predictions: the log of predictions, joined with the log of conversions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from svg_quality.dataset.campaign import ConversionLog
from svg_quality.dataset.releases.release import read_release
from svg_quality.dataset.splits.duplicates import near_duplicate_groups
from svg_quality.errors import DatasetError, ModelError, TrackingError
from svg_quality.evaluation.live.joining import (
    Joined,
    Learned,
    join,
    measurements,
    version_of,
    without_learned,
)
from svg_quality.optimization.use_log import LOG as CONVERSIONS
from svg_quality.prediction.bundle import MANIFEST, REFERENCE
from svg_quality.prediction.reference import Reference
from svg_quality.serving.prediction_log import WATCHED, PredictionLog
from svg_quality.tracking.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

DISTANCE: Final = "distance to the nearest training logo"


@dataclass(frozen=True, slots=True, eq=False)
class ServedPictures:
    """Pictures that were served, one a family, beside a version's training pictures.

    Attributes:
        reference, served: watched number -> float64 ``(n,)`` of the training pictures and
            ``(m,)`` of the served ones; in the number's own unit.
        unlike: bool ``(k,)``, of the pictures that were compared with this version's logos.
    """

    reference: Mapping[str, np.ndarray]
    served: Mapping[str, np.ndarray]
    unlike: np.ndarray


def served_outcomes(
    data: Path, max_distance: int, since: datetime | None = None
) -> tuple[Joined, dict[str, str]]:
    """Predictions of the log with what conversions gave, without what a version learned from.

    Args:
        data: the project's data folder.
        max_distance: bits of the perceptual hash within which pictures are one group.
        since: only conversions made from then on.

    Returns:
        What was joined, and by version what is not known of its dataset.

    Raises:
        DatasetError: nothing was ever predicted, or a log is damaged.
    """
    log = PredictionLog(data)
    if not log.path.exists():
        raise DatasetError(
            f"predictions must have been logged, {log.path} does not exist: run `svg-quality serve`"
        )
    rows = ConversionLog(data / CONVERSIONS).rows()
    measured = measurements(row for row in rows if since is None or _at(row) >= since)
    joined = join(predictions(log), measured, max_distance)
    learned = {version: learned_by(version, data) for version in joined.rows["version"].unique()}
    notes = {version: known.note for version, known in learned.items() if known.note}
    return without_learned(joined, learned, max_distance), notes


def predictions(log: PredictionLog, since: datetime | None = None) -> Iterator[dict[str, Any]]:
    """The log's predictions, oldest first."""
    for line in log.lines():
        if line.get("kind") == "prediction" and (since is None or _at(line) >= since):
            yield line


def learned_by(version: str, data: Path) -> Learned:
    """What a version was made from: its release, or what its bundle keeps of it.

    Args:
        version: name and number, such as ``svg-quality 5``.
        data: the project's data folder.
    """
    name, number = version.rsplit(" ", 1)
    try:
        bundle = resolve(f"models:/{name}/{number}").path
        about = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))["dataset"]
        reference = Reference.load(bundle / REFERENCE)
    except (TrackingError, ModelError, OSError, ValueError, KeyError) as error:
        return Learned(None, (), f"what {version} was trained on is not known here: {error}")
    try:
        release = read_release(data / "releases" / about["name"] / about["version"])
        if release.digest != about["digest"]:
            raise DatasetError(f"{release.path} is another release than the one it learned from")
    except (DatasetError, OSError, KeyError) as error:
        return Learned(
            None, reference.image_ids,
            f"of what {version} was trained on only the bundle's own list is known here: {error}",
        )  # fmt: skip
    images = release.images[release.images["split"] != "test"]
    return Learned(images, images.index)


def served_pictures(
    log: PredictionLog,
    version: str,
    reference: Reference,
    learned: Learned,
    max_distance: int,
    since: datetime | None = None,
) -> ServedPictures:
    """One picture of each family that was served, and one of each that a version was trained on.

    Near-duplicates are counted once on both sides: one logo in twenty sizes is no drift, and
    numbers of a family are no independent sample. A picture is described alike by every version,
    so those that another version answered for count too; the distance to the training logos is
    only taken from this version's lines.

    Args:
        log: of predictions.
        version: name and number.
        reference: of that version.
        learned: of that version; without its images every training picture counts.
        max_distance: bits of the perceptual hash within which pictures are one family.
        since: only pictures that were served from then on.

    Raises:
        DatasetError: a line lacks a field.
    """
    wanted = {_field(line, "image_id") for line in predictions(log, since)}
    lines: dict[str, Mapping[str, Any]] = {}
    for line in log.lines():
        if line.get("kind") != "picture" or _field(line, "image_id") not in wanted:
            continue
        if line["image_id"] not in lines or version_of(line) == version:
            lines[line["image_id"]] = line
    families = _families(lines, max_distance)
    own = [line for line in families if version_of(line) == version]
    values = np.array([_numbers(line) for line in families], np.float32).reshape(-1, len(WATCHED))
    points, distances = _training(reference, learned)
    show = _back(reference)
    return ServedPictures(
        reference=_columns(show(points), distances),
        served=_columns(
            show((values - reference.mean) / reference.scale),
            np.array([_field(line, "distance") for line in own]),
        ),
        unlike=np.array([_field(line, "unlike") for line in own], bool),
    )


def _families(lines: Mapping[str, Mapping[str, Any]], max_distance: int) -> list[Mapping[str, Any]]:
    """The first picture of each family."""
    if not lines:
        return []
    hashes = [_field(line, "perceptual_hash") for line in lines.values()]
    images = pd.DataFrame({"perceptual_hash": hashes, "derived_from": None}, index=list(lines))
    groups = near_duplicate_groups(images, max_distance)
    return [lines[image_id] for image_id in groups.drop_duplicates().index]


def _training(reference: Reference, learned: Learned) -> tuple[np.ndarray, np.ndarray]:
    """Points of one training picture of each family, and how far each lies from other families."""
    if learned.images is None:
        return reference.points, reference.own_distances
    groups = learned.images["group"].reindex(list(reference.image_ids)).to_numpy()
    first = np.unique(groups, return_index=True)[1]
    apart = []
    for place in first:
        others = reference.points[groups != groups[place]]
        squares = np.square(others - reference.points[place]).sum(1)
        apart.append(np.sqrt(squares.min(initial=np.inf)))
    return reference.points[first], np.array(apart)


def _back(reference: Reference) -> Callable[[np.ndarray], np.ndarray]:
    """From standardised numbers to the numbers' own unit.

    Both sides go this way: what is equal as a float32 stays equal, so a value that many pictures
    share is not torn apart by rounding.
    """
    mean, scale = reference.mean.astype(float), reference.scale.astype(float)
    return lambda points: points.astype(float) * scale + mean


def _columns(values: np.ndarray, distances: np.ndarray) -> dict[str, np.ndarray]:
    columns = {name: values[:, place] for place, name in enumerate(WATCHED)}
    return columns | {DISTANCE: distances.astype(float)}


def _numbers(line: Mapping[str, Any]) -> np.ndarray:
    numbers = _field(line, "descriptors")
    return np.array([_field(numbers, name) for name in WATCHED], np.float32)


def _field(line: Mapping[str, Any], name: str) -> Any:
    if name not in line:
        raise DatasetError(f"a line of the log must have its fields, one lacks {name}")
    return line[name]


def _at(line: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(line["at"] if "at" in line else line["created_at"])
