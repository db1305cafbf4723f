"""`backup`: releases, logs and models to a storage, as one immutable, checked folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import svg_quality
from svg_quality.dataset.transfers.backup import (
    DATABASE,
    chosen_parts,
    files_of,
    part_of,
    send_backup,
)
from svg_quality.dataset.transfers.storage import is_url, local_folder
from svg_quality.errors import TrackingError
from svg_quality.settings import BackupSettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.snapshot import copy_database
from svg_quality.tracking.store import database_file, tracking_uri


def _backup(context: StageContext) -> None:
    settings: BackupSettings = context.settings
    parts = chosen_parts(settings.parts)
    target = settings.target if is_url(settings.target) else str(local_folder(settings.target))
    with TemporaryDirectory(prefix="svg-quality-") as temporary:
        scratch = Path(temporary)
        # The database first: an artifact that it does not know is harmless, a lost one is not.
        database = {}
        if "models" in parts:
            copy_database(local_database(), scratch / "mlflow.db")
            database = {DATABASE: scratch / "mlflow.db"}
        files = files_of(context.root, parts, scratch) | database
        about = {
            "parts": list(parts),
            "root": str(context.root),
            "svg_quality": svg_quality.__version__,
        }
        with progress_bar(len(files), "sending the backup") as bar:
            sent = send_backup(files, about, target, scratch, lambda name, n_bytes: bar.update())
    counts = Counter(part_of(name) for name in files)
    context.run.log_dataset("backup", sent.url.rsplit("-", 1)[-1], sent.url, "backup")
    context.run.log_metrics(
        {"files": sent.n_files, "bytes": sent.n_bytes}
        | {f"files.{part}": counts[part] for part in parts}
    )
    context.run.set_output(sent.url)
    listed = ", ".join(f"{counts[part]:,} of {part}" for part in parts)
    say(
        f"backup     {sent.n_files:,} files ({listed}), {sent.n_bytes / 1e6:.1f} MB, read back:"
        f" {sent.url}"
    )
    say(f"backup     to bring it back: svg-quality restore {sent.url}")


def local_database() -> Path:
    """The file of the tracking store.

    Raises:
        TrackingError: the store is a server.
    """
    uri = tracking_uri()
    database = database_file(uri)
    if database is None:
        raise TrackingError(
            f"models are backed up from a store in a file, {uri} is none: use the server's own"
            " backup, and here --parts releases,logs"
        )
    return database


BACKUP = Stage(
    name="backup",
    after=(),
    code=(
        "dataset/manifest.py",
        "dataset/transfers",
        "tracking/snapshot.py",
        "stages/dataset/backup.py",
    ),
    act=_backup,
)
