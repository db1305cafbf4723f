"""A release of 10,000 to 1,000,000 rows: seconds, memory, and what reading a part of it takes.

The rows are those of a real `convert` run, repeated. In each repetition every picture is another
one: its ids are hashed again with the number of the repetition, and one random number is mixed
into all perceptual hashes, so pictures that look alike still do and others do not. The figures
(SSIM, bytes, ...) and parameters stay. Each size is made by a process of its own, twice: the
second release has another seed, and so a change log against the first.

    python experiments/benchmarks/measure_dataset.py [--sizes 10000 100000] [--keep]

Needs a finished `convert` run; for the size of features, a finished `extract` run; and for the
share of valid rows, a release. What is not there is made in a temporary project of 60 logos.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from record import HERE, write_result

SIZES = (10_000, 100_000, 300_000, 1_000_000)
BATCH, ROUNDS = 1024, 200
TRAINING = ["image_id", "ssim", "svg_bytes", "filter_speckle", "color_precision", "mode", "split"]
COMMAND = str(Path(sys.executable).parent / "svg-quality")
ROOT = HERE.parents[1]
ROW_GROUP = 65_536


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--keep", action="store_true", help="do not write dataset.json")
    parser.add_argument("--make", nargs=3, metavar=("TABLE", "ROOT", "SEED"))
    parser.add_argument("--read", type=Path, metavar="RELEASE")
    options = parser.parse_args()
    if options.make:
        table, root, seed = options.make
        sys.stdout.write(json.dumps(make(Path(table), Path(root), int(seed))))
    elif options.read:
        sys.stdout.write(json.dumps(read(options.read)))
    else:
        figures = measure(options.sizes)
        if options.keep:
            print(json.dumps(figures, indent=2))
        else:
            write_result("dataset", figures)


def measure(sizes: list[int]) -> dict[str, Any]:
    with project() as root, tempfile.TemporaryDirectory(dir=ROOT / "reports") as folder:
        from svg_quality.tracking.lookup import newest_finished

        os.chdir(root)
        source = newest_finished("convert")
        table = pd.read_parquet(source.artifact("conversions.parquet"))
        figures: dict[str, Any] = {
            "rows_made_by": "repeating a real convert run; ids and perceptual hashes changed",
            "real_rows": len(table),
            "real_images": int(table["image_id"].nunique()),
            **storage(root),
            **valid(),
            "releases": {},
        }
        for size in sorted(sizes):
            figures["releases"][str(size)] = of_size(table, size, Path(folder))
    figures |= summary(figures["releases"])
    return figures


def of_size(table: pd.DataFrame, size: int, folder: Path) -> dict[str, Any]:
    path, releases = folder / f"{size}.parquet", folder / f"{size}"
    repeat(table, size, path)
    first = child("--make", str(path), str(releases), "1")
    second = child("--make", str(path), str(releases), "2")
    found = {
        "seconds": first["seconds"],
        "seconds_per_100_000_rows": round(1e5 * first["seconds"] / size, 2),
        "peak_rss_mib": first["peak_rss_mib"],
        "images": first["images"],
        "with_change_log": {key: second[key] for key in ("seconds", "peak_rss_mib")},
        "release_mb": first["release_mb"],
        "batch_of_1024": child("--read", first["path"]),
    }
    path.unlink()
    shutil.rmtree(releases)
    return found


def make(table: Path, root: Path, seed: int) -> dict[str, Any]:
    """In a process of its own: one release without a quality report."""
    from svg_quality.dataset.releases.release import make_release

    start = time.perf_counter()
    release = make_release(table, root, "big", "auto", max_distance=6, seed=seed)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux
    manifest = json.loads((release.path / "manifest.json").read_text())
    counts = manifest["counts"]
    return {
        "path": str(release.path),
        "seconds": round(seconds, 2),
        "peak_rss_mib": round(peak / 1024),
        "images": counts["images"],
        "release_mb": round(sum(x["bytes"] for x in manifest["files"].values()) / 1e6),
    }


def read(release: Path) -> dict[str, Any]:
    """In a process of its own: 1,024 rows, first with the file out of the page cache."""
    from svg_quality.dataset.releases.release_rows import TableRows

    path = release / "conversions.parquet"
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    start = time.perf_counter()
    first = TableRows(path).read(0, BATCH)
    cold = time.perf_counter() - start
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {"columns": len(first.columns), "first_of_a_process_ms": ms(cold)}
    for name, columns in (("all_columns", None), ("training_columns", TRAINING)):
        rows = TableRows(path, columns)
        in_order = [seconds_of(rows, start) for start in range(0, len(rows) - BATCH, BATCH)]
        anywhere = [
            seconds_of(rows, int(start)) for start in rng.integers(0, len(rows) - BATCH, ROUNDS)
        ]
        for order, taken in (("in_order", in_order[:ROUNDS]), ("anywhere", anywhere)):
            found[f"{name}_{order}_ms"] = ms(statistics.median(taken))
            found[f"{name}_{order}_p95_ms"] = ms(float(np.quantile(taken, 0.95)))
    return found


def seconds_of(rows: Any, start: int) -> float:
    began = time.perf_counter()
    rows.read(start, start + BATCH)
    return time.perf_counter() - began


def storage(root: Path) -> dict[str, Any]:
    """Features and descriptors on disk against the uint8 RGB pixels they are made of."""
    import h5py

    from svg_quality.dataset.releases.release import read_release
    from svg_quality.tracking.lookup import newest_finished

    run = newest_finished("extract")
    extracted = json.loads(run.artifact("extraction.json").read_text())
    images = read_release(root / extracted["release"]).images
    pixels = int((images["width"] * images["height"] * 3).sum())
    n_bytes, per_image = 0.0, {}
    for kind in (extracted["fingerprint"], extracted["descriptors"]):
        files = sorted((root / "data" / "features" / kind).glob("*.h5"))
        rows = 0
        for file in files:
            with h5py.File(file) as content:
                rows += len(content["image_id"])
        per_image[kind[:16]] = round(sum(file.stat().st_size for file in files) / rows)
        n_bytes += len(images) * sum(file.stat().st_size for file in files) / rows
    return {
        "features": {
            "images": len(images),
            "pixel_bytes": pixels,
            "feature_bytes": round(n_bytes),
            "bytes_an_image": per_image,
            "share_of_pixels": round(n_bytes / pixels, 4),
            "asked_share_at_most": 0.5,
        }
    }


def valid() -> dict[str, Any]:
    from svg_quality.dataset.manifest import read_manifest
    from svg_quality.tracking.lookup import newest_finished

    run = newest_finished("dataset")
    manifest = read_manifest(run.output_path)
    counts = manifest["counts"]
    return {
        "validation": {
            "release": f"{manifest['name']} {manifest['version']}",
            "rows": counts["read"],
            "set_aside": counts["set_aside"],
            "share_valid": round(1 - sum(counts["set_aside"].values()) / counts["read"], 5),
            "asked_share": 0.95,
        }
    }


def summary(releases: dict[str, Any]) -> dict[str, Any]:
    sizes = sorted(int(size) for size in releases)
    seconds = [releases[str(size)]["seconds"] for size in sizes]
    slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0] if len(sizes) > 1 else None
    per_row = {size: second / size for size, second in zip(sizes, seconds, strict=True)}
    return {
        "asked_seconds_of_10_000": 30,
        "asked_peak_rss_mib": 2048,
        "asked_batch_ms": 10,
        "growth_exponent": None if slope is None else round(float(slope), 3),
        "time_per_row_1_000_000_to_100_000": (
            round(per_row[1_000_000] / per_row[100_000], 2)
            if {1_000_000, 100_000} <= per_row.keys()
            else None
        ),
    }


def repeat(table: pd.DataFrame, size: int, path: Path) -> None:
    """Write a table of ``size`` rows; see the module's first lines."""
    rng = np.random.default_rng(0)
    table = table[table["error"].isna()]
    schema = pa.Schema.from_pandas(table, preserve_index=False)
    waiting: list[pa.Table] = []
    left = size
    with pq.ParquetWriter(path, schema) as writer:
        for number in range(-(-size // len(table))):
            rows = repetition(table.iloc[:left], number, int(rng.integers(2**63)))
            waiting.append(pa.Table.from_pandas(rows, schema, preserve_index=False))
            left -= len(rows)
            if left == 0 or sum(map(len, waiting)) >= ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting).combine_chunks())
                waiting = []


def repetition(table: pd.DataFrame, number: int, key: int) -> pd.DataFrame:
    names = pd.concat([table["image_id"], table["derived_from"].dropna()]).unique()
    ids = {name: digest(number, name) for name in names}
    image_id = table["image_id"].map(ids)
    return table.assign(
        image_id=image_id,
        derived_from=table["derived_from"].map(ids),
        conversion_id=[digest(number, name) for name in table["conversion_id"]],
        perceptual_hash=[f"{int(text, 16) ^ key:016x}" for text in table["perceptual_hash"]],
        image_path=image_id.str[:2] + "/" + image_id + ".png",
    )


def digest(number: int, name: str) -> str:
    return hashlib.sha256(f"{number} {name}".encode()).hexdigest()


def child(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ms(seconds: float) -> float:
    return round(1e3 * seconds, 2)


@contextmanager
def project() -> Iterator[Path]:
    """This checkout where it has been used, else a small project made for the purpose."""
    if (ROOT / "mlruns" / "mlflow.db").is_file():
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("MLproject", "conda.yaml"):
            shutil.copy(ROOT / name, root)
        shutil.copytree(ROOT / "experiments", root / "experiments")
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{root}/mlruns/mlflow.db"
        os.chdir(root)
        convert = ["convert", "--max-logos", "60", "--sets-per-image", "6"]
        for command in (convert, ["dataset", "--no-upload"], ["extract", "--weights", "random"]):
            subprocess.run([COMMAND, *command], check=True, stdout=sys.stderr)
        yield root


if __name__ == "__main__":
    main()
