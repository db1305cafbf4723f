"""The pictures asked about last, so that the next question about one costs no features."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from svg_quality.prediction.picture import Picture


class PictureCache:
    """The ``size`` pictures asked for last; threads that ask for one at once make it once.

    Args:
        size: at least 1.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._kept: OrderedDict[str, Future[Picture]] = OrderedDict()

    def get(self, key: str, make: Callable[[], Picture]) -> Picture:
        """The picture of a key, made where it is not known; what ``make`` raises is not kept."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                mine: Future[Picture] = Future()
                self._kept[key] = mine
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(key)
        if kept is not None:
            return kept.result()
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                if self._kept.get(key) is mine:
                    del self._kept[key]
            mine.set_exception(error)
            raise
        mine.set_result(made)
        return made
