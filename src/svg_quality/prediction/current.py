"""Which model version answers now: loaded whole, then put in place of the one before at once."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from svg_quality.conversion.images import LogoImage
from svg_quality.errors import ModelError, TrackingError
from svg_quality.prediction.bundle import Bundle
from svg_quality.prediction.picture import Picture
from svg_quality.prediction.pictures import PictureCache
from svg_quality.tracking.resolve import ResolvedModel, parse, resolve

DISABLED: Final = "predictions are switched off: predictor.enabled is false"
UNREGISTERED: Final = "unregistered"  # the version of a bundle that is only a folder
_REMEMBERED: Final = 64  # pictures, up to 0.8 MB each
_RETRY_S: Final = 60.0  # until a version that was refused is read again

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """One version, with the pictures it was asked about last."""

    bundle: Bundle
    name: str
    version: str
    path: Path
    _pictures: PictureCache = field(default_factory=lambda: PictureCache(_REMEMBERED))

    def picture(self, name: str, image: LogoImage) -> Picture:
        """The picture under this version; of the same content it is computed once."""
        kept = self._pictures.get(image.image_id, lambda: self._made(name, image))
        return dataclasses.replace(kept, name=name, image=image)

    def is_of(self, found: ResolvedModel) -> bool:
        """Whether it is the one that was found in the registry."""
        return (self.path, self.version) == (found.path, _version(found))

    def _made(self, name: str, image: LogoImage) -> Picture:
        features, descriptors = self.bundle.inputs(image)
        return Picture(
            name=name,
            image=image,
            descriptors=descriptors,
            features=features,
            similarity=self.bundle.reference.similarity(descriptors),
            bundle=self.bundle,
            model_name=self.name,
            model_version=self.version,
        )


@dataclass(frozen=True, slots=True)
class State:
    """What answers at one moment."""

    loaded: LoadedModel | None
    reason: str | None = None  # why there is none, or why it is not the one asked for
    damaged: bool = False  # there is one, and it cannot be used


@dataclass(frozen=True, slots=True)
class _Refused:
    """A version that cannot be used."""

    model: ResolvedModel
    reason: str
    when: float  # s, of the monotonic clock


class CurrentModel:
    """The version that an address means, looked up again from time to time.

    Args:
        model: model URI, or a bundle's folder.
        refresh_s: least time between two looks, s.
        enabled: else nothing is ever loaded.

    Raises:
        TrackingError: the address is malformed.
        ModelError: the bundle is damaged or does not fit this code.
    """

    def __init__(self, model: str, refresh_s: float, enabled: bool) -> None:
        self.name = parse(model).name if model.startswith("models:") else Path(model).resolve().name
        self._model = model
        self._refresh_s = refresh_s
        self._enabled = enabled
        self._looking = Lock()
        self._refused: _Refused | None = None
        self._state = State(None, None if enabled else DISABLED)
        self._due = math.inf
        self.refresh()
        if enabled:
            self._due = time.monotonic() + refresh_s

    def state(self) -> State:
        """What answers now. Raises nothing; a newer version loads beside, in a thread."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + self._refresh_s
            if self._state.loaded is not None:
                if not self._looking.locked():
                    Thread(target=self._look, name="svg-quality-refresh", daemon=True).start()
            else:  # nobody could answer meanwhile
                with contextlib.suppress(ModelError):  # it is in the state
                    self._look()
        return self._state

    def get(self) -> LoadedModel:
        """The version that answers now.

        Raises:
            ModelError: there is none, or its bundle cannot be used.
        """
        state = self.state()
        if state.loaded is None:
            raise ModelError(state.reason or "a model must be loaded, none is")
        return state.loaded

    def refresh(self) -> bool:
        """Look now; whether another version has been loaded.

        Raises:
            ModelError: its bundle cannot be used, and there is none before it to keep.
        """
        self._refused = None
        return self._enabled and self._look()

    def _look(self) -> bool:
        with self._looking:
            before = self._state.loaded
            try:
                found = resolve(self._model)
            except TrackingError as error:
                self._keep(before, str(error))
                return False
            if before is not None and before.is_of(found):
                self._state = State(before)
                return False
            if self._refused_lately(found):
                return False
            try:
                self._state = State(_load(found, warm=before is not None))
            except ModelError as error:
                self._refused = _Refused(found, str(error), time.monotonic())
                self._keep(before, str(error), damaged=True)
                if before is None:
                    raise
                return False
            return True

    def _refused_lately(self, found: ResolvedModel) -> bool:
        refused = self._refused
        if refused is None or refused.model != found:
            return False
        self._keep(self._state.loaded, refused.reason, damaged=True)
        return time.monotonic() - refused.when < _RETRY_S

    def _keep(self, before: LoadedModel | None, reason: str, damaged: bool = False) -> None:
        if before is None:
            self._state = State(None, reason, damaged)
            return
        kept = f"version {before.version} goes on answering: {reason}"
        if kept != self._state.reason:
            _log.warning("%s", kept)
        self._state = State(before, kept)


def _load(found: ResolvedModel, warm: bool) -> LoadedModel:
    bundle = Bundle(found.path)
    if warm:
        bundle.warm_up()
    return LoadedModel(bundle, found.name, _version(found), found.path)


def _version(found: ResolvedModel) -> str:
    return found.version or UNREGISTERED
