"""`restore`: what a backup holds back into the project; nothing that is there is overwritten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from svg_quality.dataset.manifest import FILES, read_manifest
from svg_quality.dataset.transfers.backup import (
    DATABASE,
    Restoration,
    chosen_parts,
    plan_restoration,
    put_back,
    refuse_many,
)
from svg_quality.dataset.transfers.transfer import download_folder, remote_manifest
from svg_quality.settings import RestoreSettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.dataset.backup import local_database
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.processes import started
from svg_quality.tracking.snapshot import (
    holds_all,
    holds_only,
    refuse_misfit,
    relocate,
    replace_content,
)

_FETCHING: Final = ".restore-"  # then the process that fetches there


def _restore(context: StageContext) -> None:
    settings: RestoreSettings = context.settings
    parts = chosen_parts(settings.parts)
    refuse_many(settings.source)
    n_files = len(remote_manifest(settings.source)[FILES])
    context.data.mkdir(exist_ok=True)
    _sweep(context.data)
    with TemporaryDirectory(prefix=f"{_FETCHING}{os.getpid()}-", dir=context.data) as temporary:
        with progress_bar(n_files, "fetching the backup") as bar:
            fetched = download_folder(
                settings.source, Path(temporary) / "backup", lambda name, n_bytes: bar.update()
            )
        manifest = read_manifest(fetched)
        plan = plan_restoration(manifest, context.root, parts)
        with_database = "models" in parts and DATABASE in manifest[FILES]
        if with_database:
            plan = _with_database(plan, manifest, fetched / DATABASE, context.root)
        plan.refuse_others()
        put_back(fetched, context.root, [name for name in plan.new if name != DATABASE])
        if DATABASE in plan.new:
            replace_content(local_database(), fetched / DATABASE)
    digest = str(manifest["digest"])
    context.run.log_dataset("backup", digest, settings.source, "restore")
    context.run.log_metrics({"files_restored": len(plan.new), "files_kept": len(plan.kept)})
    context.run.set_output(digest)
    say(
        f"restore    {len(plan.new):,} files put back, {len(plan.kept):,} were there already;"
        f" backup of {manifest['created']} with {', '.join(manifest['parts'])}"
    )


def _with_database(
    plan: Restoration, manifest: Mapping[str, Any], copy: Path, root: Path
) -> Restoration:
    """The database as one more file: new where this store is, kept where it holds everything."""
    database = local_database()
    if holds_only(database, RESTORE.name):
        refuse_misfit(database, copy)
        relocate(copy, manifest["root"], str(root))
        return replace(plan, new=(*plan.new, DATABASE))
    if holds_all(database, copy):
        return replace(plan, kept=(*plan.kept, DATABASE))
    return replace(plan, other=(*plan.other, DATABASE))


def _sweep(data: Path) -> None:
    """Remove what killed restores had fetched; that of one which is at work stays."""
    for left in data.glob(f"{_FETCHING}*-*"):
        pid = left.name.removeprefix(_FETCHING).partition("-")[0]
        # This process has fetched nothing yet: its id was another one's before.
        if pid.isdigit() and (int(pid) == os.getpid() or started(int(pid)) is None):
            shutil.rmtree(left)


RESTORE = Stage(
    name="restore",
    after=(),
    code=(
        "dataset/manifest.py",
        "dataset/transfers",
        "tracking/snapshot.py",
        "stages/dataset/backup.py",
        "stages/dataset/restore.py",
    ),
    act=_restore,
)
