"""Ask the registered model: predicted SSIM with its interval, and bytes, before converting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from svg_quality.conversion.images import WORKING_SIZE
from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ModelError
from svg_quality.prediction.answers import Availability, Prediction
from svg_quality.prediction.current import CurrentModel, State
from svg_quality.prediction.picture import ImageLike, Picture, read_image

__all__ = ["PRODUCTION", "Availability", "ImageLike", "Picture", "Prediction", "QualityPredictor"]

PRODUCTION: Final = "models:/svg-quality/Production"


class QualityPredictor:
    """The model that a URI means, asked by any number of threads.

    Another version that is put into Production is noticed by itself: it loads beside the one
    before, which answers until then, and which is kept where the other cannot be used.

    Where there is no model, or with ``enabled`` false, every prediction has the status
    ``unavailable``, the reason, and no figures.

    Args:
        model: ``models:/svg-quality/Production``, any other model URI, or a bundle's folder.
        enabled: whether to ask a model at all.
        refresh_s: least time between two looks for another version, s.

    Raises:
        TrackingError: the URI is malformed.
        ModelError: the bundle is damaged or does not fit this code.
    """

    def __init__(
        self, model: str = PRODUCTION, *, enabled: bool = True, refresh_s: float = 5.0
    ) -> None:
        self._current = CurrentModel(model, refresh_s, enabled)

    @property
    def model_name(self) -> str:
        """Of the model asked for."""
        return self._current.name

    @property
    def model_version(self) -> str | None:
        """Of the model that answers now."""
        return self.availability().model_version

    @property
    def working_size(self) -> int:
        """Px of the longer side to which larger pictures are reduced."""
        return _working_size(self._current.state())

    def availability(self) -> Availability:
        """Whether predictions can be had now, and of which version."""
        state = self._current.state()
        loaded = state.loaded
        version = loaded.version if loaded else None
        return Availability(loaded is not None, state.reason, self.model_name, version)

    def refresh(self) -> bool:
        """Look for another version now; whether one has been loaded.

        Raises:
            ModelError: its bundle cannot be used, and there is none before it to keep.
        """
        return self._current.refresh()

    def warm_up(self) -> None:
        """Predict once, so that the first question is answered as quickly as the next."""
        loaded = self._current.state().loaded
        if loaded is not None:
            loaded.bundle.warm_up()

    def picture(self, image: ImageLike) -> Picture:
        """Check an image and compute everything that does not depend on parameters.

        Args:
            image: path, bytes of a file, uint8 array ``(H, W[, 3 or 4])``, or PIL image.

        Raises:
            ImageError: it is no image that can be read.
            ModelError: there is no model, or its bundle cannot be used.
        """
        loaded = self._current.get()
        return loaded.picture(*read_image(image, loaded.bundle.working_size))

    def predict(self, image: ImageLike, parameters: Parameters | None = None) -> Prediction:
        """Predict one conversion; without parameters, VTracer's defaults.

        Args:
            image: as for `picture`.
            parameters: a valid set.

        Raises:
            ImageError: it is no image that can be read.
            ModelError: the model's bundle cannot be used.
        """
        return self.predict_sets(image, [parameters or Parameters()])[0]

    def predict_sets(self, image: ImageLike, parameters: Sequence[Parameters]) -> list[Prediction]:
        """Predict many parameter sets of one image: its features are computed once."""
        state = self._current.state()
        name, logo = read_image(image, _working_size(state))
        if state.damaged:
            raise ModelError(state.reason)
        if state.loaded is None:
            return [self._unavailable(state, name, chosen) for chosen in parameters]
        return _predictions(state.loaded.picture(name, logo), parameters)

    def predict_batch(
        self, images: Iterable[ImageLike], parameters: Parameters | None = None
    ) -> list[Prediction]:
        """Predict one parameter set for many images, in order."""
        return [self.predict(image, parameters) for image in images]

    def _unavailable(self, state: State, image: str, parameters: Parameters) -> Prediction:
        return Prediction(
            status="unavailable",
            reason=state.reason,
            image=image,
            parameters=parameters,
            ssim=None,
            ssim_low=None,
            ssim_high=None,
            interval=None,
            svg_bytes=None,
            bytes_low=None,
            bytes_high=None,
            unlike_training=None,
            model_name=self.model_name,
            model_version=None,
        )


def _working_size(state: State) -> int:
    return state.loaded.bundle.working_size if state.loaded else WORKING_SIZE


def _predictions(picture: Picture, parameters: Sequence[Parameters]) -> list[Prediction]:
    if not parameters:
        return []
    scores = picture.score(parameters)
    return [
        Prediction(
            status="ok",
            reason=None,
            image=picture.name,
            parameters=chosen,
            ssim=float(scores.ssim[i]),
            ssim_low=float(scores.ssim_low[i]),
            ssim_high=float(scores.ssim_high[i]),
            interval=picture.interval,
            svg_bytes=round(float(scores.svg_bytes[i])),
            bytes_low=round(float(scores.bytes_low[i])),
            bytes_high=round(float(scores.bytes_high[i])),
            unlike_training=picture.similarity.unlike,
            model_name=picture.model_name,
            model_version=picture.model_version,
        )
        for i, chosen in enumerate(parameters)
    ]
