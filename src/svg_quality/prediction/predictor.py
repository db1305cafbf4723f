"""Ask the registered model: predicted SSIM with its interval, and bytes, before converting."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from svg_quality.conversion.images import LogoImage, image_from_pixels, load_image
from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ImageError
from svg_quality.prediction.bundle import Bundle
from svg_quality.tracking.resolve import resolve

PRODUCTION: Final = "models:/svg-quality/Production"
UNREGISTERED: Final = "unregistered"  # the version of a bundle that is only a folder
_PNG_MODES: Final = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}
ImageLike = Path | str | bytes | np.ndarray | Image.Image


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a conversion would give."""

    image: str  # the path, or what kind of thing was given
    parameters: Parameters
    ssim: float  # in [-1, 1]
    ssim_low: float  # lower end of the interval
    ssim_high: float
    interval: float  # its promised coverage, in (0, 1)
    svg_bytes: int
    bytes_low: int  # lower end of an interval of the same coverage
    bytes_high: int
    model_name: str
    model_version: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, the parameters as a mapping of all eleven."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"parameters": self.parameters.as_dict()}


class QualityPredictor:
    """A loaded model version.

    Args:
        model: ``models:/svg-quality/Production``, any other model URI, or a bundle's folder.

    Raises:
        TrackingError: there is no such model.
        ModelError: its bundle is damaged or does not fit this code.
    """

    def __init__(self, model: str = PRODUCTION) -> None:
        resolved = resolve(model)
        self.model_name = resolved.name
        self.model_version = resolved.version or UNREGISTERED
        self.bundle = Bundle(resolved.path)

    def predict(self, image: ImageLike, parameters: Parameters | None = None) -> Prediction:
        """Predict one conversion; without parameters, VTracer's defaults.

        Args:
            image: path, bytes of a file, uint8 array ``(H, W[, 3 or 4])``, or PIL image.
            parameters: a valid set.

        Raises:
            ImageError: it is no image that can be read.
        """
        return self.predict_sets(image, [parameters or Parameters()])[0]

    def predict_sets(self, image: ImageLike, parameters: Sequence[Parameters]) -> list[Prediction]:
        """Predict many parameter sets of one image: the backbone runs once."""
        if not parameters:
            return []
        name, logo = _read(image, self.bundle.working_size)
        scores = self.bundle.score_image(logo, parameters)
        return [
            Prediction(
                image=name,
                parameters=chosen,
                ssim=float(scores.ssim[i]),
                ssim_low=float(scores.ssim_low[i]),
                ssim_high=float(scores.ssim_high[i]),
                interval=self.bundle.intervals["ssim"].level,
                svg_bytes=round(float(scores.svg_bytes[i])),
                bytes_low=round(float(scores.bytes_low[i])),
                bytes_high=round(float(scores.bytes_high[i])),
                model_name=self.model_name,
                model_version=self.model_version,
            )
            for i, chosen in enumerate(parameters)
        ]

    def predict_batch(
        self, images: Iterable[ImageLike], parameters: Parameters | None = None
    ) -> list[Prediction]:
        """Predict one parameter set for many images, in order."""
        return [self.predict(image, parameters) for image in images]


def _read(image: ImageLike, working_size: int) -> tuple[str, LogoImage]:
    if isinstance(image, str | Path):
        return str(image), load_image(Path(image), working_size)
    if isinstance(image, bytes):
        return "bytes", load_image(image, working_size)
    if isinstance(image, np.ndarray):
        return "array", image_from_pixels(image, working_size)
    if isinstance(image, Image.Image):
        buffer = io.BytesIO()
        if image.mode == "F":
            raise ImageError("a floating-point image must state its range, and none of them does")
        (image if image.mode in _PNG_MODES else image.convert("RGBA")).save(buffer, "PNG")
        return "image", load_image(buffer.getvalue(), working_size)
    kind = type(image).__name__
    raise ImageError(f"an image must be a path, bytes, an array or a PIL image, got {kind}")
