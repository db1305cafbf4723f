"""What models say of the same conversions, each through its own bundle, and how long they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from svg_quality.conversion.images import LogoImage, load_image
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import Release
from svg_quality.dataset.tables import parameters_of
from svg_quality.errors import ConversionError, DatasetError, ImageError
from svg_quality.evaluation.metrics import regions
from svg_quality.evaluation.promotion_gates import Ratio, is_decided, median_ratio
from svg_quality.features.descriptors import describe
from svg_quality.features.extraction import extract_features
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.store import FeatureStore
from svg_quality.prediction.bundle import BACKBONE, Bundle
from svg_quality.stages.dataset.convert import descriptors_kind
from svg_quality.stages.learning.assess import ImageInputs

N_SETS: Final = 1000  # parameter sets of one picture, as a page or a search scores them
_N_PICTURES: Final = 5
_ROUNDS: Final = 4  # over the pictures, between looks at the ratio
_MOST_PAIRS: Final = 120
_BATCH: Final = 16
_SAID: Final = {  # column: what `Scores` calls it
    "predicted_ssim": "ssim", "ssim_low": "ssim_low", "ssim_high": "ssim_high",
    "predicted_svg_bytes": "svg_bytes", "bytes_low": "bytes_low", "bytes_high": "bytes_high",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Measured conversions, to be predicted."""

    data: Path  # of the project
    release: Release
    frame: pd.DataFrame

    @property
    def paths(self) -> dict[str, Path]:
        """The pictures, by image_id."""
        library = LogoLibrary(self.data / "logos")
        places = self.frame.drop_duplicates("image_id").set_index("image_id")["image_path"]
        return {str(image_id): library.path(path) for image_id, path in places.items()}


def answers(asked: Asked, models: Sequence[tuple[Bundle, Path]]) -> list[pd.DataFrame]:
    """What each model says, in the same rows: those whose picture all of them can read.

    Args:
        asked: the conversions.
        models: bundles, loaded, and their folders.

    Returns:
        For each the conversions with ``group``, the regions, and what it said of SSIM and bytes
        with its intervals.

    Raises:
        DatasetError: no picture can be read.
    """
    inputs = [_inputs(asked, bundle, folder) for bundle, folder in models]
    frame = asked.frame
    for one in inputs:
        frame = one.reached(frame)
    if frame.empty:
        raise DatasetError(
            f"test pictures must be in {asked.data / 'logos'}, and none of"
            f" {asked.frame['image_id'].nunique()} can be read"
        )
    within = regions(parameters_of(frame))
    frame = frame.assign(
        group=frame["image_id"].map(asked.release.images["group"]),
        everyday=within["everyday"],
        everyday_colour=within["everyday_colour"],
    )
    return [
        frame.assign(**_said(frame, bundle, one))
        for (bundle, _), one in zip(models, inputs, strict=True)
    ]


def _inputs(asked: Asked, bundle: Bundle, folder: Path) -> ImageInputs:
    """Compute what the store lacks, by the bundle's own backbone at its own working size."""
    store, paths = FeatureStore(asked.data / "features"), asked.paths
    backbone, size = bundle.manifest["backbone"], bundle.working_size
    if store.missing(backbone["fingerprint"], list(paths)):
        extract_features(
            paths, OnnxGraph(folder / BACKBONE), backbone["fingerprint"], store,
            working_size=size, batch_size=_BATCH, fit=backbone["fit"],
        )  # fmt: skip
    kind = descriptors_kind(size)
    rows = {}
    for image_id in store.missing(kind, list(paths)):
        try:
            image = load_image(paths[image_id], size)
            rows[image_id] = describe(image.rgb, image.transparent_share)
        except (ConversionError, ImageError, MemoryError):
            continue  # the rows that are answered are counted, and these are not among them
    if rows:
        store.add(kind, list(rows), np.stack(list(rows.values())))
    return ImageInputs(store, backbone["fingerprint"], kind)


def _said(frame: pd.DataFrame, bundle: Bundle, inputs: ImageInputs) -> dict[str, np.ndarray]:
    """Picture by picture, as predictions are made."""
    parameters = parameters_of(frame)
    said = {name: np.empty(len(frame)) for name in _SAID}
    places = frame.groupby("image_id", sort=False).indices
    names = [str(image_id) for image_id in places]
    features = inputs.store.read(inputs.features, names)
    descriptors = inputs.store.read(inputs.descriptors, names)
    for number, rows in enumerate(places.values()):
        scores = bundle.score(
            features[number : number + 1], descriptors[number], [parameters[row] for row in rows]
        )
        for column, name in _SAID.items():
            said[column][rows] = getattr(scores, name)
    return said


def time_ratio(
    asked: Asked, champion: Bundle, challenger: Bundle, max_slowdown: float
) -> tuple[Ratio, Mapping[str, float]]:
    """How many times as long the challenger takes for a picture's features and 1,000 sets.

    Both do the same picture one directly after the other, each first by turns, so that what
    disturbs the machine disturbs both. More pairs are timed until the interval of the median
    lies on one side of the limit, or there are `_MOST_PAIRS`.

    Args:
        asked: whose pictures.
        champion, challenger: loaded.
        max_slowdown: 0.2 for 20%.

    Returns:
        The ratio, and the median milliseconds of each.

    Raises:
        DatasetError: no picture is there.
    """
    jobs = [_jobs(asked, bundle) for bundle in (champion, challenger)]
    for job in (*jobs[0], *jobs[1]):
        job()  # the first call prepares
    taken: list[list[float]] = [[], []]
    while True:
        for turn in range(_ROUNDS * len(jobs[0])):
            for which in (0, 1) if turn % 2 else (1, 0):
                taken[which].append(_seconds(jobs[which][turn % len(jobs[0])]))
        ratio = median_ratio(taken[1], taken[0])
        if is_decided(ratio, max_slowdown) or ratio.n >= _MOST_PAIRS:
            names = ("champion", "challenger")
            medians = (1000 * float(np.median(seconds)) for seconds in taken)
            return ratio, dict(zip(names, medians, strict=True))


def _jobs(asked: Asked, bundle: Bundle) -> list[Callable[[], object]]:
    sets = sobol_sets(N_SETS, "everyday", 0)
    jobs: list[Callable[[], object]] = []
    for path in asked.paths.values():
        try:
            image = load_image(path, bundle.working_size)
            descriptors = describe(image.rgb, image.transparent_share)
        except (ConversionError, ImageError):
            continue  # another picture will do
        jobs.append(partial(_predict, bundle, image, descriptors, sets))
        if len(jobs) == _N_PICTURES:
            break
    if not jobs:
        raise DatasetError(
            f"a time must be measured on test pictures, and none in {asked.data / 'logos'} is there"
        )
    return jobs


def _predict(
    bundle: Bundle, image: LogoImage, descriptors: np.ndarray, sets: Sequence[Parameters]
) -> object:
    return bundle.score(bundle.features(image), descriptors, sets)


def _seconds(job: Callable[[], object]) -> float:
    begun = time.perf_counter()
    job()
    return time.perf_counter() - begun
