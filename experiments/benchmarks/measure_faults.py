"""SIGKILL at random moments of `convert`, `extract` and `dataset`, each run again afterwards.

After every kill: no half release is visible. After running the stage again: its result equals that
of a run nobody killed, and no row is lost or doubled. ``--kills N`` of each stage (default 20).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
from record import HERE, write_result

from svg_quality.dataset.campaign import ConversionLog
from svg_quality.dataset.manifest import MANIFEST, differences, read_manifest

COMMAND = Path(sys.executable).parent / "svg-quality"
STAGES = {  # arguments, and the folder under data/ that shows that the work has begun
    "convert": (["--max-logos", "60", "--sets-per-image", "8"], "conversions"),
    "dataset": (["--name", "faults", "--version", "1.0.0"], "releases"),
    "extract": (["--weights", "random", "--precision", "fp32", "--batch-size", "4"], "backbones"),
}
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--to", default="faults", help="name of the JSON file")
    options = parser.parse_args()
    figures: dict[str, Any] = {"kills_per_stage": options.kills, "seed": SEED, "stages": {}}
    with tempfile.TemporaryDirectory() as scratch:
        before = Path(scratch) / "before"
        before.mkdir()
        shutil.copy(HERE.parents[1] / "MLproject", before)
        shutil.copytree(HERE.parents[1] / "experiments", before / "experiments")
        for stage in STAGES:
            print(stage, flush=True)
            after = Path(scratch) / f"after-{stage}"
            figures["stages"][stage] = faults_of(stage, before, after, options.kills)
            before = after
    write_result(options.to, figures)
    if any(figures["stages"][stage]["broken"] for stage in STAGES):
        sys.exit(1)


def faults_of(stage: str, before: Path, after: Path, n_kills: int) -> dict[str, Any]:
    """Kill the stage ``n_kills`` times; ``after`` is what nobody disturbed left behind."""
    project = after.with_name("project")  # one place for all: the store names absolute paths
    put(before, project)
    begun, ended = watch(stage, project)
    expected = content(stage, project)
    put(project, after)
    moments = random.Random(SEED)
    broken, progress, killed = [], [], 0
    while killed < n_kills:
        put(before, project)
        # A tenth of the kills strike while the program starts, the others while it works.
        early = killed % 10 == 0
        delay = moments.uniform(0, begun) if early else moments.uniform(0, ended - begun)
        if not kill(stage, project, delay, early):
            continue  # it had ended already
        killed += 1
        progress.append(round(delay / (begun if early else ended - begun), 2))
        faults = half_releases(project)
        run(stage, project)
        faults += compare(expected, content(stage, project))
        broken += [f"kill {killed} after {delay:.2f} s: {fault}" for fault in faults]
        print(f"  {killed} of {n_kills}, {len(broken)} broken", flush=True)
    shutil.rmtree(project)
    return {"undisturbed_s": round(ended, 2), "begins_work_after_s": round(begun, 2),
            "killed_at_share": progress, "n_rows": len(expected), "broken": broken}  # fmt: skip


def put(source: Path, target: Path) -> None:
    """Make a folder the copy of another."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def start(stage: str, project: Path) -> subprocess.Popen[bytes]:
    # Without git's and the caller's store, each project has one of its own.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return subprocess.Popen(
        [COMMAND, stage, *STAGES[stage][0]], cwd=project, env=kept, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def run(stage: str, project: Path) -> None:
    if start(stage, project).wait() != 0:
        raise RuntimeError(f"{stage} failed in {project}")


def watch(stage: str, project: Path) -> tuple[float, float]:
    """Run undisturbed; seconds until work is seen to begin, and until the end."""
    clock = time.perf_counter()
    process = start(stage, project)
    wait_for_work(stage, project, process)
    begun = time.perf_counter() - clock
    if process.wait() != 0:
        raise RuntimeError(f"{stage} failed in {project}")
    return begun, time.perf_counter() - clock


def wait_for_work(stage: str, project: Path, process: subprocess.Popen[bytes]) -> None:
    folder = project / "data" / STAGES[stage][1]
    known = set(folder.rglob("*"))
    while process.poll() is None and set(folder.rglob("*")) == known:
        time.sleep(0.005)


def kill(stage: str, project: Path, delay: float, early: bool) -> bool:
    process = start(stage, project)
    if not early:
        wait_for_work(stage, project, process)
    time.sleep(delay)
    alive = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL) if alive else None
    process.wait()
    return alive


def half_releases(project: Path) -> list[str]:
    """Releases that can be seen and are not whole."""
    return [
        f"{release} is visible and not whole"
        for release in visible(project)
        if not (release / MANIFEST).exists() or differences(release)
    ]


def visible(project: Path) -> list[Path]:
    """What a person sees as a release: hidden folders are work in progress, or a lock."""
    places = (project / "data/releases").glob("*/*")
    return [place for place in places if not place.name.startswith(".")]


def compare(expected: list[Any], found: list[Any]) -> list[str]:
    if found == expected:
        return []
    lost = len([row for row in expected if row not in found])
    doubled = len(found) - len({str(row) for row in found})
    return [f"{lost} rows lost, {doubled} doubled, {len(found)} of {len(expected)} there"]


def content(stage: str, project: Path) -> list[Any]:
    """What the stage left, without times and dates, sorted."""
    read: dict[str, Callable[[Path], list[Any]]] = {
        "convert": _conversions, "dataset": _releases, "extract": _features,
    }  # fmt: skip
    return sorted(read[stage](project))


def _conversions(project: Path) -> list[Any]:
    """The log, row by row, and the table of the newest finished run."""
    log = ConversionLog(project / "data/conversions/log.jsonl")
    rows = [("log", row["conversion_id"], row["ssim"], row["svg_bytes"]) for row in log.rows()]
    tables = sorted(project.rglob("conversions.parquet"), key=lambda path: path.stat().st_mtime)
    table = pd.read_parquet(tables[-1])[["conversion_id", "ssim", "svg_bytes"]]
    return rows + [("table", *row) for row in table.itertuples(index=False, name=None)]


def _releases(project: Path) -> list[Any]:
    found = []
    for path in visible(project):
        table = pd.read_parquet(path / "conversions.parquet")[["conversion_id", "split", "ssim"]]
        found += [(path.name, *row) for row in table.itertuples(index=False, name=None)]
        digest = read_manifest(path)["dataset_digest"]
        found.append((path.name, "digest", digest, float(len(differences(path)))))
    return found


def _features(project: Path) -> list[Any]:
    found = []
    for path in (project / "data/features").rglob("*.h5"):
        with h5py.File(path) as file:
            names, values = file["image_id"][:], file["values"][:]
        for name, row in zip(names, values, strict=True):
            found.append((path.parent.name, name.decode(), round(float(row.sum()), 3)))
    return found


if __name__ == "__main__":
    main()
