"""Everything that can go wrong on purpose, in one tree.

* SvgQualityError
  - ParameterError        a VTracer parameter is unknown or out of range
  - ImageError            an input image cannot be read, or is not a size we can score
  - ConversionError       tracing or rendering failed (a panic, a bad SVG)
  - SettingsError         a settings file or a command-line value is not valid
  - DatasetError          a table, split or release breaks its contract
  - FeatureError          features are missing, or of another backbone
  - ModelError            a model or bundle is missing, damaged or does not fit
  - TrackingError         no run, model version or store where one is needed
  - StorageError          a transfer to or from a storage did not arrive whole
  - CheckError            a check that was asked for found faults (exit code 1)
  - PromotionError        a gate keeps a version out of Production (exit code 3)

Each is also the built-in that a caller would catch. The command line prints the message
of any of them as one sentence and exits with ``exit_code``.
"""

from __future__ import annotations

from typing import Literal

ImageFault = Literal["unreadable", "too_large", "too_small", "unsupported"]


class SvgQualityError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 2


class ParameterError(SvgQualityError, ValueError):
    """A VTracer parameter is unknown or outside the range VTracer accepts."""


class ImageError(SvgQualityError, ValueError):
    """An image cannot be decoded, or its size cannot be traced and scored.

    Args:
        message: the law, then the fact.
        fault: what kind of thing is wrong, for counting.
    """

    def __init__(self, message: str, fault: ImageFault = "unsupported") -> None:
        super().__init__(message)
        self.fault: ImageFault = fault


class ConversionError(SvgQualityError, RuntimeError):
    """VTracer or the renderer failed on a valid image and valid parameters."""


class DeadlineError(ConversionError):
    """The time for a logo's conversions was over before the first could begin."""


class SettingsError(SvgQualityError, ValueError):
    """A settings file or an override is unknown, of the wrong type, or out of range."""


class DatasetError(SvgQualityError, ValueError):
    """A table, split or release does not keep its contract."""


class FeatureError(SvgQualityError, LookupError):
    """Features asked for are not in the store, or belong to another backbone."""


class ModelError(SvgQualityError, RuntimeError):
    """A model or bundle is missing, damaged, or made for another schema."""


class TrackingError(SvgQualityError, LookupError):
    """The tracking store has no such run or model version."""


class StorageError(SvgQualityError, OSError):
    """A storage cannot be reached, or what came through differs from what was sent."""


class CheckError(SvgQualityError, RuntimeError):
    """A check ran to its end and found faults; its report names them."""

    exit_code = 1


class PromotionError(SvgQualityError, RuntimeError):
    """A gate keeps a version out of Production; the history has its figures."""

    exit_code = 3
