"""The backbone: ONNX Runtime against torchvision's eager fp32, in turns, in batches and alone.

Measured on held-out logos; the 8-bit form is calibrated on others. `extract` makes features with
the fp32 file for training, and a bundle carries the 8-bit one where predictions agree.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from record import HERE, write_result

from svg_quality.conversion.images import load_image
from svg_quality.dataset.logos import LogoFile, discover_logos, read_excluded
from svg_quality.features.backbone import build_backbone, export_backbone
from svg_quality.features.inference import OnnxGraph
from svg_quality.features.preprocessing import preprocess
from svg_quality.features.quantization import cosines, quantize_backbone

BATCH, ROUNDS, N_CALIBRATION = 16, 15, 64
ASKED = {"int8": 5.0, "fp32": 1.0}  # times faster than eager


def inputs(logos: Sequence[LogoFile]) -> np.ndarray:
    return np.stack([preprocess(load_image(logo.path).rgb) for logo in logos])


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(
    eager: Callable[[], object], onnx: Callable[[], object], n_images: int
) -> dict[str, object]:
    eager(), onnx()  # the first call allocates
    turns = [(seconds(eager), seconds(onnx)) for _ in range(ROUNDS)]
    ratios = sorted(a / b for a, b in turns)
    eager_s, onnx_s = (statistics.median(times) / n_images for times in zip(*turns, strict=True))
    return {
        "eager_ms_an_image": round(1e3 * eager_s, 1),
        "onnx_ms_an_image": round(1e3 * onnx_s, 1),
        "onnx_images_per_second": round(1 / onnx_s, 1),
        "times_faster": round(statistics.median(ratios), 2),
        "times_faster_range": [round(ratios[0], 2), round(ratios[-1], 2)],
    }


def main() -> None:
    held_out = read_excluded(HERE / "held_out_logos.txt")
    logos = discover_logos("diagrams")
    images = inputs([logo for logo in logos if logo.name in held_out][:BATCH])
    others = inputs([logo for logo in logos if logo.name not in held_out][:: len(logos) // 70])
    backbone = build_backbone("random", others[:N_CALIBRATION], seed=0)
    with tempfile.TemporaryDirectory() as folder:
        fp32, int8 = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        export_backbone(backbone.extractor, fp32)
        quantize_backbone(fp32, int8, others[:N_CALIBRATION])
        graphs = {"int8": OnnxGraph(int8), "fp32": OnnxGraph(fp32)}

    def eager(batch: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            return backbone.extractor(batch).numpy()

    figures: dict[str, object] = {
        "weights": backbone.weights,
        "batch": BATCH,
        "rounds": ROUNDS,
        "torch_threads": torch.get_num_threads(),
    }
    truth = eager(torch.from_numpy(images))
    for precision, graph in graphs.items():
        agreement = cosines(truth, graph(images=images)["features"])
        measured = {}
        for name, batch in (("batch", images), ("alone", images[:1])):
            tensor = torch.from_numpy(batch)
            measured[name] = in_turns(
                lambda tensor=tensor: eager(tensor),
                lambda graph=graph, batch=batch: graph(images=batch),
                len(batch),
            )
        figures[precision] = {
            "asked_times_faster": ASKED[precision],
            **measured,
            "cosine_with_eager_mean": round(float(agreement.mean()), 6),
            "cosine_with_eager_min": round(float(agreement.min()), 6),
        }
    write_result("features", figures)


if __name__ == "__main__":
    main()
