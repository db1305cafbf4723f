"""Checks, their thresholds and their findings: what a quality report is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from svg_quality.dataset.assurance.private_text import masked
from svg_quality.errors import SettingsError

Outcome = Literal["pass", "warn", "fail", "not measured"]
Item = TypeVar("Item")
Track = Callable[[Iterable[Item], int, str], Iterator[Item]]  # items, how many, what is done

THRESHOLDS: Final = "qa_thresholds.yaml"


class Finding(NamedTuple):
    """One thing that a check found."""

    row: str  # conversion_id or image_id; for a whole table, the column or group
    fact: str  # what is wrong with it; nothing private is repeated


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(_Frozen):
    """What a figure has to keep, and what it means when it does not."""

    at_least: float | None = None
    at_most: float | None = None
    severity: Literal["fail", "warn"]

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a limit must be either at_least or at_most")
        return self

    def outcome(self, value: float | None) -> Outcome:
        """What a figure means; None is one that could not be taken."""
        if value is None:
            return "not measured"
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return "pass" if low and high else self.severity


def _limit(about: str) -> Any:
    return Field(description=about)


class QualityLimits(_Frozen):
    """Whether rows, splits and labels are what they say."""

    valid_rows: Limit = _limit("share of rows that keep the schema and its laws")
    kept_rows: Limit = _limit("share of rows that cleaning kept")
    complete_columns: Limit = _limit("share of values present in the columns that training needs")
    split_leaks: Limit = _limit("images and groups of near-duplicates in more than one split")
    repeated_rows: Limit = _limit("rows with the id of an earlier row")
    contradicting_images: Limit = _limit("images with two sizes, formats, types or files")
    contradicting_labels: Limit = _limit("same picture and parameters with two SSIM values")
    wrong_summaries: Limit = _limit("images whose summary is not that of their rows")
    wrong_pictures: Limit = _limit("images lost from the library, or sampled and not the same")
    labels_confirmed: Limit = _limit("share of re-measured rows with the same SSIM and bytes")
    label_difference: Limit = _limit("largest distance of a re-measured SSIM from its label")


class SafetyLimits(_Frozen):
    """What the dataset's files could do to whoever opens them."""

    active_content: Limit = _limit("files with scripts, handlers or embedded documents")
    external_references: Limit = _limit("files that load something from outside")
    entities: Limit = _limit("files that declare entities")
    decompression_bombs: Limit = _limit("files that expand beyond measure")
    unreadable_files: Limit = _limit("files that are missing, broken or of an unknown format")


class PrivacyLimits(_Frozen):
    """What pictures and tables give away about people."""

    gps_positions: Limit = _limit("pictures with a GPS position")
    authors_and_owners: Limit = _limit("pictures that name an author, owner or computer")
    cameras: Limit = _limit("pictures with a camera's make, model or serial number")
    emails: Limit = _limit("pictures with an e-mail address in their metadata")
    user_names_in_paths: Limit = _limit("pictures whose metadata hold a path with a user's name")
    free_comments: Limit = _limit("pictures with a free comment")
    private_cells: Limit = _limit("cells of the tables with a user's name or an e-mail address")


class BiasLimits(_Frozen):
    """Whom and what the dataset shows too much or too little of."""

    type_imbalance: Limit = _limit("largest distance of a type's share of rows from its target")
    ssim_coverage: Limit = _limit("share of SSIM cells from 0.3 to 1 with at least 1% of the rows")
    quality_imbalance_of_splits: Limit = _limit(
        "share of a split's rows in other quality bands than the training split's"
    )
    type_imbalance_of_splits: Limit = _limit(
        "share of a split's rows of other logo types than the training split's"
    )
    largest_source: Limit = _limit("share of images from the largest collection")
    estimated_types: Limit = _limit("share of images whose type is estimated, not given")
    synthetic_rows: Limit = _limit("share of rows of synthetic logos")
    synthetic_held_out: Limit = _limit("synthetic images in validation or test")
    error_ratio_of_types: Limit = _limit("SSIM error on the worst logo type over the best one's")


class Thresholds(_Frozen):
    """Every limit of a report."""

    quality: QualityLimits
    safety: SafetyLimits
    privacy: PrivacyLimits
    bias: BiasLimits


@dataclass(frozen=True, slots=True)
class Check:
    """One figure of a report, beside its limit."""

    name: str
    about: str
    value: float | None  # None: it could not be taken, ``note`` says why
    limit: Limit
    findings: tuple[Finding, ...] = ()
    note: str = ""

    @property
    def outcome(self) -> Outcome:
        """Pass, warn, fail or not measured."""
        return self.limit.outcome(self.value)


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report."""

    name: str
    about: str
    checks: tuple[Check, ...]

    @property
    def outcome(self) -> Outcome:
        """The gravest outcome of its checks."""
        found = {check.outcome for check in self.checks}
        gravity: tuple[Outcome, ...] = ("fail", "warn", "pass")
        return next((outcome for outcome in gravity if outcome in found), "not measured")


class Checker:
    """Makes the checks of one section from its limits.

    Args:
        limits: of the section; a check's name is the name of its limit.
    """

    def __init__(self, limits: BaseModel) -> None:
        self._limits = limits

    def limit(self, name: str) -> Limit:
        """The limit of a check."""
        found: Limit = getattr(self._limits, name)
        return found

    def check(
        self, name: str, value: float | None, findings: Iterable[Finding] = (), note: str = ""
    ) -> Check:
        """A check, its findings sorted; whatever they and the note repeat of people is masked."""
        about = type(self._limits).model_fields[name].description or name
        hidden = sorted(Finding(masked(row), masked(fact)) for row, fact in findings)
        return Check(name, about, value, self.limit(name), tuple(hidden), masked(note))

    def count(self, name: str, findings: Iterable[Finding], note: str = "") -> Check:
        """A check whose figure is how many different rows have findings."""
        listed = list(findings)
        return self.check(name, len({finding.row for finding in listed}), listed, note)


def untracked(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    """Items as they are: the `Track` of work that nobody watches."""
    yield from items


def read_thresholds(path: Path | None = None) -> Thresholds:
    """The package's thresholds, and what a file of one's own changes of them.

    Raises:
        SettingsError: the file cannot be read, or names a check or a value that is not known.
    """
    packaged = (
        resources.files("svg_quality.dataset.assurance").joinpath(THRESHOLDS).read_text("utf-8")
    )
    values: dict[str, Any] = yaml.safe_load(packaged)
    for section, limits in (_read_yaml(path) if path else {}).items():
        changed = limits if isinstance(limits, Mapping) else {"": limits}
        values[section] = {**values.get(section, {}), **changed}
    try:
        return Thresholds.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        fact = first["msg"].removeprefix("Value error, ").lower()
        raise SettingsError(
            f"thresholds must be limits of known checks, {where} of {path}: {fact},"
            f" got {first['input']!r}"
        ) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"thresholds must be readable YAML, {path}: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"thresholds must be sections of checks, {path} is not")
    return content
