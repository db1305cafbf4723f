"""Feature extraction in batches of 16: ONNX Runtime against torchvision's eager fp32, in turns."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from record import HERE, write_result

from svg_quality.conversion.images import load_image
from svg_quality.dataset.logos import discover_logos, read_excluded
from svg_quality.features.backbone import build_backbone, export_backbone
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.preprocessing import preprocess

BATCH, ROUNDS = 16, 15


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    held_out = read_excluded(HERE / "held_out_logos.txt")
    logos = [logo for logo in discover_logos("diagrams") if logo.name in held_out]
    images = np.stack([preprocess(load_image(logo.path).rgb) for logo in logos[:BATCH]])
    backbone = build_backbone("random", images, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        export_backbone(backbone.extractor, Path(folder) / "backbone.onnx")
        graph = OnnxGraph(Path(folder) / "backbone.onnx")
    batch = torch.from_numpy(images)

    def eager() -> np.ndarray:
        with torch.inference_mode():
            return backbone.extractor(batch).numpy()

    def onnx() -> np.ndarray:
        return graph(images=images)["features"]

    difference = float(np.abs(eager() - onnx()).max() / eager().std())
    turns = [(seconds(eager), seconds(onnx)) for _ in range(ROUNDS)]
    ratios = sorted(a / b for a, b in turns)
    write_result(
        "features",
        {
            "batch": BATCH,
            "rounds": ROUNDS,
            "torch_threads": torch.get_num_threads(),
            "eager_ms_an_image": round(1e3 * statistics.median(a for a, _ in turns) / BATCH, 1),
            "onnx_ms_an_image": round(1e3 * statistics.median(b for _, b in turns) / BATCH, 1),
            "times_faster": round(statistics.median(ratios), 2),
            "times_faster_range": [round(ratios[0], 2), round(ratios[-1], 2)],
            "asked_times_faster": 1.8,
            "largest_difference_in_standard_deviations": difference,
        },
    )


if __name__ == "__main__":
    main()
