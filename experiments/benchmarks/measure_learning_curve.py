"""What more logos and more parameter sets are worth: heads trained on parts of a release.

Takes the release that the model in Production was trained on (run `svg-quality main --config
experiments/full.yaml` first for the whole curve), deals out its training logos and sets, and
measures each head, and gradient boosting on the same rows, on the held-out logos. The validation
split is the same for all. About ten minutes on two idle cores.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from held_out import (
    HeldOut,
    counted,
    held_out_logos,
    in_production,
    measure_logos,
    refuse_leaks,
    regions_of,
)
from record import write_result

from svg_quality.dataset.releases.release import Release
from svg_quality.evaluation.baselines import fit_and_predict
from svg_quality.evaluation.metrics import score
from svg_quality.settings import TrainSettings
from svg_quality.stages.learning.recipe import recipe_of
from svg_quality.tracking.store import project_root
from svg_quality.training.recipe import fit_head
from svg_quality.training.rows import Rows
from svg_quality.training.trainer import predict_rows

LOGOS: Final = (100, 300, 900, 0)  # distinct logos; 0 for all there are
SETS: Final = (6, 12, 0)  # per image
ROWS_SEEN: Final = 400_000  # of a training, epoch by epoch: about as many steps for each
SEED: Final = 0


def main() -> None:
    torch.set_num_threads(1)
    root = project_root()
    resolved, bundle, release = in_production(root)
    held_out = measure_logos(root, held_out_logos(root), resolved.path, bundle)
    refuse_leaks(held_out.frame, release.images.index)
    train, groups = rows_of(held_out, release, "train")
    validation, _ = rows_of(held_out, release, "validation")
    points = [
        point(train.take(chosen(train, groups, n_logos, n_sets)), validation, held_out)
        | {"logos_asked": n_logos or "all", "sets_asked": n_sets or "all"}
        for n_logos in LOGOS
        for n_sets in SETS
    ]
    write_result(
        "learning_curve",
        {"dataset": bundle.manifest["dataset"], **counted(held_out), "points": points},
    )


def rows_of(held_out: HeldOut, release: Release, split: str) -> tuple[Rows, np.ndarray]:
    """Rows of a split, and the group of distinct logos each belongs to."""
    frame = held_out.inputs.reached(release.rows(split))
    return held_out.inputs.rows(frame), frame["image_id"].map(release.images["group"]).to_numpy()


def chosen(rows: Rows, groups: np.ndarray, n_logos: int, n_sets: int) -> np.ndarray:
    """Indices of the first so many logos in a random order, and of so many sets of each image."""
    rng = np.random.default_rng(SEED)
    names = rng.permutation(np.unique(groups))[: n_logos or None]
    order = rng.permutation(len(rows))
    _, place = np.unique(rows.image_index[order], return_inverse=True)
    within = np.empty(len(rows), int)
    for image in range(place.max() + 1):
        of_image = order[place == image]
        within[of_image] = np.arange(len(of_image))
    return np.flatnonzero(np.isin(groups, names) & (within < (n_sets or len(rows))))


def point(train: Rows, validation: Rows, held_out: HeldOut) -> dict[str, Any]:
    """One training: how much it had, and how good it is on the held-out logos."""
    start = perf_counter()
    epochs = max(14, min(30, ROWS_SEEN // len(train)))
    head, _ = fit_head(train, validation, recipe_of(TrainSettings(epochs=epochs)))
    seconds = perf_counter() - start
    rows = held_out.rows
    said = predict_rows(head, rows)
    boosted = fit_and_predict(train, rows, names=("gradient_boosting",))["gradient_boosting"]
    figures: dict[str, Any] = {
        "images": len(np.unique(train.image_index)),
        "rows": len(train),
        "epochs": epochs,
        "training_seconds": seconds,
    }
    for region, mask in regions_of(held_out.frame).items():
        own = score(rows.ssim[mask], said.ssim.numpy()[mask])
        size = score(rows.log_bytes[mask], said.log_bytes.numpy()[mask])
        other = score(rows.ssim[mask], boosted.ssim[mask])
        figures[region] = {
            "mae": own["mae"], "r2": own["r2"], "log_bytes_r2": size["r2"],
            "boosting_mae": other["mae"], "boosting_r2": other["r2"],
        }  # fmt: skip
    print({k: v for k, v in figures.items() if not isinstance(v, dict)}, figures["everyday"])
    return figures


if __name__ == "__main__":
    main()
