"""Two models side by side: a share of the pictures is answered by the challenger.

The share is cut by the pictures' content, so the same picture always gets the same model, in
every process and after every restart, and raising the share only ever adds pictures to the
challenger's. For its pictures the champion predicts too, unseen: both predictions stand in the
log, so that the two can be compared on the very same conversions.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Final

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import ModelError, SettingsError
from svg_quality.prediction.predictor import ImageLike, Picture, QualityPredictor
from svg_quality.serving.prediction_log import PredictionLog, Role

_SALT: Final = b"challenger "  # no other cut by the same digest falls together with this one
_DIGEST_VALUES: Final = 2**64


class ChallengerRouter:
    """Says which model answers for a picture, and logs what the models said.

    It keeps nothing itself, so any number of threads may use it. What a service does for one
    request::

        _, image = read_image(data, router.champion.working_size)
        role, predictor = router.predictor_for(image.image_id)
        picture = predictor.picture(data)
        scores = picture.score(parameters)                # the answer
        router.record(role, data, picture, parameters)    # after the answer went out

    Args:
        champion: in Production.
        challenger: None where there is none: then every picture is the champion's, as ``only``.
        share: of pictures that the challenger answers for, in [0, 1].
        log: None keeps nothing.

    Raises:
        SettingsError: both are the same version, or the share is not in [0, 1].
        ModelError: the challenger cannot be had.
    """

    def __init__(
        self,
        champion: QualityPredictor,
        challenger: QualityPredictor | None,
        share: float,
        log: PredictionLog | None,
    ) -> None:
        if not 0 <= share <= 1:
            raise SettingsError(f"the challenger's share must be in [0, 1], got {share}")
        self.champion = champion
        self.challenger = challenger
        self.share = share
        self.log = log
        if challenger is None:
            return
        found = challenger.availability()
        if not found.available:
            raise ModelError(
                f"a challenger must be there from the start, {found.model_name} is not:"
                f" {found.reason}"
            )
        if self._same_version():
            raise SettingsError(
                "champion and challenger must be different versions, both are"
                f" {found.model_name} {found.model_version}"
            )

    def predictor_for(self, image_id: str) -> tuple[Role, QualityPredictor]:
        """Whose answer a picture gets.

        When the challenger itself is put into Production meanwhile, the two are one: ``only``.

        Args:
            image_id: SHA-256 of the decoded pixels, as of `LogoImage`.
        """
        if self.challenger is None or self._same_version():
            return "only", self.champion
        if in_share(image_id, self.share):
            return "challenger", self.challenger
        return "champion", self.champion

    def record(
        self,
        role: Role,
        image: ImageLike,
        picture: Picture,
        parameters: Sequence[Parameters],
        *,
        converted: bool = False,
    ) -> None:
        """Log what was answered, and what the champion says of it where the challenger answered.

        Call it after the answer went out: for a picture of the challenger's it has the champion
        look at the picture too (tens of ms).

        Args:
            role: as `predictor_for` gave it.
            image: as given to `QualityPredictor.picture`; the champion reads it for itself.
            picture: that answered.
            parameters: asked for; of many a sample is kept.
            converted: these sets are converted for real (those of ``/v1/convert``, and those that
                ``/v1/optimize`` measured): all are kept, for they can be joined with what came out.

        Raises:
            StorageError: the log cannot be written.
        """
        if self.log is None:
            return
        self.log.predicted(picture, parameters, role=role, converted=converted)
        if role == "challenger":
            with contextlib.suppress(ModelError):  # no champion is in Production: nothing to say
                unseen = self.champion.picture(image)
                self.log.predicted(unseen, parameters, role="champion", converted=converted)

    def _same_version(self) -> bool:
        if self.challenger is None:
            return False
        ours, theirs = self.champion.availability(), self.challenger.availability()
        return (ours.model_name, ours.model_version) == (theirs.model_name, theirs.model_version)


def in_share(image_id: str, share: float) -> bool:
    """Whether a picture belongs to a share of all pictures; a larger share holds a smaller one."""
    digest = hashlib.sha256(_SALT + image_id.encode()).digest()
    return int.from_bytes(digest[:8]) < share * _DIGEST_VALUES
