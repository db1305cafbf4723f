"""The backbone in batches of 16: ONNX Runtime against torchvision's eager fp32, in turns.

The registered backbone is the 8-bit one (`extract.precision`); the fp32 one is measured beside it.
"""

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
from svg_quality.features.quantization import quantize_backbone

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
        fp32, int8 = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        export_backbone(backbone.extractor, fp32)
        quantize_backbone(fp32, int8, images)
        graphs = {"int8": OnnxGraph(int8), "fp32": OnnxGraph(fp32)}
    batch = torch.from_numpy(images)

    def eager() -> np.ndarray:
        with torch.inference_mode():
            return backbone.extractor(batch).numpy()

    def onnx(precision: str) -> np.ndarray:
        return graphs[precision](images=images)["features"]

    figures: dict[str, object] = {
        "batch": BATCH,
        "rounds": ROUNDS,
        "torch_threads": torch.get_num_threads(),
        "asked_times_faster": 1.8,
    }
    for precision in graphs:
        agreement = cosine(eager(), onnx(precision))
        turns = [(seconds(eager), seconds(lambda p=precision: onnx(p))) for _ in range(ROUNDS)]
        ratios = sorted(a / b for a, b in turns)
        figures[precision] = {
            "eager_ms_an_image": round(1e3 * statistics.median(a for a, _ in turns) / BATCH, 1),
            "onnx_ms_an_image": round(1e3 * statistics.median(b for _, b in turns) / BATCH, 1),
            "times_faster": round(statistics.median(ratios), 2),
            "times_faster_range": [round(ratios[0], 2), round(ratios[-1], 2)],
            "mean_cosine_with_eager": agreement,
        }
    write_result("features", figures)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return round(float(((a * b).sum(axis=1) / lengths).mean()), 6)


if __name__ == "__main__":
    main()
