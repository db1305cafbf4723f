"""What is lost on logos of another source: `@iconify-json/skill-icons` (npm, MIT).

Its SVGs are drawn at 256 px, converted and asked of the model in Production, which was trained on
the logos of `diagrams`; the drop is against the figures of `accuracy.json`, measured before.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import cv2
from held_out import counted, in_production, measure_logos, near_trained, refuse_leaks
from measure_accuracy import by_band, region_figures
from record import HERE, write_result

from svg_quality.conversion.rendering import render
from svg_quality.evaluation.baselines import fit_and_predict
from svg_quality.tracking.store import project_root

PACKAGE = "@iconify-json/skill-icons@1.2.4"
SIZE = 256  # px


def main() -> None:
    root = project_root()
    resolved, bundle, release = in_production(root)
    held_out = measure_logos(
        root, skill_icons(root / "data" / "skill-icons"), resolved.path, bundle
    )
    refuse_leaks(held_out.frame, release.images.index)
    rows = held_out.rows
    said = bundle.score_rows(rows.features[rows.image_index], rows.tabular)
    train = held_out.inputs.rows(held_out.inputs.reached(release.rows("train")))
    figures = region_figures(held_out, said, fit_and_predict(train, rows))
    write_result("generalisation", {
        "source": PACKAGE,
        "model_version": resolved.version,
        **counted(held_out),
        "images_that_look_like_a_trained_one": near_trained(held_out.frame, release),
        "regions": figures,
        "interval_90_by_band": by_band(held_out, said),
        "drop": drop(figures, resolved.version),
    })  # fmt: skip


def skill_icons(folder: Path) -> Path:
    """The pictures as PNG files, fetched from npm and drawn once."""
    pictures = folder / "png"
    if not pictures.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extract("package/icons.json", folder, filter="data")
        icons = json.loads((folder / "package" / "icons.json").read_text())
        unfinished = folder / "unfinished"
        unfinished.mkdir(exist_ok=True)
        for name, icon in icons["icons"].items():
            width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
            svg = (
                f'<svg xmlns="http://www.w3.org/2000/svg" '
                f'xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
            )
            drawn = render(svg, SIZE, SIZE)
            cv2.imwrite(str(unfinished / f"{name}.png"), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        unfinished.rename(pictures)
    return pictures


def drop(figures: dict[str, Any], version: str | None) -> dict[str, Any]:
    """This source's figures less those of the held-out logos of the training source."""
    accuracy = json.loads((HERE / "accuracy.json").read_text())["figures"]
    if accuracy["model_version"] != version:
        raise SystemExit(
            f"accuracy.json must be of version {version} too, it is of version"
            f" {accuracy['model_version']}: run measure_accuracy.py first"
        )
    known = accuracy["regions"]
    return {
        region: {
            f"{target}_{metric}": entry[target]["model"][metric]
            - known[region][target]["model"][metric]
            for target, metric in (
                ("ssim", "pearson"), ("ssim", "r2"), ("ssim", "mae"), ("log_bytes", "r2"),
            )
        }
        for region, entry in figures.items()
        if region in known
    }  # fmt: skip


if __name__ == "__main__":
    main()
