"""Every loss on the same real rows: how soon it converges, and how good the model gets.

Trains one head a loss and seed on the newest release's training rows, as `train` does but for these
two, and measures it on the validation rows; the test rows are not touched. Draws the
validation error by epoch and the loss landscape around the trained weights to `losses.png`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from record import HERE, write_result

from svg_quality.dataset.releases.release import read_release
from svg_quality.dataset.tables import parameters_of
from svg_quality.evaluation.metrics import regions, score
from svg_quality.features.store import FeatureStore
from svg_quality.model.landscape import loss_landscape
from svg_quality.model.losses import LossConfig, TrainingLoss
from svg_quality.model.quality_head import QualityHead
from svg_quality.settings import load_settings
from svg_quality.stages.learning.assess import ImageInputs
from svg_quality.stages.learning.extract import SUMMARY
from svg_quality.stages.learning.recipe import recipe_of
from svg_quality.tracking.lookup import newest_finished
from svg_quality.tracking.store import project_root
from svg_quality.training.data import RowLoader
from svg_quality.training.recipe import Recipe, fit_head
from svg_quality.training.rows import Rows
from svg_quality.training.trainer import predict_rows

LOSSES = {
    "huber": LossConfig(),
    "huber and ranking": LossConfig(ranking_weight=0.3),
    "huber, learnt weights": LossConfig(weighting="uncertainty"),
    "mse": LossConfig(point="mse"),
    "mae": LossConfig(point="mae"),
    "ssim": LossConfig(point="ssim"),
    "focal": LossConfig(point="focal"),
    "combined": LossConfig(point="combined"),
}
N_STEPS, REACH, N_LANDSCAPE_ROWS = 15, 1.0, 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each loss")
    n_seeds: int = parser.parse_args().seeds
    torch.set_num_threads(1)
    root, shipped = project_root(), recipe_of(load_settings(HERE.parent / "demo.yaml").train)
    (train, _), (validation, frame) = released_rows(root)
    figures: dict[str, Any] = {
        "training_rows": len(train),
        "validation_rows": len(validation),
        "seeds": n_seeds,
        "epochs": shipped.training.epochs,
        "members": shipped.head.n_members,
        "losses": {},
    }
    curves: dict[str, list[list[float]]] = {}
    landscapes: dict[str, np.ndarray] = {}
    for name, config in LOSSES.items():
        entries, curves[name] = [], []
        for seed in range(n_seeds):
            recipe = with_loss(shipped, config, seed)
            start = time.perf_counter()
            head, said = fit_head(train, validation, recipe)
            curves[name].append([epoch["val_ssim_mae"] for epoch in said["training_history"]])
            entries.append(
                figures_of(head, validation, frame)
                | {
                    "epochs_to_within_5_percent": epochs_to_within(curves[name][-1]),
                    "best_epoch": said["best_epoch"],
                    "seconds": time.perf_counter() - start,
                }
            )
            if seed == 0:
                landscapes[name] = landscape(head, validation, config)
        figures["losses"][name] = {
            figure: {
                "mean": round(float(np.mean([entry[figure] for entry in entries])), 5),
                "each": [round(float(entry[figure]), 5) for entry in entries],
            }
            for figure in entries[0]
        }
        print(name, json.dumps(figures["losses"][name]), flush=True)
    path = root / "reports" / "losses.png"
    draw(curves, landscapes, path)
    print(f"drawn in {path}")
    write_result("losses", figures)


def released_rows(root: Path) -> tuple[tuple[Rows, pd.DataFrame], tuple[Rows, pd.DataFrame]]:
    """Training and validation rows of the newest release with features, as `train` takes them."""
    extracted = json.loads(newest_finished("extract").artifact(SUMMARY).read_text())
    release = read_release(root / extracted["release"])
    store = FeatureStore(root / "data/features")
    inputs = ImageInputs(store, extracted["fingerprint"], extracted["descriptors"])
    frames = [inputs.reached(release.rows(split)) for split in ("train", "validation")]
    train, validation = ((inputs.rows(frame), frame) for frame in frames)
    return train, validation


def with_loss(recipe: Recipe, loss: LossConfig, seed: int) -> Recipe:
    training = dataclasses.replace(recipe.training, loss=loss, seed=seed)
    return dataclasses.replace(recipe, training=training)


def figures_of(head: QualityHead, rows: Rows, frame: pd.DataFrame) -> dict[str, float]:
    """Errors of SSIM in three regions, its order over all rows and within images, and of bytes."""
    said = predict_rows(head, rows)
    y, p = rows.ssim, said.ssim.numpy()
    found: dict[str, Any] = {}
    for region, mask in regions(parameters_of(frame)).items():
        scored = score(y[mask], p[mask])
        heading = region.replace("_", " ")
        found |= {f"{heading} {figure}": scored[figure] for figure in ("mae", "r2")}
    within = [score(y[mask], p[mask])["spearman"] for mask in images(rows)]
    found["spearman"] = score(y, p)["spearman"]
    found["within-image rank correlation"] = np.mean(
        [value for value in within if value is not None]
    )
    found["log bytes r2"] = score(rows.log_bytes, said.log_bytes.numpy())["r2"]
    return found


def images(rows: Rows) -> list[np.ndarray]:
    return [rows.image_index == image for image in np.unique(rows.image_index)]


def epochs_to_within(curve: list[float], share: float = 0.05) -> int:
    """The first epoch, from 1, whose error is at most 5% above the best of all."""
    return int(np.argmax(np.array(curve) <= min(curve) * (1 + share))) + 1


def landscape(head: QualityHead, rows: Rows, config: LossConfig) -> np.ndarray:
    """The validation loss on some rows around the trained weights, ``(N_STEPS, N_STEPS)``."""
    few = np.random.default_rng(0).permutation(len(rows))[:N_LANDSCAPE_ROWS]
    batch = next(iter(RowLoader(rows.take(few), N_LANDSCAPE_ROWS)))
    loss, head = TrainingLoss(config).eval(), head.eval()
    return loss_landscape(
        head,
        lambda: float(loss(head.members(batch.features, batch.tabular), batch.ssim,
                           batch.log_bytes)),
        REACH,
        N_STEPS,
    )[1]  # fmt: skip


def draw(
    curves: dict[str, list[list[float]]], landscapes: dict[str, np.ndarray], path: Path
) -> None:
    """One picture: errors by epoch above, a landscape a loss below (logarithm, own colours)."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(14, 11), layout="constrained")
    top, *below = figure.subfigures(3, 1, height_ratios=[1.1, 1, 1])
    axes = top.subplots()
    for name, runs in curves.items():
        axes.plot(range(1, len(runs[0]) + 1), runs[0], label=name)
    axes.set(xlabel="epoch", ylabel="validation MAE of SSIM", yscale="log")
    axes.legend(ncols=4, fontsize="small")
    places = np.linspace(-REACH, REACH, N_STEPS)
    panels = [panel for row in below for panel in row.subplots(1, 4)]
    for panel, (name, values) in zip(panels, landscapes.items(), strict=True):
        height = np.log10(values - values.min() + 0.01 * np.ptp(values))
        panel.contourf(places, places, height, levels=15)
        panel.plot(0, 0, "r+")
        panel.set_title(f"{name}: {values.min():.2f} to {values.max():.2f}", fontsize="small")
        panel.set_aspect("equal")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
