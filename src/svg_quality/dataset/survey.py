"""Looking at logos before converting them: what each is, and a place for it in the library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from svg_quality.conversion.images import LogoImage, check_colours, load_image
from svg_quality.conversion.workers import Outcome, run_isolated
from svg_quality.dataset.library import LogoLibrary, jpeg_copy
from svg_quality.dataset.logos import LogoFile
from svg_quality.features.descriptors import describe
from svg_quality.features.logo_type import complexity, estimate_logo_type


@dataclass(frozen=True, slots=True)
class SurveyTask:
    """A logo to look at, and whether a JPEG copy of it may be made."""

    logo: LogoFile
    source: str
    library: Path
    working_size: int
    jpeg_share: float  # of pictures, chosen by their id, in [0, 1]
    synthetic: bool = False  # drawn by our generator


@dataclass(frozen=True, slots=True)
class LogoRecord:
    """What a conversion's row says of its picture."""

    image_id: str
    image_path: str
    source: str  # the source and the name within it
    derived_from: str | None  # image_id of the original of a JPEG copy
    synthetic: bool
    logo_type: str
    logo_type_estimated: bool
    width: int  # px, as traced
    height: int
    working_size: int  # px of the longer side to which larger pictures are reduced
    source_width: int  # px, before reduction
    source_height: int
    format: str
    complexity: float
    perceptual_hash: str  # 64-bit pHash, hexadecimal
    descriptors: tuple[float, ...]

    def columns(self) -> dict[str, object]:
        """The part that goes into the conversions table."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "descriptors"}


def survey_logos(
    tasks: Iterable[SurveyTask], n_workers: int, timeout_s: float
) -> Iterator[Outcome[SurveyTask, list[LogoRecord]]]:
    """Look at every logo in worker processes: one record, or two with the JPEG copy.

    A logo that cannot be decoded, or is blank, is an outcome with its reason.
    """
    return run_isolated(_survey, tasks, n_workers, timeout_s)


def logo_image(logo: LogoFile, working_size: int) -> LogoImage:
    """A logo's picture.

    Raises:
        ImageError: it cannot be read, or shows a single colour.
    """
    image = load_image(logo.path, working_size)
    check_colours(image, logo.name)
    return image


def _survey(task: SurveyTask) -> list[LogoRecord]:
    image = logo_image(task.logo, task.working_size)
    data = task.logo.path.read_bytes()
    records = [_record(task, data, image, None)]
    if _in_share(image.image_id, task.jpeg_share) and image.format != "JPEG":
        copy = jpeg_copy(image.rgb)
        again = load_image(copy, task.working_size)
        records.append(_record(task, copy, again, records[0]))
    return records


def _record(
    task: SurveyTask, data: bytes, image: LogoImage, original: LogoRecord | None
) -> LogoRecord:
    record = logo_record(
        image,
        describe(image.rgb, image.transparent_share),
        image_path=LogoLibrary(task.library).add(data, image),
        source=f"{task.source}/{task.logo.name}",
        working_size=task.working_size,
        logo_type=task.logo.logo_type,
        synthetic=task.synthetic,
    )
    if original is None:
        return record
    # A copy shows the same logo: its type is the original's, whatever JPEG did to its colours.
    return replace(record, derived_from=original.image_id, logo_type=original.logo_type)


def logo_record(
    image: LogoImage,
    descriptors: np.ndarray,
    *,
    image_path: str,
    source: str,
    working_size: int,
    logo_type: str | None = None,
    synthetic: bool = False,
) -> LogoRecord:
    """The record of a picture that is no copy.

    Args:
        image: at most the working size.
        descriptors: of `describe`.
        image_path: in the library.
        source: the source and the name within it.
        working_size: px of the longer side to which larger pictures are reduced.
        logo_type: None where nobody has said: it is estimated.
        synthetic: drawn by our generator.
    """
    height, width = image.rgb.shape[:2]
    return LogoRecord(
        image_id=image.image_id,
        image_path=image_path,
        source=source,
        derived_from=None,
        synthetic=synthetic,
        logo_type=logo_type or estimate_logo_type(descriptors),
        logo_type_estimated=logo_type is None,
        width=width,
        height=height,
        working_size=working_size,
        source_width=image.source_width,
        source_height=image.source_height,
        format=image.format,
        complexity=complexity(descriptors),
        perceptual_hash=perceptual_hash(image.rgb),
        descriptors=tuple(descriptors.tolist()),
    )


def perceptual_hash(rgb: np.ndarray) -> str:
    """64-bit DCT hash of the luminance, 16 hexadecimal digits; near pictures differ in few bits.

    Args:
        rgb: uint8 ``(H, W, 3)``.
    """
    return str(imagehash.phash(Image.fromarray(rgb)))


def _in_share(image_id: str, share: float) -> bool:
    return int(image_id[:8], 16) < share * 2**32
