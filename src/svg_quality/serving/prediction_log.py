"""What was predicted for whom: the log that A/B reports and monitoring read.

``data/predictions/predictions.jsonl`` holds one JSON object a line and is only ever appended to.
There are two kinds of line: a *picture*, once per picture and model version, with what tells it
apart from the training data, and a *prediction*, one per parameter set and role. No file name
is kept, and no pixel: a picture goes by the SHA-256 of its decoded pixels. What a conversion
really gave is not written here: it stands in ``data/conversions/use.jsonl``, and both are joined
by picture and parameters (`svg_quality.evaluation.live.joining`): one source for each fact.

Of a request of a thousand sets `KEPT` are written, those whose digests are lowest: a sample that
does not depend on the order of the request, and that is the same for both roles and when asked
again. Sets that are converted for real are all written (``converted=True``), as only these
can ever be held against a measurement.

The file is never cut or rotated, for a rotated half could not be joined any more: at 0.7 kB a
prediction and 2 kB a picture, a million predictions of as many pictures take 2.7 GB. Every append
opens it anew, so it may be moved away at any time; readers go through it line by line.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import DatasetError
from svg_quality.features.descriptors import DESCRIPTOR_NAMES, SIMPLE_NAMES
from svg_quality.features.probes import PROBE_NAMES
from svg_quality.tracking.appending import PATIENCE_S, appending

if TYPE_CHECKING:
    from svg_quality.prediction.picture import Picture

Role = Literal["champion", "challenger", "only"]
LOG: Final = Path("predictions") / "predictions.jsonl"  # within the project's data
KEPT: Final = 8  # predictions of one request that are written, where none is converted
WATCHED: Final = (*SIMPLE_NAMES, *PROBE_NAMES)  # descriptors that are kept of a picture
_PREDICTED: Final = (
    "predicted_ssim", "ssim_low", "ssim_high", "predicted_svg_bytes", "bytes_low", "bytes_high",
)  # fmt: skip
_REMEMBERED: Final = 4096  # pictures this process knows to be written; beyond, one is repeated
_DIGITS: Final = 9  # significant ones: a float32 is read again as it was


class PredictionLog:
    """The log of a project, for several threads and processes at once.

    Each append holds a lock on ``predictions.jsonl.lock`` and writes whole lines in one go; what
    a killed process left of a line is cut off by the next append.

    Args:
        data: the project's ``data`` folder; file and folder are made on first use.
        patience_s: to wait for others that append.
    """

    def __init__(self, data: Path, patience_s: float = PATIENCE_S) -> None:
        self.path = data / LOG
        self._patience_s = patience_s
        self._written: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def predicted(
        self,
        picture: Picture,
        parameters: Sequence[Parameters],
        *,
        role: Role,
        converted: bool = False,
    ) -> int:
        """Write what a picture's model says of parameter sets; gives how many were written.

        Args:
            picture: as `QualityPredictor.picture` gave it; its model version is the one written.
            parameters: asked for. At most `KEPT` are written, unless ``converted``.
            role: whose prediction it is; ``only`` where there is no challenger.
            converted: these very sets are converted for real: all are written.

        Raises:
            StorageError: the disk refuses, or others hold the log for too long.
        """
        distinct = list(dict.fromkeys(parameters))
        kept = distinct if converted else sample(picture.image.image_id, distinct)
        if not kept:
            return 0
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        known = self._is_known(picture)
        lines = [] if known else [_picture_line(picture, now)]
        self._append([*lines, *_prediction_lines(picture, kept, role, len(distinct), now)])
        self._remember(picture)  # only now: what could not be written is not known
        return len(kept)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every whole line, oldest first, one in memory at a time; none where there is no file.

        Raises:
            DatasetError: a line other than a last, unfinished one is no JSON object.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as log:
            for number, text in enumerate(log, start=1):
                if not text.endswith(b"\n"):
                    return
                try:
                    line = json.loads(text)
                    if not isinstance(line, dict):
                        raise ValueError(f"it is a {type(line).__name__}")
                except ValueError as error:
                    raise DatasetError(
                        "a log must hold one JSON object a line,"
                        f" {self.path} line {number} is none: {error}"
                    ) from None
                yield line

    def _is_known(self, picture: Picture) -> bool:
        with self._lock:
            return _key(picture) in self._written

    def _remember(self, picture: Picture) -> None:
        with self._lock:
            self._written[_key(picture)] = None
            self._written.move_to_end(_key(picture))
            while len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)

    def _append(self, lines: Sequence[dict[str, Any]]) -> None:
        text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines).encode()
        with appending(self.path, self._patience_s) as log:
            log.write(text)


def sample(image_id: str, parameters: Sequence[Parameters], n: int = KEPT) -> list[Parameters]:
    """At most ``n`` of the sets: those whose digests with the picture are lowest."""
    if len(parameters) <= n:
        return list(parameters)
    return sorted(parameters, key=lambda chosen: _digest(image_id, chosen))[:n]


def _digest(image_id: str, parameters: Parameters) -> bytes:
    return hashlib.sha256(f"{image_id} {parameters}".encode()).digest()


def _key(picture: Picture) -> tuple[str, str, str]:
    return picture.image.image_id, picture.model_name, picture.model_version


def _picture_line(picture: Picture, now: str) -> dict[str, Any]:
    from svg_quality.dataset.survey import perceptual_hash  # heavy

    similarity = picture.similarity
    values = dict(zip(DESCRIPTOR_NAMES, picture.descriptors.tolist(), strict=True))
    return {
        "kind": "picture",
        "at": now,
        "image_id": picture.image.image_id,
        "model_name": picture.model_name,
        "model_version": picture.model_version,
        "perceptual_hash": perceptual_hash(picture.image.rgb),
        "unlike": bool(similarity.unlike),
        "percentile": _rounded(similarity.percentile),
        "distance": _rounded(similarity.distance),
        "descriptors": {name: _rounded(values[name]) for name in WATCHED},
    }


def _prediction_lines(
    picture: Picture, kept: Sequence[Parameters], role: Role, n_asked: int, now: str
) -> list[dict[str, Any]]:
    said = {
        "kind": "prediction",
        "at": now,
        "image_id": picture.image.image_id,
        "working_size": picture.bundle.working_size,
        "role": role,
        "model_name": picture.model_name,
        "model_version": picture.model_version,
        "level": picture.interval,
        "n_asked": n_asked,
    }
    scores = picture.score(kept)
    columns = (scores.ssim, scores.ssim_low, scores.ssim_high,
               scores.svg_bytes, scores.bytes_low, scores.bytes_high)  # fmt: skip
    return [
        said | chosen.as_dict() | dict(zip(_PREDICTED, map(_rounded, numbers), strict=True))
        for chosen, numbers in zip(kept, zip(*columns, strict=True), strict=True)
    ]


def _rounded(value: float) -> float:
    return float(f"{float(value):.{_DIGITS}g}")
