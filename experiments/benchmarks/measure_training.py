"""How fast batches come and how long 36,000 rows train, on the rows of the newest extraction.

The rows of the training split are real; where there are fewer than 36,000 they are repeated (each
copy with the same inputs and targets), which costs a training the time of so many rows, and says
nothing of its accuracy. Times are of this machine as busy as it was: the load is written down,
and beside the wall's clock stands the processor time.

    python experiments/benchmarks/measure_training.py            in a project whose extract is done
    python experiments/benchmarks/measure_training.py ROWS.npz   of rows kept by an earlier run
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
from record import HERE, write_result
from torch.utils.data import DataLoader

from svg_quality.dataset.releases.release import read_release
from svg_quality.features.cache import CachedFeatures
from svg_quality.features.mapped import map_features
from svg_quality.features.store import FeatureStore
from svg_quality.settings import load_settings
from svg_quality.stages.learning.assess import ImageInputs
from svg_quality.stages.learning.extract import SUMMARY
from svg_quality.stages.learning.recipe import recipe_of
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.store import project_root
from svg_quality.training.audit import audit_epoch
from svg_quality.training.data import RowLoader
from svg_quality.training.recipe import fit_head
from svg_quality.training.rows import Rows

N_ROWS, BATCH = 36_000, 256
SPLITS = ("train", "validation")
COLUMNS = ("features", "image_index", "tabular", "ssim", "log_bytes")


def main() -> None:
    with TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else keep_rows(Path(folder) / "rows.npz")
        train = read_rows(path, "train")
        many = train.take(np.resize(np.arange(len(train)), N_ROWS))
        figures = {
            "load_average_before": os.getloadavg()[0],
            "rows": {
                "of_the_split": len(train),
                "images": len(train.features),
                "trained_on": N_ROWS,
                "are_repeated": len(train) < N_ROWS,
            },
            "batches": batches(many, Path(folder)),
            "training": trained(path),
        }
    write_result("training", figures | {"load_average_after": os.getloadavg()[0]})


def keep_rows(path: Path) -> Path:
    """The rows of the newest extraction, so that a process of its own can train on them."""
    run, root = newest_finished("extract"), project_root()
    said = json.loads(run.artifact(SUMMARY).read_text())
    release = read_release(root / said["release"])
    store = FeatureStore(root / "data" / "features")
    inputs = ImageInputs(store, said["fingerprint"], said["descriptors"])
    kept: dict[str, np.ndarray] = {}
    for split in SPLITS:
        rows = inputs.rows(inputs.reached(release.rows(split)))
        kept |= {f"{split}_{name}": np.asarray(getattr(rows, name)) for name in COLUMNS}
    np.savez(path, allow_pickle=False, **kept)
    return path


def read_rows(path: Path, split: str) -> Rows:
    with np.load(path) as kept:
        return Rows(*(kept[f"{split}_{name}"] for name in COLUMNS))


def batches(many: Rows, folder: Path) -> dict[str, Any]:
    """Times of a batch of 256 rows, from each place features can be in, and an epoch's memory."""
    store, names = FeatureStore(folder), [str(number) for number in range(len(many.features))]
    for part in np.array_split(np.arange(len(names)), max(len(names) // 64, 1)):
        store.add("kind", [names[number] for number in part], np.asarray(many.features[part]))
    places = {
        "array": many.features,
        "mapped file": map_features(store, "kind", names),
        "store, all cached": CachedFeatures(store, "kind", names, max_bytes=2**30),
        "store, a quarter cached": CachedFeatures(
            store, "kind", names, max_bytes=many.features.shape[1] * len(names)
        ),
    }
    found: dict[str, Any] = {}
    for place, features in places.items():
        rows = dataclasses.replace(many, features=features)
        for prefetch in (0, 2):
            few = rows.take(np.arange(16 * BATCH)) if "quarter" in place else rows  # it is slow
            loader = RowLoader(few, BATCH, shuffle=True, prefetch=prefetch)
            batch_times(loader)  # what is cached was read once
            found[f"{place}, prefetch {prefetch}"] = batch_times(loader)
    whole = RowLoader(many, BATCH, shuffle=True)
    found["torch DataLoader, array, by batch"] = batch_times(
        DataLoader(whole.dataset, batch_size=BATCH, shuffle=True, collate_fn=lambda batch: batch)
    )
    found["torch DataLoader, array, by batch, 1 process ahead"] = batch_times(
        DataLoader(
            whole.dataset,
            batch_size=BATCH,
            shuffle=True,
            collate_fn=lambda batch: batch,
            num_workers=1,
        )
    )
    found["integrity of an epoch"] = dataclasses.asdict(audit_epoch(many, whole))
    return found


def batch_times(loader: Any) -> dict[str, float]:
    """Milliseconds until each batch is there, nothing else being computed; growth of memory."""
    process = psutil.Process()
    before, taken = process.memory_info().rss, []
    peak = before
    last = time.perf_counter()
    for number, _ in enumerate(loader):
        taken.append(1000 * (time.perf_counter() - last))
        if number % 8 == 0:
            peak = max(peak, process.memory_info().rss)
        last = time.perf_counter()
    return {
        "ms_mean": float(np.mean(taken)), "ms_p50": float(np.median(taken)),
        "ms_p95": float(np.quantile(taken, 0.95)), "epoch_memory_mb": (peak - before) / 1e6,
    }  # fmt: skip


def trained(path: Path) -> dict[str, Any]:
    """A training as experiments/full.yaml asks for it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, str(path), "--train"], capture_output=True, text=True, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def train_alone(path: Path) -> None:
    train, validation = read_rows(path, "train"), read_rows(path, "validation")
    many = train.take(np.resize(np.arange(len(train)), N_ROWS))
    recipe = recipe_of(load_settings(HERE.parent / "full.yaml").train)
    begun, used = time.perf_counter(), time.process_time()
    with TemporaryDirectory() as folder:
        _, said = fit_head(many, validation, recipe, checkpoint_dir=Path(folder))
    figures = {
        "seconds": time.perf_counter() - begun,
        "processor_seconds": time.process_time() - used,
        "epochs": said["epochs_completed"],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "threads": recipe.training.n_threads,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    if "--train" in sys.argv:
        train_alone(Path(sys.argv[1]))
    else:
        main()
