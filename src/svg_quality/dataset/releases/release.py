"""A dataset release: an immutable folder with a manifest that proves it.

``data/releases/NAME/VERSION/`` holds ``conversions.parquet`` (the schema's columns, ``split`` and
``fold``), ``conversions.jsonl`` (the same rows), ``images.parquet`` (one row per picture),
``set_aside.parquet``, ``balance.json``, ``config_lock.json``, ``croissant.json``, a datasheet, a
change log, perhaps a quality report and, written last, ``manifest.json``. Rows stay in the order
of the tables they come from. Tables go through batch after batch, so memory does not grow with
them but for a few columns (`release_plan`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from svg_quality.dataset.inspection.marks import Mark, apply_marks
from svg_quality.dataset.manifest import check_folder, describe_files, read_manifest, write_manifest
from svg_quality.dataset.releases.changes import (
    CHANGES,
    Changes,
    compare_releases,
    describe_changes,
    release_before,
)
from svg_quality.dataset.releases.config_lock import CONFIG_LOCK, config_lock
from svg_quality.dataset.releases.croissant import CROISSANT, croissant_metadata
from svg_quality.dataset.releases.datasheet import statistics, write_datasheet
from svg_quality.dataset.releases.release_folder import unfinished_folder
from svg_quality.dataset.releases.release_plan import Choices, ReleasePlan, plan_release
from svg_quality.dataset.releases.release_rows import open_table
from svg_quality.dataset.releases.release_writer import (
    CONVERSIONS_PARQUET,
    IMAGES,
    IMAGES_PARQUET,
    RELEASED,
    ReleaseWriter,
    write_images,
)
from svg_quality.dataset.splits.balance import assess_balance
from svg_quality.dataset.splits.split import SPLITS
from svg_quality.dataset.tables import CONVERSIONS, check_conversions
from svg_quality.dataset.targets import type_quotas
from svg_quality.errors import DatasetError

AUTO_VERSION: Final = "auto"  # as a version: the first digits of the dataset's digest
BALANCE: Final = "balance.json"
_AUTO_DIGITS: Final = 12
_BATCH: Final = 16_384  # rows

Tables = pd.DataFrame | Path | Sequence[Path]


@dataclass(frozen=True, eq=False)
class Release:
    """A release that is as its manifest says; its tables are read when they are first used."""

    path: Path
    name: str
    version: str
    digest: str  # SHA-256, hexadecimal
    made_again: Mapping[str, Any] | None = None  # counts of tables that gave a release there was

    @cached_property
    def conversions(self) -> pd.DataFrame:
        """The schema's columns, ``split`` and ``fold``."""
        return pd.read_parquet(self.path / CONVERSIONS_PARQUET)

    @cached_property
    def images(self) -> pd.DataFrame:
        """Indexed by image_id: group, split, fold, mean_ssim, logo_type, image_path, ..."""
        return pd.read_parquet(self.path / IMAGES_PARQUET).set_index("image_id")

    @property
    def working_size(self) -> int:
        """Px of the longer side to which larger pictures were reduced.

        Raises:
            DatasetError: it differs between rows, so a model could not know which to use.
        """
        sizes = sorted(self.conversions["working_size"].unique().tolist())
        if len(sizes) != 1:
            raise DatasetError(f"a release must be of one working size, {self.path} has {sizes}")
        return int(sizes[0])

    def rows(self, split: str) -> pd.DataFrame:
        """The conversions of one split.

        Raises:
            DatasetError: there is no such split.
        """
        if split not in SPLITS:
            raise DatasetError(f"a split must be one of {', '.join(SPLITS)}, got {split!r}")
        return self.conversions[self.conversions["split"] == split].reset_index(drop=True)


def make_release(
    conversions: Tables, root: Path, name: str, version: str, *,
    max_distance: int, seed: int, n_folds: int = 5, split_by: str = "image",
    target_samples: int = 0, marks: Mapping[str, Mark] | None = None,
    lock: Mapping[str, Any] | None = None,
    assure: Callable[[Path], bool] | None = None,
    passed: Callable[[int], object] = lambda n_rows: None,
) -> Release:  # fmt: skip
    """Clean, select, split and write a release; where the same one exists, that one is given.

    Of one that exists, ``made_again`` has the counts of these tables: what was set aside from
    them may be other than what its manifest says.

    Args:
        conversions: a table of conversions, or Parquet files of one or several.
        root: the folder of all releases.
        name, version: of this one; `AUTO_VERSION` for a version by digest.
        max_distance: bits, see `near_duplicate_groups`.
        seed: of the selection, the split and the folds.
        n_folds: for cross-validation.
        split_by: ``image`` or ``temporal``.
        target_samples: rows to select, balanced; 0 for all.
        marks: of an inspection, by image_id.
        lock: from `config_lock`; None for one of these settings alone.
        assure: writes a quality report into the folder that it is given, which holds the tables
            of the release, and says whether the release passed.
        passed: told the number of rows of each batch, once it is written.

    Raises:
        DatasetError: a table breaks the schema, is too small to split, or another dataset was
            released under this name and version.
    """
    choices = Choices(seed, max_distance, n_folds, split_by, target_samples)
    files = _open(conversions)
    plan = plan_release(files, choices, marks or {})
    with unfinished_folder(root / name) as folder:
        digest = _write_rows(files, plan, marks or {}, folder, passed)
        version = digest[:_AUTO_DIGITS] if version == AUTO_VERSION else version
        target = root / name / version
        if target.exists():
            return _released_already(target, digest, _counts(plan, choices))
        about = {
            "name": name,
            "version": version,
            "dataset_digest": digest,
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **asdict(choices),
            "counts": _counts(plan, choices),
            "sources": plan.sources(),
        }
        _write_json(folder / CONFIG_LOCK, lock or config_lock({"dataset": asdict(choices)}, seed))
        write_images(plan.images, folder)
        _write_json(folder / BALANCE, assess_balance(plan.images))
        about["quality"] = None if assure is None else {"passed": assure(folder)}
        about["previous"] = _write_changes(folder, about, release_before(root / name))
        _write_documents(folder, about, plan)
        write_manifest(folder, about)
        folder.replace(target)
    return Release(target, name, version, digest)


def read_release(path: Path) -> Release:
    """A release, each of its files checked against the manifest.

    Raises:
        DatasetError: it is missing, or a file was changed, removed or added.
    """
    manifest = check_folder(path)
    try:
        return Release(path, manifest["name"], manifest["version"], manifest["dataset_digest"])
    except KeyError as error:
        raise DatasetError(f"a release must say its {error}, {path} does not") from None


def _released_already(target: Path, digest: str, counts: Mapping[str, Any]) -> Release:
    released = read_release(target)
    if released.digest != digest:
        raise DatasetError(
            f"a release must not change, {target} has digest {released.digest[:12]} and this "
            f"data {digest[:12]}: give another version"
        )
    return replace(released, made_again=counts)


def _counts(plan: ReleasePlan, choices: Choices) -> dict[str, Any]:
    """The plan's, and ``short_by_type``: rows that a type has too few of, of those asked for."""
    there = plan.rows["logo_type"].value_counts()
    quotas = type_quotas(choices.target_samples)
    short = {name: quota - int(there.get(name, 0)) for name, quota in quotas.items()}
    return plan.counts() | {"short_by_type": {name: n for name, n in short.items() if n > 0}}


def _open(conversions: Tables) -> list[pq.ParquetFile]:
    if isinstance(conversions, pd.DataFrame):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pandas(conversions, preserve_index=False), sink)
        return [pq.ParquetFile(pa.BufferReader(sink.getvalue()))]
    paths = [conversions] if isinstance(conversions, Path) else list(conversions)
    if not paths:
        raise DatasetError("a release must be made of at least one table, got none")
    return [open_table(path) for path in paths]


def _write_rows(
    files: list[pq.ParquetFile], plan: ReleasePlan, marks: Mapping[str, Mark], folder: Path,
    passed: Callable[[int], object],
) -> str:  # fmt: skip
    """The second pass: check every row and write it where it belongs; gives the digest."""
    with ReleaseWriter(folder) as writer:
        for frame in _batches(files):
            checked = check_conversions(frame)
            start, stop = int(frame.index[0]), int(frame.index[-1]) + 1
            kept = checked[plan.taken[start:stop]]
            kept = apply_marks(kept, marks) if marks else kept
            writer.keep(kept.assign(**plan.rows.loc[kept.index, ["split", "fold"]]))
            reason = plan.reason.iloc[start:stop].dropna()
            writer.set_aside(checked.loc[reason.index].assign(reason=reason))
            passed(len(frame))
    return writer.digest.hexdigest()


def _batches(files: list[pq.ParquetFile]) -> Iterator[pd.DataFrame]:
    """Batches of all tables, indexed by the number of the row over all of them."""
    start, columns = 0, list(CONVERSIONS.columns)
    for file in files:
        for batch in file.iter_batches(_BATCH, columns=columns):
            frame = batch.to_pandas()[columns]
            yield frame.set_index(pd.RangeIndex(start, start + len(frame)))
            start += len(frame)


def _write_changes(
    folder: Path, about: Mapping[str, Any], before: Path | None
) -> dict[str, str] | None:
    """The change log; gives name and digest of the release before."""
    manifest = read_manifest(before) if before else None
    found: Changes | str | None = None
    if before:
        try:
            found = compare_releases(before, folder)
        except DatasetError as error:
            found = str(error)
    text = describe_changes(about, manifest, found)
    (folder / CHANGES).write_text(text, encoding="utf-8")
    return {key: manifest[key] for key in ("version", "dataset_digest")} if manifest else None


def _write_documents(folder: Path, about: Mapping[str, Any], plan: ReleasePlan) -> None:
    write_datasheet(folder, about, statistics(plan.rows, plan.images))
    counts = about["counts"]
    description = (
        f"{counts['conversions']:,} real conversions of {counts['images']:,} logos to SVG by "
        "VTracer: parameters, SSIM against the source, size. Split by picture."
    )
    metadata = croissant_metadata(
        {**about, "description": description},
        describe_files(folder),
        {CONVERSIONS_PARQUET: RELEASED, IMAGES_PARQUET: IMAGES},
    )
    _write_json(folder / CROISSANT, metadata)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")
